package cookbook

import (
	"context"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// drain takes a relay out of use, and waits until nothing of this process is under way on it.
func drain(ctx context.Context, client *mxsend.Client, relay string) error {
	if err := client.SetWeights(map[string]int{relay: 0}); err != nil {
		return err
	}
	for {
		busy := false
		for _, r := range client.Stats().Relays {
			busy = busy || r.Name == relay && r.Connections > 0
		}
		if !busy {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func TestDrain(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{})
	client := newClient(t, cluster, nil)
	for range 20 {
		if _, err := client.Send(t.Context(), passwordMail("jane")); err != nil {
			t.Fatal(err)
		}
	}
	first, second := cluster.Primary(0), cluster.Primary(1)
	if err := drain(t.Context(), client, first.Name()); err != nil {
		t.Fatal(err)
	}
	if n := first.Sessions(); n > 0 {
		t.Errorf("%d sessions are left", n)
	}
	before := cluster.Ledger().Counts().ByRelay
	for range 20 {
		if _, err := client.Send(t.Context(), passwordMail("joe")); err != nil {
			t.Fatal(err)
		}
	}
	after := cluster.Ledger().Counts().ByRelay
	if after[first.Name()] != before[first.Name()] || after[second.Name()] != before[second.Name()]+20 {
		t.Errorf("before %v, after %v", before, after)
	}
}

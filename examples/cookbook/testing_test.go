package cookbook

import (
	"testing"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

func TestFullMailbox(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{}) // real SMTP over TCP, ports of its own
	cluster.Destination("example.net").Reject(mxtest.AtRcpt, "552 5.2.2 mailbox full", "jane")
	client := newClient(t, cluster, nil)
	if _, err := client.Send(t.Context(), passwordMail("jane")); err != nil {
		t.Fatal(err) // the relay takes it: the refusal comes back as a bounce
	}
	if err := cluster.Ledger().WaitBounces(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if n := cluster.Ledger().Notifications()[0]; n.To != "b+2f9k@bounce.example.com" {
		t.Errorf("the bounce went to %s", n.To)
	}
}

//go:build unix

package outbox

import (
	"syscall"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// fleet starts two processes on one mailing, and returns when both work on it.
func fleet(t *testing.T, database string, n, gate int, lease time.Duration) (b *Box, cluster *mxtest.Cluster, one, two *childProcess) {
	cluster = mxtest.NewCluster(t, mxtest.Config{KeepContent: -1})
	spec := childSpec{
		Database: database, Relays: relaysOf(t, cluster), Mailing: Mailing{Name: "news", AutoPause: AutoPause{Share: 2}}, N: n,
		Gate: gate, Lease: lease, Slow: 2 * time.Millisecond, Stay: true,
	}
	cfg := testConfig(t, database, nil)
	cfg.Lease = lease
	b = newBox(t, cfg)
	one, two = startChild(t, spec), startChild(t, spec)
	deadline := time.Now().Add(30 * time.Second)
	for {
		all, err := b.Processes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		working := 0
		for _, p := range all {
			if p.Slices > 0 {
				working++
			}
		}
		if working == 2 {
			return b, cluster, one, two
		}
		if time.Now().After(deadline) {
			t.Fatalf("of two processes, %d work on the mailing: %+v", working, all)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestOneOfTwoIsKilled(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		const n, gate = 5000, 200
		b, cluster, one, _ := fleet(t, database, n, gate, time.Second)
		one.kill()
		killed := time.Now()
		waitFor(t, b, "news", Status.Ended)
		t.Logf("the other ended it %v later", time.Since(killed))
		holdAgainst(t, b, cluster, "news", n, gate, false)
	})
}

// With the lease that is the default, another process has taken over long before 45 s.
func TestTakeOverTakes(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for two leases of 10 s")
	}
	b, cluster, one, _ := fleet(t, postgresURL(t), 5000, 200, 0)
	one.kill()
	killed := time.Now()
	waitFor(t, b, "news", Status.Ended)
	took := time.Since(killed)
	t.Logf("taken over and ended after %v", took)
	if took > 45*time.Second {
		t.Errorf("taken over and ended only after %v", took)
	}
	holdAgainst(t, b, cluster, "news", 5000, 200, false)
}

// A process that was stopped for longer than its lease has been taken over from. It finds that out by itself when it goes on.
// On SQLite one that is stopped amid a transaction holds the file's lock, and the others wait for it.
func TestOneOfTwoIsSuspended(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		const n, gate, lease = 5000, 200, time.Second
		b, cluster, one, _ := fleet(t, database, n, gate, lease)
		if err := one.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if !b.store.postgres() {
			time.Sleep(3 * lease)
			if err := one.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			waitFor(t, b, "news", Status.Ended)
			holdAgainst(t, b, cluster, "news", n, gate, false)
			return
		}
		s := waitFor(t, b, "news", Status.Ended)
		doubt := int(s.Outcomes[InDoubt])
		before := cluster.Ledger().Counts().Accepted
		if err := one.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		// It begins a new life, and writes down what it knows.
		deadline := time.Now().Add(20 * time.Second)
		for {
			all, err := b.Processes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			senders := 0
			for _, p := range all {
				if p.Sends && time.Now().Before(p.Until) {
					senders++
				}
			}
			if senders == 2 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the process that goes on does not come back: %+v", all)
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		after := cluster.Ledger().Counts().Accepted
		t.Logf("%d were in doubt; it sent %d more", doubt, after-before)
		if after-before > doubt {
			t.Errorf("it sent %d more, of %d that were in doubt", after-before, doubt)
		}
		holdAgainst(t, b, cluster, "news", n, gate, false)
	})
}

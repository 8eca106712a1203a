package cookbook

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

func TestFullMailbox(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{}) // real SMTP over TCP, ports of its own
	cluster.Destination("example.net").Do(mxtest.Reject(mxtest.AtRcpt, "552 5.2.2 mailbox full"), "jane")
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

func TestFiveDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := mxtest.NewCluster(t, mxtest.Config{Memory: true}) // no socket, and the bubble's clock
		cluster.Destination("example.net").Do(mxtest.Reject(mxtest.AtRcpt, "452 4.2.2 mailbox full"))
		client := newClient(t, cluster, func(cfg *mxsend.Config) {
			cfg.Resolver = mxsend.NewResolverVia(cluster.Dial, cluster.DNSAddr())
		})
		if _, err := client.Send(t.Context(), passwordMail("jane")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * 24 * time.Hour) // some milliseconds
		if c := cluster.Ledger().Counts(); c.AtGraveyard != 1 || c.Bounced != 0 {
			t.Errorf("after four days: %+v", c)
		}
		time.Sleep(2 * 24 * time.Hour)
		mail := cluster.Ledger().FindRecipient("jane@example.net")[0]
		if to := mail.Recipients[0]; to.Place != mxtest.Bounced || to.Status != "4.2.2" || to.Attempts < 10 {
			t.Errorf("after six days: %+v", to)
		}
	})
}

func TestRelayOff(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{})
	client := newClient(t, cluster, nil)
	cluster.Primary(0).Stop() // as systemctl stop postfix
	for range 20 {
		if _, err := client.Send(t.Context(), passwordMail("jane")); err != nil {
			t.Error(err) // the other primary takes them
		}
	}
	cluster.Ledger().AssertNoDuplicates(t, 0)
	cluster.Ledger().AssertNothingLost(t)
}

func TestWhatTheMailSays(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{})
	client := newClient(t, cluster, nil)
	if _, err := client.Send(t.Context(), passwordMail("jane")); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Ledger().WaitDelivered(t.Context(), "jane@example.net"); err != nil {
		t.Fatal(err)
	}
	m := cluster.Ledger().AssertOneMail(t, "jane@example.net")
	m.AssertHeader(t, "From", "Shop <shop@example.com>")
	m.AssertText(t, "Hello")
}

package mxtest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/smtp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// wayOf writes the way of a mail's first recipient in short: relay, then the status of each attempt.
func wayOf(m mxtest.Mail) string {
	var hops []string
	for _, h := range m.Recipients[0].Way {
		hop, _, _ := strings.Cut(h.Relay, ".")
		for _, a := range h.Attempts {
			hop += " " + a.Status
		}
		hops = append(hops, hop)
	}
	return strings.Join(hops, " > ")
}

func TestWay(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   mxtest.Behaviour
		wait time.Duration
		want string
	}{
		{"taken", mxtest.Accept(), 0, "p1 2.0.0"},
		{"refused", mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 no"), 0, "p1 5.1.1"},
		{"greylisted on both networks", mxtest.Greylist(time.Minute), 0, "p1 4.7.1 > g1 4.7.1"},
		{"and taken later", mxtest.Greylist(time.Minute), time.Hour, "p1 4.7.1 > g1 4.7.1 2.0.0"},
		{"full until it expires", mxtest.Reject(mxtest.AtRcpt, "452 4.2.2 full"), 6 * 24 * time.Hour, "p1 4.2.2 > g1 4.2.2 4.2.2 4.2.2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, mxtest.Config{}, func(t *testing.T, c *mxtest.Cluster, s func(to ...string) mxtest.Mail) {
				c.Destination("x.test").Script(mxtest.Rule{Do: tt.do})
				m := s("u@x.test")
				c.Advance(tt.wait)
				m, ok := c.Ledger().Mail(m.QueueID)
				if got := wayOf(m); !ok || !strings.HasPrefix(got+" ", tt.want+" ") {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				hops := m.Recipients[0].Way
				if hops[0].QueueID != m.QueueID || !hops[0].Arrived.Equal(m.Accepted) {
					t.Errorf("the first hop is %+v, the mail %s at %v", hops[0], m.QueueID, m.Accepted)
				}
				last := m.Accepted
				for _, h := range hops {
					if again, ok := c.Ledger().Mail(h.QueueID); !ok || again.QueueID != m.QueueID {
						t.Errorf("no mail by %s, its queue id at %s", h.QueueID, h.Relay)
					}
					for _, a := range h.Attempts {
						if a.Time.Before(last) || a.Reply == "" {
							t.Errorf("attempt at %v after one at %v says %q", a.Time, last, a.Reply)
						}
						last = a.Time
					}
				}
			})
		})
	}
}

// Five days of queue life over TCP, without waiting for them: the same attempts at the same times as when one waits.
func TestAdvance(t *testing.T) {
	attempts := func(c *mxtest.Cluster) (list []string) {
		m := c.Ledger().Mails()[0]
		for _, h := range m.Recipients[0].Way {
			for _, a := range h.Attempts {
				list = append(list, fmt.Sprint(h.Relay, a.Time.Sub(m.Accepted).Round(time.Minute)))
			}
		}
		return list
	}
	var waited, advanced []string
	bubble(t, mxtest.Config{}, func(t *testing.T, c *mxtest.Cluster, s func(to ...string) mxtest.Mail) {
		c.Destination("full.test").Reject(mxtest.AtRcpt, "452 4.2.2 full")
		s("u@full.test")
		time.Sleep(6 * 24 * time.Hour)
		synctest.Wait()
		waited = attempts(c)
	})
	c := mxtest.NewCluster(t, mxtest.Config{})
	c.Destination("full.test").Reject(mxtest.AtRcpt, "452 4.2.2 full")
	if err := send(client(t, c, c.Primary(0)), "b@app.test", mail("x", "u@full.test"), "u@full.test"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	idle(t, c)
	c.Advance(6 * 24 * time.Hour)
	idle(t, c)
	advanced = attempts(c)
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	if got := c.Now().Sub(began); got < 6*24*time.Hour || got > 6*24*time.Hour+time.Hour {
		t.Errorf("the cluster's clock is %v ahead, want six days", got)
	}
	if n := c.Ledger().Counts(); n.Expired != 1 || n.NotificationsDelivered != 1 {
		t.Errorf("got %+v, want one expired and its bounce", n)
	}
	if len(waited) < 20 || strings.Join(waited, " ") != strings.Join(advanced, " ") {
		t.Errorf("waiting:   %v\nadvancing: %v", waited, advanced)
	}
	note := c.Ledger().Notifications()[0]
	if m := c.Ledger().Mails()[0]; note.About != m.QueueID || len(c.Ledger().NotificationsAbout(m.QueueID)) != 1 || len(c.Ledger().NotificationsAbout(note.QueueID)) != 0 {
		t.Errorf("the bounce is about %s, the mail is %s", note.About, m.QueueID)
	}
	if again, ok := c.Ledger().Notification(strings.ToLower(note.QueueID)); !ok || again.QueueID != note.QueueID {
		t.Errorf("no notification %s", note.QueueID)
	}
	if _, ok := c.Ledger().Notification(c.Ledger().Mails()[0].QueueID); ok {
		t.Error("a mail is no notification")
	}
}

// Advancing wakes what waits by the system's clock no later than it would have been.
func TestAdvanceAndWait(t *testing.T) {
	bubble(t, mxtest.Config{}, func(t *testing.T, c *mxtest.Cluster, s func(to ...string) mxtest.Mail) {
		c.Destination("slow.test").Tarpit(time.Hour)
		s("u@slow.test")
		c.Advance(59 * time.Minute)
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if n := c.Ledger().Counts(); n.Delivered != 0 {
			t.Error("a second early")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := c.Ledger().Counts(); n.Delivered != 1 {
			t.Errorf("after an hour: got %+v", n)
		}
		c.Primary(0).Stop()
		c.Advance(time.Hour) // with a relay that does nothing
		r := &recorder{TB: t}
		d := mxtest.NewCluster(r, mxtest.Config{Memory: true})
		if got := r.attempt(func() { d.Advance(-1) }); !strings.Contains(got, "does not run backwards") {
			t.Errorf("got %q", got)
		}
	})
}

func TestSearch(t *testing.T) {
	bubble(t, mxtest.Config{}, func(t *testing.T, c *mxtest.Cluster, s func(to ...string) mxtest.Mail) {
		c.Destination("no.test").Reject(mxtest.AtRcpt, "550 5.1.1 no")
		c.Destination("full.test").Reject(mxtest.AtRcpt, "452 4.2.2 full")
		first := s("jane@example.test")
		time.Sleep(time.Minute)
		second := s("bob@no.test", "BOB@example.test")
		third := s("carl@full.test")
		ids := map[string]string{first.QueueID: "1", second.QueueID: "2", third.QueueID: "3"}
		third, _ = c.Ledger().Mail(third.QueueID)
		atGraveyard := third.Recipients[0].Way[1].QueueID
		for _, tt := range []struct {
			name string
			q    mxtest.Query
			want string
		}{
			{"all", mxtest.Query{}, "321"},
			{"limit", mxtest.Query{Limit: 2}, "32"},
			{"after", mxtest.Query{After: first.Accepted}, "32"},
			{"recipient", mxtest.Query{Recipient: " Bob@"}, "2"},
			{"place", mxtest.Query{Place: mxtest.Bounced}, "2"},
			{"recipient in a place", mxtest.Query{Recipient: "bob@no", Place: mxtest.Delivered}, ""},
			{"subject", mxtest.Query{Subject: "ORDER", Recipient: "jane"}, "1"},
			{"other subject", mxtest.Query{Subject: "invoice"}, ""},
			{"return path", mxtest.Query{ReturnPath: "b@app.test"}, "321"},
			{"message id", mxtest.Query{MessageID: "<ii@app.test>"}, "2"},
			{"queue id at a graveyard", mxtest.Query{QueueID: strings.ToLower(atGraveyard)}, "3"},
			{"text in a recipient", mxtest.Query{Text: "carl"}, "3"},
			{"text in a subject", mxtest.Query{Text: "your ORDER"}, "321"},
			{"text in a queue id", mxtest.Query{Text: atGraveyard}, "3"},
			{"text and field", mxtest.Query{Text: "order", Recipient: "jane"}, "1"},
			{"text nowhere", mxtest.Query{Text: "dave"}, ""},
		} {
			var got string
			for _, m := range c.Ledger().Search(tt.q) {
				got += ids[m.QueueID]
				if m.Content != nil || m.Subject != "Your order" {
					t.Errorf("%s: got subject %q, %d octets of content", tt.name, m.Subject, len(m.Content))
				}
			}
			if got != tt.want {
				t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
			}
		}
		if _, ok := c.Ledger().Mail(""); ok {
			t.Error("found a mail without queue id")
		}
		for domain, want := range map[string]mxtest.DestinationCounts{
			"example.test": {Delivered: 2}, "No.Test.": {Bounced: 1}, "full.test": {Deferred: 1}, "never.test": {},
		} {
			if got := c.Ledger().DestinationCounts(domain); got != want {
				t.Errorf("%s: got %+v, want %+v", domain, got, want)
			}
		}
		var names []string
		for _, d := range c.Destinations() {
			names = append(names, d.Domain())
		}
		if got := strings.Join(names, " "); got != "no.test full.test example.test" {
			t.Errorf("destinations: got %s", got)
		}
		if got := fmt.Sprint(c.Destination("no.test").Rules()[0].Do); got != "550 5.1.1 no at RCPT TO" {
			t.Errorf("rule: got %q", got)
		}
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
		r := c.Primary(0)
		w := dialWire(t, c, r)
		w.say("EHLO a\nMAIL FROM:<>\nRCPT TO:<a@x.test>\n", 4)
		r.SetLimits(mxtest.Limits{Idle: time.Hour})
		r.Inject(mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtRcpt, Reply: "450 4.7.1 no", Times: 3}, mxtest.CutAfterDot(true), mxtest.RefuseClient())
		w.say("RCPT TO:<b@x.test>\n", 1)
		s := r.Status()
		if s.State != mxtest.Running || s.Sessions != 1 || s.Waiting != 0 || s.Transactions != 1 || s.Limits.Idle != time.Hour {
			t.Errorf("got %+v", s)
		}
		want := "[Answer 450 4.7.1 no at RCPT TO, 2 times Cut at end of DATA, the mail kept Answer 554 5.7.1 <client>: Relay access denied at RCPT TO, always]"
		if got := fmt.Sprint(s.Faults); got != want {
			t.Errorf("faults: got %s, want %s", got, want)
		}
		w.say("RSET\n", 1)
		if n := r.Status().Transactions; n != 0 {
			t.Errorf("%d transactions after RSET", n)
		}
		for _, tt := range []struct {
			do   func()
			want mxtest.State
		}{{r.Stop, mxtest.Stopped}, {r.Start, mxtest.Running}, {r.BlackHole, mxtest.BlackHoled}, {r.Start, mxtest.Running}} {
			if tt.do(); r.Status().State != tt.want {
				t.Errorf("got %v, want %v", r.Status().State, tt.want)
			}
		}
		if r.Graveyard() || !c.Graveyard(0).Graveyard() {
			t.Error("which is the graveyard?")
		}
		if mx := c.DNS().MX("MAIL.test."); len(mx) != 2 || mx[0] != (mxtest.MX{Preference: 10, Host: "p1.mail.test"}) {
			t.Errorf("got %v", mx)
		}
	})
}

// The CA is what another program needs to trust the relays.
func TestCA(t *testing.T) {
	c := mxtest.NewCluster(t, mxtest.Config{})
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(c.CA()) {
		t.Fatal("no certificate in CA")
	}
	s, err := smtp.Dial(c.Primary(1).ListenAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.StartTLS(&tls.Config{RootCAs: pool, ServerName: "p2.mail.test"}); err != nil {
		t.Error(err)
	}
}

// An outage of days, and what the application hears of it, in a test that takes no time.
func ExampleCluster_Advance() {
	cluster, err := mxtest.Start(mxtest.Config{})
	if err != nil {
		panic(err)
	}
	defer cluster.Close()
	sender := newSender(cluster)
	defer sender.Close()

	cluster.Destination("down.test").Refuse()
	if _, err := sender.Send(context.Background(), order("jane@down.test")); err != nil {
		panic(err)
	}
	cluster.WaitIdle(context.Background())
	for range 3 {
		cluster.Advance(2 * 24 * time.Hour)
		jane := cluster.Ledger().FindRecipient("jane@down.test")[0].Recipients[0]
		fmt.Println(jane.Place)
	}
	// Output:
	// deferred
	// deferred
	// bounced
}

package mxtest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// outcomes is what a primary of Postfix 3.7.11 does, by what the destination does: F handed to a graveyard, B bounced at once,
// D deferred in its own queue, S sent; and the status that the mail then has at the graveyard.
var outcomes = []struct {
	name     string
	do       mxtest.Behaviour
	up, down string // with the graveyards up, and both down
	status   string
}{
	{"accepts", mxtest.Accept(), "S", "S", "2.0.0"},
	{"421 at connect", mxtest.Reject(mxtest.AtGreeting, "421 4.3.2 Service shutting down"), "F", "D", "4.3.2"},
	{"554 greeting", mxtest.Reject(mxtest.AtGreeting, "554 5.7.1 No service here"), "F", "D", "4.7.1"},
	{"450 at MAIL", mxtest.Reject(mxtest.AtMail, "450 4.7.1 Sender refused for now"), "F", "D", "4.7.1"},
	{"451 at RCPT", mxtest.Reject(mxtest.AtRcpt, "451 4.7.1 Greylisted"), "F", "D", "4.7.1"},
	{"421 at RCPT", mxtest.Reject(mxtest.AtRcpt, "421 4.7.0 Too much mail"), "F", "D", "4.7.0"},
	{"451 at DATA", mxtest.Reject(mxtest.AtData, "451 4.3.0 Try later"), "F", "D", "4.3.0"},
	{"452 after the dot", mxtest.Reject(mxtest.AtDot, "452 4.3.1 Out of space"), "F", "D", "4.3.1"},
	{"connection refused", mxtest.Refuse(), "F", "D", "4.4.1"},
	{"silent", mxtest.Silence(), "F", "D", "4.4.2"},
	{"dropped in DATA", mxtest.Drop(mxtest.AtContent), "F", "D", "4.4.2"},
	{"dropped after the dot", mxtest.Drop(mxtest.AtDot), "F", "D", "4.4.2"},
	{"550 at MAIL", mxtest.Reject(mxtest.AtMail, "550 5.1.8 Sender unknown"), "B", "B", "5.1.8"},
	{"550 at RCPT", mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 No such user"), "B", "B", "5.1.1"},
	{"554 after the dot", mxtest.Reject(mxtest.AtDot, "554 5.7.1 Spam"), "B", "B", "5.7.1"},
	{"DNS SERVFAIL", mxtest.ServFail(), "F", "D", "4.4.3"},
	{"null MX", mxtest.NullMX(), "FB", "D", "5.1.0"},
	{"NXDOMAIN", mxtest.NXDomain(), "FB", "D", "5.4.4"},
	{"greylist", mxtest.Greylist(20 * time.Second), "F", "D", "4.7.1"},
}

func TestOutcomeTable(t *testing.T) {
	for _, up := range []int{2, 1, 0} {
		for _, tt := range outcomes {
			name := tt.name + "/" + []string{"no graveyard", "one graveyard", "both graveyards"}[up]
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					testOutcome(t, tt.do, up, map[bool]string{true: tt.up, false: tt.down}[up > 0], tt.status)
				})
			})
		}
	}
}

func testOutcome(t *testing.T, do mxtest.Behaviour, up int, want, status string) {
	c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
	for i := range 2 - up {
		c.Graveyard(i).Stop()
	}
	c.Destination("x.test").Script(mxtest.Rule{Do: do})
	s := client(t, c, c.Primary(0))
	if err := send(s, "b@app.test", mail("m", "u@x.test"), "u@x.test"); err != nil {
		t.Fatal(err)
	}
	idle := func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		if err := c.WaitIdle(ctx); err != nil {
			t.Fatal(err)
		}
	}
	idle()
	to := c.Ledger().Find("m@app.test")[0].Recipients[0]
	got := map[mxtest.Place]string{mxtest.Delivered: "S", mxtest.Bounced: "B", mxtest.Deferred: "D"}[to.Place]
	if strings.HasPrefix(to.Relay, "g") {
		got = strings.TrimSuffix("F"+got, "D")
		if wantRelay := []string{"", "g2.mail.test", "g1.mail.test"}[up]; to.Relay != wantRelay {
			t.Errorf("handed to %s, want %s", to.Relay, wantRelay)
		}
	} else if to.Relay != "p1.mail.test" {
		t.Errorf("at %s, want p1.mail.test", to.Relay)
	}
	if got != want {
		t.Errorf("got %s (%s), want %s", got, to.Reply, want)
	}
	if want == "D" {
		status = "4.4.1" // what the last fallback did: it refused the connection
	}
	if to.Status != status {
		t.Errorf("got status %s (%s), want %s", to.Status, to.Reply, status)
	}
	c.Ledger().AssertNothingLost(t)
	if n := c.Ledger().Counts().Notifications; (n == 1) != strings.HasSuffix(want, "B") {
		t.Errorf("got %d notifications", n)
	}
}

func bubble(t *testing.T, cfg mxtest.Config, f func(t *testing.T, c *mxtest.Cluster, s func(to ...string) mxtest.Mail)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.Memory = true
		c := mxtest.NewCluster(t, cfg)
		n := 0
		f(t, c, func(to ...string) mxtest.Mail {
			n++
			id := strings.Repeat("i", n)
			session := client(t, c, c.Primary(0))
			if err := send(session, "b@app.test", mail(id, to...), to...); err != nil {
				t.Fatal(err)
			}
			session.Quit()
			synctest.Wait()
			return c.Ledger().Find(id + "@app.test")[0]
		})
	})
}

// first is a mail's first recipient as of now.
func first(c *mxtest.Cluster, m mxtest.Mail) mxtest.Recipient {
	return c.Ledger().Find(m.MessageID)[0].Recipients[0]
}

// A graveyard that refuses for good what it is handed makes the primary bounce.
func TestFallbackRefusal(t *testing.T) {
	bubble(t, mxtest.Config{}, func(t *testing.T, c *mxtest.Cluster, send func(...string) mxtest.Mail) {
		c.Destination("grey.test").Do(mxtest.Greylist(time.Minute))
		c.Graveyard(0).Inject(mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtRcpt, Reply: "550 5.7.1 relay access denied", Times: mxtest.Always})
		to := send("u@grey.test").Recipients[0]
		if to.Place != mxtest.Bounced || to.Relay != "p1.mail.test" || !strings.Contains(to.Reply, "g1.mail.test") || to.Status != "5.7.1" {
			t.Errorf("got %+v, want it bounced by p1 with the words of g1", to)
		}
	})
}

// The graveyard is on another network than the primary, and so greylisted anew; then the mail is sent.
func TestGreylisting(t *testing.T) {
	bubble(t, mxtest.Config{}, func(t *testing.T, c *mxtest.Cluster, send func(...string) mxtest.Mail) {
		c.Destination("grey.test").Do(mxtest.Greylist(4 * time.Minute))
		m := send("u@grey.test")
		if to := m.Recipients[0]; to.Place != mxtest.Deferred || to.Relay != "g1.mail.test" || to.Attempts != 2 {
			t.Errorf("got %+v", to)
		}
		time.Sleep(10 * time.Minute)
		if to := first(c, m); to.Place != mxtest.Delivered || to.Attempts != 3 {
			t.Errorf("got %+v, want it delivered at the third attempt", to)
		}
	})
}

func TestSecondHostTakesIt(t *testing.T) {
	bubble(t, mxtest.Config{}, func(t *testing.T, c *mxtest.Cluster, send func(...string) mxtest.Mail) {
		c.Destination("two.test").Script(
			mxtest.Rule{Host: 1, Do: mxtest.Reject(mxtest.AtRcpt, "451 4.3.0 not here")},
			mxtest.Rule{Host: 2, Do: mxtest.Accept()},
		)
		if to := send("u@two.test").Recipients[0]; to.Place != mxtest.Delivered || to.Relay != "p1.mail.test" {
			t.Errorf("got %+v", to)
		}
	})
}

// After both graveyards were down, the primary's own retry tries the destination first.
func TestPrimaryRetriesDestinationFirst(t *testing.T) {
	bubble(t, mxtest.Config{}, func(t *testing.T, c *mxtest.Cluster, send func(...string) mxtest.Mail) {
		c.Destination("once.test").Script(mxtest.Rule{Last: 1, Do: mxtest.Reject(mxtest.AtRcpt, "450 4.2.0 later")})
		c.Graveyard(0).Stop()
		c.Graveyard(1).BlackHole()
		m := send("u@once.test")
		time.Sleep(time.Minute) // for the black hole
		if to := first(c, m); to.Place != mxtest.Deferred || to.Relay != "p1.mail.test" {
			t.Errorf("got %+v", to)
		}
		c.Graveyard(0).Start()
		time.Sleep(11 * time.Minute)
		if to := first(c, m); to.Place != mxtest.Delivered || to.Relay != "p1.mail.test" {
			t.Errorf("got %+v", to)
		}
	})
}

func TestFallbackByNameIsShared(t *testing.T) {
	cfg := mxtest.Config{Relay: func(name string) mxtest.RelayConfig {
		if name == "p1.mail.test" {
			return mxtest.RelayConfig{SMTPFallbackRelay: []string{"graveyard.mail.test"}}
		}
		return mxtest.RelayConfig{}
	}}
	bubble(t, cfg, func(t *testing.T, c *mxtest.Cluster, send func(...string) mxtest.Mail) {
		c.DNS().SetMX("graveyard.mail.test", mxtest.MX{Preference: 5, Host: "g1.mail.test"}, mxtest.MX{Preference: 5, Host: "g2.mail.test"})
		c.Destination("down.test").Do(mxtest.Reject(mxtest.AtMail, "450 4.0.0 no"))
		got := map[string]int{}
		for range 60 {
			got[send("u@down.test").Recipients[0].Relay]++
		}
		if got["g1.mail.test"] < 10 || got["g2.mail.test"] < 10 || got["g1.mail.test"]+got["g2.mail.test"] != 60 {
			t.Errorf("got %v, want both graveyards with a share", got)
		}
	})
}

// While all delivery processes wait for hosts that say nothing, only mail with a transport of its own gets through: known by the
// domain of its return path, or one below it. Both transports find the same destination.
func TestSenderTransport(t *testing.T) {
	cfg := mxtest.Config{Relay: func(string) mxtest.RelayConfig {
		return mxtest.RelayConfig{
			Transports:       map[string]mxtest.TransportConfig{"smtp": {ProcessLimit: 3}, "trans": {}},
			SenderTransports: map[string]string{"tx.test": "trans"},
		}
	}}
	bubble(t, cfg, func(t *testing.T, c *mxtest.Cluster, dead func(...string) mxtest.Mail) {
		for i := range 10 {
			c.Destination(fmt.Sprintf("silent%d.test", i)).Do(mxtest.Silence())
			dead(fmt.Sprintf("u@silent%d.test", i))
		}
		for returnPath, want := range map[string]mxtest.Place{"b@app.test": mxtest.Queued, "b@Tx.Test": mxtest.Delivered, "b@eu.tx.test": mxtest.Delivered, "b@notx.test": mxtest.Queued, "": mxtest.Queued} {
			id := fmt.Sprintf("%x", returnPath)
			session := client(t, c, c.Primary(0))
			if err := send(session, returnPath, mail(id, "u@good.test"), "u@good.test"); err != nil {
				t.Fatal(err)
			}
			session.Quit()
			synctest.Wait()
			if to := c.Ledger().Find(id + "@app.test")[0].Recipients[0]; to.Place != want {
				t.Errorf("%q: got %+v, want %v", returnPath, to, want)
			}
		}
		time.Sleep(time.Hour)
		if n := len(c.Ledger().Deliveries("good.test")); n != 5 {
			t.Errorf("got %d deliveries in the end, want 5", n)
		}
	})
}

func TestDelayWarning(t *testing.T) {
	cfg := mxtest.Config{Relay: func(string) mxtest.RelayConfig { return mxtest.RelayConfig{DelayWarningTime: 4 * time.Hour} }}
	bubble(t, cfg, func(t *testing.T, c *mxtest.Cluster, send func(...string) mxtest.Mail) {
		c.Destination("down.test").Do(mxtest.Refuse())
		send("u@down.test")
		time.Sleep(24 * time.Hour)
		notes := c.Ledger().Notifications()
		if len(notes) != 1 || notes[0].Action != "delayed" {
			t.Fatalf("got %+v, want one warning", notes)
		}
		text := string(notes[0].Content)
		for _, want := range []string{"Subject: Delayed Mail (still being retried)\r\n", "Action: delayed\r\n", "Will-Retry-Until: Thu,  6 Jan 2000 00:00:00 +0000 (UTC)\r\n",
			"more than 4 hour(s)", "until it is 5 day(s) old", "Content-Type: message/global-headers\r\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("the warning lacks %q:\n%s", want, text)
			}
		}
		if strings.Contains(text, "Hello,") {
			t.Error("the warning quotes the body")
		}
	})
}

func TestWipedDiskIsALoss(t *testing.T) {
	bubble(t, mxtest.Config{}, func(t *testing.T, c *mxtest.Cluster, send func(...string) mxtest.Mail) {
		c.Destination("down.test").Do(mxtest.Refuse())
		m := send("u@down.test")
		c.Graveyard(0).Wipe()
		if to := first(c, m); to.Place != mxtest.Lost {
			t.Errorf("got %+v", to)
		}
		if got := c.Ledger().Counts(); got.Lost != 1 || got.Deferred != 0 {
			t.Errorf("got %+v", got)
		}
		if q := c.Graveyard(0).Queues(); q != (mxtest.Queues{}) {
			t.Errorf("got %+v", q)
		}
	})
}

func TestFlushAndReset(t *testing.T) {
	bubble(t, mxtest.Config{}, func(t *testing.T, c *mxtest.Cluster, send func(...string) mxtest.Mail) {
		d := c.Destination("down.test").Do(mxtest.Refuse())
		m := send("u@down.test")
		d.Reset()
		c.Graveyard(0).Flush()
		synctest.Wait()
		if to := first(c, m); to.Place != mxtest.Delivered {
			t.Errorf("got %+v", to)
		}
	})
}

func TestDuplicatesByMessageID(t *testing.T) {
	bubble(t, mxtest.Config{}, func(t *testing.T, c *mxtest.Cluster, _ func(...string) mxtest.Mail) {
		for i := range 2 {
			if err := send(client(t, c, c.Primary(i)), "b@app.test", mail("same", "u@x.test"), "u@x.test"); err != nil {
				t.Fatal(err)
			}
		}
		if got := c.Ledger().Counts().Duplicates; got != 1 {
			t.Errorf("got %d duplicates, want 1", got)
		}
		if got := len(c.Ledger().Find("<same@app.test>")); got != 2 {
			t.Errorf("got %d mails, want 2", got)
		}
	})
}

// What a stopped relay was doing comes to be when it is started again.
func TestStoppedRelayDeliversNothing(t *testing.T) {
	bubble(t, mxtest.Config{}, func(t *testing.T, c *mxtest.Cluster, send func(...string) mxtest.Mail) {
		c.Destination("slow.test").Do(mxtest.Tarpit(time.Minute))
		m := send("u@slow.test")
		c.Primary(0).Stop()
		if err := c.WaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if to := first(c, m); to.Place != mxtest.Queued {
			t.Errorf("stopped: got %+v", to)
		}
		c.Primary(0).Start()
		if to := first(c, m); to.Place != mxtest.Delivered {
			t.Errorf("started: got %+v", to)
		}
	})
}

// Mail for a destination that was found dead is deferred without an attempt, for the reason why it is dead.
func TestDeadDestination(t *testing.T) {
	bubble(t, mxtest.Config{Graveyards: mxtest.NoGraveyards}, func(t *testing.T, c *mxtest.Cluster, send func(...string) mxtest.Mail) {
		c.Destination("dead.test").Do(mxtest.Silence())
		to := make([]string, 60) // two deliveries of 50 recipients and of 10
		for i := range to {
			to[i] = strings.Repeat("u", i+1) + "@dead.test"
		}
		for range 6 {
			send(to...)
		}
		time.Sleep(6 * time.Minute) // the first deliveries have failed after five
		tried, untried := 0, 0
		last := send(to...)
		for _, r := range last.Recipients {
			if r.Place != mxtest.Deferred || r.Status != "4.4.2" || r.Next.IsZero() {
				t.Fatalf("got %+v", r)
			}
			if r.Attempts == 0 {
				untried++
			} else {
				tried++
			}
		}
		if untried != 60 {
			t.Errorf("%d recipients of a dead destination were tried, %d not", tried, untried)
		}
	})
}

func TestWaitIdleSaysWhatIsLeft(t *testing.T) {
	bubble(t, mxtest.Config{}, func(t *testing.T, c *mxtest.Cluster, send func(...string) mxtest.Mail) {
		c.Destination("slow.test").Do(mxtest.Tarpit(time.Hour))
		send("u@slow.test")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.WaitIdle(ctx); err == nil || !strings.Contains(err.Error(), "p1.mail.test: 0 incoming, 1 active") {
			t.Errorf("got %v", err)
		}
	})
}

// The short forms of a script.
func TestShortScripts(t *testing.T) {
	for _, tt := range []struct {
		name, status string
		script       func(*mxtest.Destination)
	}{
		{"null MX", "5.1.0", func(d *mxtest.Destination) { d.Do(mxtest.NullMX()) }},
		{"NXDOMAIN", "5.4.4", func(d *mxtest.Destination) { d.Do(mxtest.NXDomain()) }},
		{"SERVFAIL", "4.4.3", func(d *mxtest.Destination) { d.Do(mxtest.ServFail()) }},
		{"silence", "4.4.2", func(d *mxtest.Destination) { d.Do(mxtest.Silence()) }},
		{"drop", "4.4.2", func(d *mxtest.Destination) { d.Do(mxtest.Drop(mxtest.AtData)) }},
		{"reject with an exception", "2.0.0", func(d *mxtest.Destination) { d.Do(mxtest.Reject(mxtest.AtRcpt, "550 no")).Do(mxtest.Accept(), "u") }},
		{"no enhanced status code", "5.0.0", func(d *mxtest.Destination) { d.Do(mxtest.Reject(mxtest.AtRcpt, "550 no")) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, mxtest.Config{Graveyards: mxtest.NoGraveyards}, func(t *testing.T, c *mxtest.Cluster, send func(...string) mxtest.Mail) {
				tt.script(c.Destination("x.test"))
				m := send("u@x.test")
				time.Sleep(10 * time.Minute) // for the silence
				if to := first(c, m); to.Status != tt.status {
					t.Errorf("got %+v, want status %s", to, tt.status)
				}
			})
		})
	}
}

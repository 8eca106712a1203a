package mxtest_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// What a client asks for with DSN (RFC 3461), and what comes of it.
func TestNotificationParameters(t *testing.T) {
	for _, tt := range []struct {
		name, mail, rcpt string
		to               string
		want             string // action and form of each notification
		discarded        int
	}{
		{"none", "", "", "u@no.test", "failed message/rfc822", 0},
		{"RET=HDRS", " RET=HDRS", "", "u@no.test", "failed text/rfc822-headers", 0},
		{"RET=FULL", " RET=FULL", "", "u@no.test", "failed message/rfc822", 0},
		{"SMTPUTF8", " SMTPUTF8", "", "u@no.test", "failed message/global", 0},
		{"NOTIFY=NEVER", "", " NOTIFY=NEVER", "u@no.test", "", 1},
		{"NOTIFY=FAILURE", "", " NOTIFY=FAILURE", "u@no.test", "failed message/rfc822", 0},
		{"NOTIFY=DELAY", "", " NOTIFY=DELAY", "u@no.test", "", 1},
		{"NOTIFY=SUCCESS, refused", "", " NOTIFY=SUCCESS", "u@no.test", "", 1},
		{"NOTIFY=SUCCESS", "", " NOTIFY=SUCCESS,FAILURE", "u@x.test", "relayed text/rfc822-headers", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
				c.Destination("no.test").Do(mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 no such user"))
				w := dialWire(t, c, c.Primary(0))
				got := w.say("EHLO a\nMAIL FROM:<b@app.test>"+tt.mail+"\nRCPT TO:<"+tt.to+">"+tt.rcpt+"\nDATA\n", 5)
				if !strings.HasPrefix(got[4], "354") {
					t.Fatalf("got %q", got)
				}
				w.say(content, 1)
				synctest.Wait()
				var made []string
				for _, n := range c.Ledger().Notifications() {
					text := string(n.Content)
					_, last, _ := cutLastString(text, "Content-Type: ")
					form, _, _ := strings.Cut(last, "\r\n")
					made = append(made, n.Action+" "+form)
				}
				if got := strings.Join(made, "|"); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				if n := c.Ledger().Counts().Discarded; n != tt.discarded {
					t.Errorf("nobody was told of %d, want %d", n, tt.discarded)
				}
			})
		})
	}
}

func cutLastString(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func TestNotificationEchoesEnvelope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
		c.Destination("no.test").Do(mxtest.Reject(mxtest.AtDot, "554 5.7.1 spam"))
		w := dialWire(t, c, c.Primary(0))
		w.say("EHLO a\nMAIL FROM:<b@app.test> ENVID=QQ+2B314159\nRCPT TO:<u@no.test> ORCPT=rfc822;old+2Bname@no.test\nRCPT TO:<v@no.test>\nDATA\n", 6)
		w.say(content, 1)
		synctest.Wait()
		notes := c.Ledger().Notifications()
		if len(notes) != 1 || len(notes[0].Recipients) != 2 {
			t.Fatalf("got %d notifications, want one with two recipients", len(notes))
		}
		for _, want := range []string{"Original-Envelope-Id: QQ+314159\r\n", "Original-Recipient: rfc822;old+name@no.test\r\n", "Final-Recipient: rfc822; v@no.test\r\n",
			"said: 554 5.7.1 spam (in reply to\r\n    end of DATA command)", "\r\nReturn-Path: <b@app.test>\r\nReceived: from a (unknown [127.0.0.1])\r\n\tby p1.mail.test (Postfix) with ESMTP id "} {
			if !strings.Contains(string(notes[0].Content), want) {
				t.Errorf("the notification lacks %q:\n%s", want, notes[0].Content)
			}
		}
		if got := c.Ledger().Mails()[0].EnvelopeID; got != "QQ+314159" {
			t.Errorf("got ENVID %q", got)
		}
	})
}

// A mail with the null return path that bounces is told to nobody.
func TestNullReturnPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
		c.Destination("no.test").Do(mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 no such user"))
		w := dialWire(t, c, c.Primary(0))
		w.say("EHLO a\nMAIL FROM:<>\nRCPT TO:<u@no.test>\nDATA\n", 5)
		w.say(content, 1)
		synctest.Wait()
		if got := c.Ledger().Counts(); got.Notifications != 0 || got.Discarded != 1 || got.Bounced != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestBadCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
		w := dialWire(t, c, c.Primary(0))
		w.say("", 1)
		for _, tt := range []struct{ say, want string }{
			{"MAIL FROM:<a@b.test>\n", "503 5.5.1 Error: send HELO/EHLO first"},
			{"EHLO\n", "501 Syntax: EHLO hostname"},
			{"EHLO a\n", "250 SMTPUTF8"},
			{"RCPT TO:<a@b.test>\n", "503 5.5.1 Error: need MAIL command"},
			{"DATA\n", "503 5.5.1 Error: need RCPT command"},
			{"MAIL FROM:a@b.test\n", "501 5.1.7 Bad sender address syntax"},
			{"MAIL FROM:<a@b.test> BODY=x\n", "501 5.5.4 Error: bad BODY value"},
			{"MAIL FROM:<a@b.test> X=y\n", "555 5.5.4 Unsupported option: X"},
			{"MAIL FROM:<a@b.test> SIZE=x\n", "501 5.5.4 Bad message size syntax"},
			{"MAIL FROM:<a@b.test> RET=x\n", "501 5.5.4 Bad RET parameter syntax"},
			{"MAIL FROM:<a@b.test> ENVID=+\n", "501 5.5.4 Bad ENVID parameter syntax"},
			{"MAIL FROM:<a@b.test> BODY=8BITMIME SIZE=10\n", "250 2.1.0 Ok"},
			{"MAIL FROM:<a@b.test>\n", "503 5.5.1 Error: nested MAIL command"},
			{"DATA\n", "554 5.5.1 Error: no valid recipients"},
			{"RCPT TO:<nobody>\n", "501 5.1.3 Bad recipient address syntax"},
			{"RCPT TO:<a@b.test> NOTIFY=NEVER,SUCCESS\n", "501 5.5.4 Bad NOTIFY parameter syntax"},
			{"RCPT TO:<a@b.test> ORCPT=x\n", "501 5.5.4 Bad ORCPT parameter syntax"},
			{"VRFY a\n", "252 2.0.0 Cannot VRFY"},
			{"ETRN a\n", "458 4.3.0 Unable to queue messages"},
			{"AUTH PLAIN x\n", "503 5.5.1 Error: authentication not enabled"},
			{"STARTTLS now\n", "501 5.5.4 Syntax: STARTTLS"},
			{"\n", "500 5.5.2 Error: command not recognized"},
			{strings.Repeat("x", 5000) + "\n", "500 5.5.2 Error: line too long"},
			{"HELO a\n", "250 p1.mail.test"},
			{"QUIT\n", "221 2.0.0 Bye"},
		} {
			if got := w.say(tt.say, 1); got[0] != tt.want {
				t.Errorf("%.40q: got %q, want %q", tt.say, got[0], tt.want)
			}
		}
		w = dialWire(t, c, c.Primary(0))
		w.say("", 1)
		io.WriteString(w.conn, strings.Repeat("NOOP\r\n", 101))
		if got := w.say("", 102); got[len(got)-1] != "EOF" || !strings.HasPrefix(got[len(got)-2], "421 4.7.0") {
			t.Errorf("after 101 NOOPs: got %q", got[max(0, len(got)-2):])
		}
	})
}

// A rule can be for a time.
func TestRuleInTime(t *testing.T) {
	bubble(t, mxtest.Config{}, func(t *testing.T, c *mxtest.Cluster, send func(...string) mxtest.Mail) {
		c.Destination("night.test").Script(mxtest.Rule{After: time.Hour, Until: 2 * time.Hour, Do: mxtest.Reject(mxtest.AtRcpt, "550 5.7.0 closed")})
		var got []mxtest.Place
		for range 3 {
			got = append(got, send("u@night.test").Recipients[0].Place)
			time.Sleep(time.Hour)
		}
		if want := []mxtest.Place{mxtest.Delivered, mxtest.Bounced, mxtest.Delivered}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// A transport of its own keeps a slow destination from holding up the others.
func TestTransports(t *testing.T) {
	for _, own := range []bool{false, true} {
		t.Run(fmt.Sprintf("own transport %v", own), func(t *testing.T) {
			cfg := mxtest.Config{Graveyards: mxtest.NoGraveyards, Relay: func(string) mxtest.RelayConfig {
				r := mxtest.RelayConfig{DefaultProcessLimit: 2, Transports: map[string]mxtest.TransportConfig{"slow": {ProcessLimit: 1}}}
				if own {
					r.TransportMaps = map[string]string{"slow.test": "slow"}
				}
				return r
			}}
			bubble(t, cfg, func(t *testing.T, c *mxtest.Cluster, send func(...string) mxtest.Mail) {
				c.Destination("slow.test").Do(mxtest.Tarpit(time.Minute))
				for range 4 {
					send("u@slow.test")
				}
				began := time.Now()
				m := send("jane@x.test")
				if err := c.Ledger().WaitDelivered(t.Context(), "jane@x.test"); err != nil {
					t.Fatal(err)
				}
				waited := first(c, m).Done.Sub(began)
				if own && waited > time.Second || !own && waited < time.Minute {
					t.Errorf("waited %v", waited)
				}
			})
		})
	}
}

// Where the receiver of notifications refuses one for good, it is gone; where there is none, it waits.
func TestHandover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mxtest.NewCluster(t, mxtest.Config{Memory: true, Bounces: "lmtp:10.1.0.1:24"})
		c.Destination("no.test").Do(mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 no such user"))
		s := client(t, c, c.Primary(0))
		if err := send(s, "b@app.test", mail("x", "u@no.test"), "u@no.test"); err != nil {
			t.Fatal(err)
		}
		s.Quit()
		time.Sleep(time.Hour)
		if got := c.Ledger().Counts(); got.NotificationsWaiting != 1 || got.NotificationsDelivered != 0 {
			t.Errorf("with nobody there: got %+v", got)
		}
		l, err := c.Listen("tcp", "10.1.0.1:24")
		if err != nil {
			t.Fatal(err)
		}
		b := &bounces{}
		serveBounces(t, b, l)
		time.Sleep(2 * time.Hour)
		if got := c.Ledger().Counts(); got.NotificationsWaiting != 0 || got.NotificationsDelivered != 1 || len(b.mail) != 1 {
			t.Errorf("with somebody there: got %+v and %d mails", got, len(b.mail))
		}
	})
}

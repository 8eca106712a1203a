package mxtest_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// wire is a session by hand.
type wire struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func dialWire(t *testing.T, c *mxtest.Cluster, r *mxtest.Relay) *wire {
	t.Helper()
	conn, err := c.Dial(context.Background(), "tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &wire{t, conn, bufio.NewReader(conn)}
}

// say sends lines and reads as many replies; each is the last line of one, or the error's text.
func (w *wire) say(lines string, replies int) []string {
	if lines != "" {
		io.WriteString(w.conn, strings.ReplaceAll(lines, "\n", "\r\n"))
	}
	var got []string
	for range replies {
		for {
			line, err := w.r.ReadString('\n')
			if err != nil {
				kind := "error"
				if errors.Is(err, io.EOF) {
					kind = "EOF"
				}
				got = append(got, strings.TrimSpace(line+" "+kind))
				return got
			}
			if len(line) < 4 || line[3] != '-' {
				got = append(got, strings.TrimSpace(line))
				break
			}
		}
	}
	return got
}

const envelope = "MAIL FROM:<b@app.test>\nRCPT TO:<u@x.test>\nDATA\n"
const content = "Message-ID: <w@app.test>\n\nhello\n.\n"

func TestFaultKinds(t *testing.T) {
	type step struct {
		say     string
		replies int
		want    string
	}
	for _, tt := range []struct {
		name  string
		fault mxtest.Fault
		steps []step
		mails int
	}{
		{"greeting 421", mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtGreeting, Reply: "421 4.3.2 busy"}, []step{{"", 2, "421 4.3.2 busy|EOF"}}, 0},
		{"greeting 554", mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtGreeting, Reply: "554 5.7.1 go away"}, []step{{"", 2, "554 5.7.1 go away|EOF"}}, 0},
		{"no greeting", mxtest.Fault{Kind: mxtest.Cut, At: mxtest.AtGreeting}, []step{{"", 1, "EOF"}}, 0},
		{"garbage greeting", mxtest.Fault{Kind: mxtest.Raw, At: mxtest.AtGreeting, Reply: "SSH 2.0\r\n"}, []step{{"", 1, "SSH 2.0"}}, 0},
		{"EHLO refused", mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtEHLO, Reply: "502 5.5.1 no"}, []step{{"", 1, "220*"}, {"EHLO a\n", 1, "502 5.5.1 no"}, {"HELO a\n", 1, "250 p1.mail.test"}}, 0},
		{"several lines", mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtEHLO, Reply: "250 p1\n250 SIZE 10"}, []step{{"", 1, "220*"}, {"EHLO a\n", 1, "250 SIZE 10"}}, 0},
		{"cut at MAIL", mxtest.Fault{Kind: mxtest.Cut, At: mxtest.AtMail}, []step{{"EHLO a\n", 2, "220*|250*"}, {envelope, 1, "EOF"}}, 0},
		{"refuses us", mxtest.RefuseClient(), []step{{"EHLO a\n", 2, "220*|250*"}, {envelope, 3, "250 2.1.0 Ok|554 5.7.1 <client>: Relay access denied|554 5.5.1 Error: no valid recipients"}}, 0},
		{"one recipient", mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtRcpt, Reply: "450 4.2.0 no", Recipient: "u@x.test", Skip: 1},
			[]step{{"EHLO a\n", 2, "220*|250*"}, {"MAIL FROM:<b@app.test>\nRCPT TO:<u@x.test>\nRCPT TO:<v@x.test>\nRCPT TO:<u@x.test>\nRCPT TO:<u@x.test>\n", 5, "250*|250*|250*|450 4.2.0 no|250*"}}, 0},
		{"250 in place of 354", mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtData, Reply: "250 2.0.0 surprise"}, []step{{"EHLO a\n", 2, "220*|250*"}, {envelope, 3, "250*|250*|250 2.0.0 surprise"}, {"RSET\n", 1, "250*"}}, 0},
		{"cut before the dot", mxtest.CutBeforeDot(), []step{{"EHLO a\n" + envelope, 5, "220*|250*|250*|250*|EOF"}}, 0},
		{"cut amid content", mxtest.Fault{Kind: mxtest.Cut, At: mxtest.AtContent}, []step{{"EHLO a\n" + envelope, 5, "220*|250*|250*|250*|354*"}, {content, 1, "EOF"}}, 0},
		{"421 amid content", mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtContent, Reply: "421 4.3.2 bye"}, []step{{"EHLO a\n" + envelope, 5, "220*|250*|250*|250*|354*"}, {content, 2, "421 4.3.2 bye|EOF"}}, 0},
		{"cut after the dot, kept", mxtest.CutAfterDot(true), []step{{"EHLO a\n" + envelope, 5, "220*|250*|250*|250*|354*"}, {content, 1, "EOF"}}, 1},
		{"cut after the dot, forgotten", mxtest.CutAfterDot(false), []step{{"EHLO a\n" + envelope, 5, "220*|250*|250*|250*|354*"}, {content, 1, "EOF"}}, 0},
		{"reset after the dot", mxtest.Fault{Kind: mxtest.Reset, At: mxtest.AtDot}, []step{{"EHLO a\n" + envelope, 5, "220*|250*|250*|250*|354*"}, {content, 1, "error"}}, 0},
		{"half a reply", mxtest.Fault{Kind: mxtest.RawCut, At: mxtest.AtDot, Reply: "250 2.0.0 Ok: que", Keep: true}, []step{{"EHLO a\n" + envelope, 5, "220*|250*|250*|250*|354*"}, {content, 1, "250 2.0.0 Ok: que EOF"}}, 1},
		{"broken reply", mxtest.Fault{Kind: mxtest.Raw, At: mxtest.AtDot, Reply: "2500 what\r\n"}, []step{{"EHLO a\n" + envelope, 5, "220*|250*|250*|250*|354*"}, {content + "NOOP\n", 2, "2500 what|250 2.0.0 Ok"}}, 1},
		{"452 after the dot", mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtDot, Reply: "452 4.3.1 full"}, []step{{"EHLO a\n" + envelope, 5, "220*|250*|250*|250*|354*"}, {content + envelope, 4, "452 4.3.1 full|250*|250*|354*"}, {content, 1, "250*"}}, 1},
		{"late", mxtest.Fault{Kind: mxtest.Delay, At: mxtest.AtDot, Wait: 4 * time.Minute}, []step{{"EHLO a\n" + envelope, 5, "220*|250*|250*|250*|354*"}, {content, 1, "250*"}}, 1},
		{"an octet at a time", mxtest.Fault{Kind: mxtest.Loris, At: mxtest.AtGreeting, Wait: 10 * time.Second}, []step{{"", 1, "220 p1.mail.test ESMTP Postfix"}}, 0},
		{"closes idle", mxtest.Fault{Kind: mxtest.Cut, At: mxtest.AtIdle}, []step{{"EHLO a\n" + envelope, 5, "220*|250*|250*|250*|354*"}, {content, 2, "250*|EOF"}}, 1},
		{"says 421 unasked", mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtIdle, Reply: "421 4.4.2 idle too long"}, []step{{"EHLO a\n" + envelope, 5, "220*|250*|250*|250*|354*"}, {content, 3, "250*|421 4.4.2 idle too long|EOF"}}, 1},
		{"STARTTLS stripped", mxtest.Fault{Kind: mxtest.TLSStripped}, []step{{"EHLO a\n", 2, "220*|250*"}}, 0},
		{"STARTTLS refused", mxtest.Fault{Kind: mxtest.TLSRefused}, []step{{"EHLO a\nSTARTTLS\n", 3, "220*|250*|454 4.7.0*"}}, 0},
		{"injected behind STARTTLS", mxtest.Fault{Kind: mxtest.TLSInjected}, []step{{"EHLO a\nSTARTTLS\n", 4, "220*|250*|220 2.0.0*|250 2.0.0 injected in clear"}}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := mxtest.NewCluster(t, mxtest.Config{Memory: true, Transcripts: true})
				c.Primary(0).Inject(tt.fault)
				w := dialWire(t, c, c.Primary(0))
				for _, s := range tt.steps {
					got := w.say(s.say, s.replies)
					want := strings.Split(s.want, "|")
					for i := range want {
						prefix, wild := strings.CutSuffix(want[i], "*")
						if i >= len(got) || wild && !strings.HasPrefix(got[i], prefix) || !wild && got[i] != want[i] {
							t.Fatalf("after %q got %q, want %q", s.say, got, want)
						}
					}
				}
				synctest.Wait()
				if got := len(c.Ledger().Mails()); got != tt.mails {
					t.Errorf("got %d mails in the ledger, want %d", got, tt.mails)
				}
			})
		})
	}
}

func TestStallAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
		r := c.Primary(0)
		r.Inject(mxtest.Fault{Kind: mxtest.Stall, At: mxtest.AtMail})
		w := dialWire(t, c, r)
		w.say("EHLO a\n", 2)
		w.conn.SetReadDeadline(time.Now().Add(time.Hour))
		if got := w.say(envelope, 1); got[0] != "error" {
			t.Errorf("got %q from a stalled relay", got)
		}
		if n := r.Sessions(); n != 1 {
			t.Errorf("got %d sessions, want the stalled one", n)
		}
		r.Stop()
		synctest.Wait()
		if n := r.Sessions(); n != 0 {
			t.Errorf("got %d sessions after Stop", n)
		}
		if _, err := c.Dial(t.Context(), "tcp", r.Addr()); err == nil {
			t.Error("a stopped relay took a connection")
		}
		r.Start()
		if got := dialWire(t, c, r).say("", 1); !strings.HasPrefix(got[0], "220") {
			t.Errorf("got %q after Start", got)
		}
	})
}

// The same over TCP, where Stop must free and Start take again a real port.
func TestStopStartBlackHoleTCP(t *testing.T) {
	c := mxtest.NewCluster(t, mxtest.Config{})
	r := c.Primary(1)
	w := dialWire(t, c, r)
	w.say("EHLO a\n", 2)
	r.Stop()
	if got := w.say("NOOP\n", 1); got[0] != "error" && got[0] != "EOF" {
		t.Errorf("got %q from a stopped relay", got)
	}
	if _, err := c.Dial(t.Context(), "tcp", r.Addr()); err == nil {
		t.Error("a stopped relay took a connection")
	}
	r.Start()
	w = dialWire(t, c, r)
	w.say("EHLO a\n", 2)
	r.BlackHole()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Dial(ctx, "tcp", r.Addr()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dialling a black hole: got %v", err)
	}
	w.conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if got := w.say("NOOP\n", 1); got[0] != "error" {
		t.Errorf("got %q from a black hole", got)
	}
	r.Start()
	if got := dialWire(t, c, r).say("", 1); !strings.HasPrefix(got[0], "220") {
		t.Errorf("got %q after Start", got)
	}
}

func TestTLSFaults(t *testing.T) {
	for _, tt := range []struct {
		kind mxtest.FaultKind
		want func(error) bool
	}{
		{mxtest.TLSExpired, func(err error) bool {
			var e x509.CertificateInvalidError
			return errors.As(err, &e) && e.Reason == x509.Expired
		}},
		{mxtest.TLSWrongName, func(err error) bool { var e x509.HostnameError; return errors.As(err, &e) }},
		{mxtest.TLSUntrusted, func(err error) bool { var e x509.UnknownAuthorityError; return errors.As(err, &e) }},
		{mxtest.TLSHang, func(err error) bool { var e net.Error; return errors.As(err, &e) && e.Timeout() }},
	} {
		t.Run(tt.kind.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
				r := c.Primary(0)
				r.Inject(mxtest.Fault{Kind: tt.kind})
				handshake := func() error {
					w := dialWire(t, c, r)
					w.say("EHLO a\nSTARTTLS\n", 3)
					cfg := c.TLSConfig()
					cfg.ServerName = r.Name()
					w.conn.SetDeadline(time.Now().Add(time.Minute))
					return tls.Client(w.conn, cfg).Handshake()
				}
				if err := handshake(); !tt.want(err) {
					t.Errorf("got %v", err)
				}
				if err := handshake(); err != nil {
					t.Errorf("the next session: got %v, want none: the fault was for one", err)
				}
			})
		})
	}
}

func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limits mxtest.Limits
		do     func(w func() *wire) string
		want   string
	}{
		{"connections", mxtest.Limits{Connections: 1}, func(w func() *wire) string { w().say("", 1); return w().say("", 1)[0] }, "421 4.7.0 p1.mail.test Error: too many connections"},
		{"rate", mxtest.Limits{ConnectionRate: 2}, func(w func() *wire) string { w().say("", 1); w().say("", 1); return w().say("", 1)[0] }, "421 4.7.0 p1.mail.test Error: too many connections from 127.0.0.1"},
		{"full", mxtest.Limits{Messages: 1}, func(w func() *wire) string {
			x := w()
			x.say("EHLO a\nMAIL FROM:<b@app.test>\nRCPT TO:<u@down.test>\nDATA\n", 5)
			x.say(content, 1)
			time.Sleep(time.Second)
			return x.say("MAIL FROM:<b@app.test>\n", 1)[0]
		}, "452 4.3.1 Insufficient system storage"},
		{"mail rate", mxtest.Limits{MessageRate: 1}, func(w func() *wire) string {
			return w().say("EHLO a\nMAIL FROM:<>\nRSET\nMAIL FROM:<>\n", 5)[4]
		}, "450 4.7.1 Error: too much mail from 127.0.0.1"},
		{"size announced", mxtest.Limits{MessageSize: 10}, func(w func() *wire) string {
			return w().say("EHLO a\nMAIL FROM:<> SIZE=11\n", 3)[2]
		}, "552 5.3.4 Message size exceeds fixed limit"},
		{"size found", mxtest.Limits{MessageSize: 10}, func(w func() *wire) string {
			x := w()
			x.say("EHLO a\n"+envelope, 5)
			return x.say(content, 1)[0]
		}, "552 5.3.4 Error: message file too big"},
		{"recipients", mxtest.Limits{Recipients: 1}, func(w func() *wire) string {
			return w().say("EHLO a\nMAIL FROM:<>\nRCPT TO:<a@x.test>\nRCPT TO:<b@x.test>\n", 5)[4]
		}, "452 4.5.3 Error: too many recipients"},
		{"idle", mxtest.Limits{Idle: 10 * time.Second}, func(w func() *wire) string { return w().say("EHLO a\n", 3)[2] }, "421 4.4.2 p1.mail.test Error: timeout exceeded"},
		{"slow disk", mxtest.Limits{Accept: time.Minute}, func(w func() *wire) string {
			x, began := w(), time.Now()
			x.say("EHLO a\n"+envelope, 5)
			return fmt.Sprint(x.say(content, 1)[0][:3], " after ", time.Since(began))
		}, "250 after 1m0s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := mxtest.NewCluster(t, mxtest.Config{Memory: true, Graveyards: mxtest.NoGraveyards, Limits: tt.limits})
				c.Destination("down.test").Refuse()
				if got := tt.do(func() *wire { return dialWire(t, c, c.Primary(0)) }); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// Like Postfix: the envelope of the next mail behind the final dot in one segment is in order, a command behind DATA is not.
func TestPipeliningAcrossMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
		w := dialWire(t, c, c.Primary(0))
		w.say("EHLO a\n"+envelope, 5)
		for i := range 3 {
			if got := w.say(content+envelope, 4); !strings.HasPrefix(got[0], "250 2.0.0 Ok: queued as ") || !strings.HasPrefix(got[3], "354") {
				t.Fatalf("round %d: got %q", i, got)
			}
		}
		w.say(content, 1)
		if got := w.say(envelope+"NOOP\n", 4); got[2] != "554 5.5.0 Error: SMTP protocol synchronization" || got[3] != "EOF" {
			t.Errorf("a command behind DATA: got %q", got)
		}
		if got := len(c.Ledger().Mails()); got != 4 {
			t.Errorf("got %d mails, want 4", got)
		}
	})
}

func TestTranscriptHidesSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mxtest.NewCluster(t, mxtest.Config{Memory: true, Transcripts: true, Users: map[string]string{"shop": "hunter2"}})
		r := c.Primary(0)
		conn := dialWire(t, c, r)
		conn.say("EHLO a\nSTARTTLS\n", 3)
		cfg := c.TLSConfig()
		cfg.ServerName = r.Name()
		secure := tls.Client(conn.conn, cfg)
		w := &wire{t, secure, bufio.NewReader(secure)}
		got := w.say("EHLO a\nMAIL FROM:<>\nRCPT TO:<u@x.test>\nRSET\nAUTH PLAIN AHNob3AAd3Jvbmc=\nAUTH LOGIN\n", 6)
		got = append(got, w.say("c2hvcA==\n", 1)...)
		got = append(got, w.say("aHVudGVyMg==\n"+envelope, 4)...)
		want := []string{"250", "250", "554 5.7.1 <u@x.test>: Relay access denied", "250", "535", "334", "334", "235", "250", "250", "354"}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
		w.say(content, 1)
		secure.Close()
		synctest.Wait()
		text := strings.Join(r.Transcripts(), "\n")
		for _, secret := range []string{"aHVudGVyMg==", "AHNob3AAd3Jvbmc=", "c2hvcA=="} {
			if strings.Contains(text, secret) {
				t.Errorf("the transcript holds the secret %s:\n%s", secret, text)
			}
		}
		if !strings.Contains(text, "C: AUTH PLAIN [redacted]") || !strings.Contains(text, "octets of content") {
			t.Errorf("got transcript:\n%s", text)
		}
		if m := c.Ledger().Mails(); len(m) != 1 || m[0].User != "shop" {
			t.Errorf("got %+v", m)
		}
	})
}

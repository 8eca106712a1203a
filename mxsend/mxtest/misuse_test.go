package mxtest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// recorder is a testing.TB that notes what would have failed.
type recorder struct {
	testing.TB
	said []string
}

type fatal struct{}

func (r *recorder) Helper()                      {}
func (r *recorder) Failed() bool                 { return len(r.said) > 0 }
func (r *recorder) Errorf(f string, args ...any) { r.said = append(r.said, fmt.Sprintf(f, args...)) }
func (r *recorder) Fatal(args ...any)            { r.said = append(r.said, fmt.Sprint(args...)); panic(fatal{}) }
func (r *recorder) Fatalf(f string, args ...any) { r.Errorf(f, args...); panic(fatal{}) }

// attempt runs f, and returns what it reported.
func (r *recorder) attempt(f func()) string {
	r.said = nil
	defer func() {
		if p := recover(); p != nil && p != (fatal{}) {
			panic(p)
		}
	}()
	func() {
		defer func() {
			if p := recover(); p != nil && p != (fatal{}) {
				panic(p)
			}
		}()
		f()
	}()
	return strings.Join(r.said, "\n")
}

func TestMisuse(t *testing.T) {
	r := &recorder{TB: t}
	c := mxtest.NewCluster(r, mxtest.Config{Memory: true})
	for _, tt := range []struct {
		name string
		do   func()
		want string
	}{
		{"scripted twice", func() { c.Destination("a.test").Do(mxtest.Refuse()); c.Destination("A.test.").Do(mxtest.Silence()) }, "destination a.test: all recipients scripted twice, first at misuse_test.go:"},
		{"recipient twice", func() {
			c.Destination("b.test").Do(mxtest.Reject(mxtest.AtRcpt, "550 no"), "u").Do(mxtest.Greylist(time.Second), "U")
		}, `recipient "u" scripted twice`},
		{"script over script", func() {
			c.Destination("c.test").Do(mxtest.Refuse()).Script(mxtest.Rule{Do: mxtest.Accept()})
		}, "has a script (misuse_test.go:"},
		{"pattern", func() { c.Destination("d.test").Do(mxtest.Accept(), "[") }, `recipient pattern "["`},
		{"reply", func() { c.Destination("e.test").Do(mxtest.Reject(mxtest.AtRcpt, "no")) }, `"no": a reply has the form`},
		{"reply that accepts", func() { c.Destination("f.test").Do(mxtest.Reject(mxtest.AtRcpt, "250 Ok")) }, "does not reject"},
		{"contradiction", func() { c.Destination("g.test").Do(mxtest.Reject(mxtest.AtRcpt, "450 5.1.1 x")) }, "contradict each other"},
		{"stage", func() { c.Destination("h.test").Do(mxtest.Drop(mxtest.AtIdle)) }, "a destination does nothing at stage idle"},
		{"wait", func() { c.Destination("i.test").Do(mxtest.Tarpit(0)) }, "the wait must be positive"},
		{"never", func() { c.Destination("j.test").Script(mxtest.Rule{First: 3, Last: 2}) }, "rule 1: attempts 3 to 2 never happen"},
		{"no domain", func() { c.Destination("no domain") }, `Destination("no domain"): no domain name`},
		{"no relay", func() { c.Primary(2) }, "Primary(2): the cluster has 2 primaries, counted from 0"},
		{"no graveyard", func() { c.Graveyard(-1) }, "Graveyard(-1)"},
		{"fault without stage", func() { c.Primary(0).Inject(mxtest.Fault{Kind: mxtest.Cut}) }, "At must be one of the stages"},
		{"fault without kind", func() { c.Primary(0).Inject(mxtest.Fault{At: mxtest.AtDot}) }, "Kind"},
		{"fault keeps early", func() { c.Primary(0).Inject(mxtest.Fault{Kind: mxtest.Cut, At: mxtest.AtMail, Keep: true}) }, "before the final dot there is no mail to keep"},
		{"fault answer", func() { c.Primary(0).Inject(mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtMail, Reply: "hm"}) }, "a reply has the form"},
		{"limits", func() { c.Primary(0).SetLimits(mxtest.Limits{Connections: -1}) }, "cannot be negative"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := r.attempt(tt.do); !strings.Contains(got, tt.want) || !strings.HasPrefix(got, "mxtest: ") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	c.Close()
	if got := r.attempt(func() { c.Destination("z.test") }); !strings.Contains(got, "Destination after Close") {
		t.Errorf("after Close: got %q", got)
	}
	if _, err := c.Dial(context.Background(), "tcp", "10.0.0.11:25"); !errors.Is(err, mxtest.ErrClosed) {
		t.Errorf("Dial after Close: got %v", err)
	}
	if err := c.WaitFor(context.Background(), func(mxtest.Counts) bool { return false }); !errors.Is(err, mxtest.ErrClosed) {
		t.Errorf("WaitFor after Close: got %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestMisusePanicsWithoutTest(t *testing.T) {
	c, err := mxtest.Start(mxtest.Config{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	defer func() {
		if p, _ := recover().(string); !strings.Contains(p, "Primary(9)") {
			t.Errorf("got panic %q", p)
		}
	}()
	c.Primary(9)
}

func TestConfigErrors(t *testing.T) {
	relay := func(cfg mxtest.RelayConfig) mxtest.Config {
		return mxtest.Config{Memory: true, Relay: func(name string) mxtest.RelayConfig {
			if name == "p1.mail.test" {
				return cfg
			}
			return mxtest.RelayConfig{}
		}}
	}
	for _, tt := range []struct {
		name string
		cfg  mxtest.Config
		want []string
	}{
		{"everything at once", mxtest.Config{Domain: "nodots", Primaries: 10, Graveyards: -2, Port: -1, Bounces: "here", Latency: 1, Limits: mxtest.Limits{Idle: -1}},
			[]string{`Domain "nodots"`, "Primaries is 10", "Graveyards is -2", "Port -1", `"lmtp:host:port"`, "need Memory", "Limits cannot be negative"}},
		{"dialer without address", mxtest.Config{DialBounces: (&mxtest.Cluster{}).Dial}, []string{"DialBounces is set, but Bounces is empty"}},
		{"backoff", relay(mxtest.RelayConfig{MinimalBackoffTime: 2 * time.Hour}), []string{"relay p1.mail.test: minimal_backoff_time 2h0m0s is above maximal_backoff_time 1h6m40s"}},
		{"queue run", relay(mxtest.RelayConfig{QueueRunDelay: time.Hour}), []string{"queue_run_delay 1h0m0s is above minimal_backoff_time"}},
		{"recipient limit", relay(mxtest.RelayConfig{QmgrMessageActiveLimit: 30000}), []string{"qmgr_message_recipient_limit 20000 is below qmgr_message_active_limit 30000"}},
		{"warning", relay(mxtest.RelayConfig{DelayWarningTime: 6 * 24 * time.Hour}), []string{"no warning would ever be sent"}},
		{"concurrency", relay(mxtest.RelayConfig{InitialDestinationConcurrency: 30}), []string{"initial_destination_concurrency 30 is above"}},
		{"fallback elsewhere", relay(mxtest.RelayConfig{SMTPFallbackRelay: []string{"[g9.mail.test]"}}), []string{`smtp_fallback_relay names "[g9.mail.test]", which leads to no relay of the cluster`}},
		{"fallback to a domain of nobody", relay(mxtest.RelayConfig{SMTPFallbackRelay: []string{"[g1.mail.test]", "graveyards.mail.test:2525"}}), []string{`smtp_fallback_relay names "graveyards.mail.test:2525", which leads to no relay of the cluster`}},
		{"fallback to the primaries", relay(mxtest.RelayConfig{SMTPFallbackRelay: []string{"mail.test"}}), []string{`names "mail.test", which is the relay itself`}},
		{"graveyards' domain", mxtest.Config{GraveyardDomain: "mail.test"}, []string{"GraveyardDomain"}},
		{"filter", relay(mxtest.RelayConfig{SenderTransports: map[string]string{"tx.test": "trans"}}), []string{`check_sender_access sends tx.test to transport "trans", which Transports does not have`}},
		{"fallback loop", relay(mxtest.RelayConfig{SMTPFallbackRelay: []string{"[p1.mail.test]"}}), []string{"the relay itself: mail would loop"}},
		{"transport", relay(mxtest.RelayConfig{TransportMaps: map[string]string{"x.test": "gmail"}}), []string{`transport "gmail", which Transports does not have`}},
		{"TLS level", relay(mxtest.RelayConfig{SMTPDTLSSecurityLevel: "maybe"}), []string{`smtpd_tls_security_level "maybe"`}},
		{"TLS contradiction", relay(mxtest.RelayConfig{SMTPDTLSSecurityLevel: "none", SMTPDTLSWrapperMode: true}), []string{"smtpd_tls_wrappermode needs TLS"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := mxtest.Start(tt.cfg)
			if err == nil {
				c.Close()
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
			}
		})
	}
}

func TestAssertionsFail(t *testing.T) {
	c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
	c.Destination("down.test").Do(mxtest.Refuse())
	s := client(t, c, c.Primary(0))
	for range 2 {
		if err := send(s, "b@app.test", mail("same", "u@x.test", "v@down.test"), "u@x.test", "v@down.test"); err != nil {
			t.Fatal(err)
		}
	}
	idle(t, c)
	l, r := c.Ledger(), &recorder{TB: t}
	for _, tt := range []struct {
		name string
		do   func()
		want string
	}{
		{"twice", func() { l.AssertDelivered(r, "u@x.test") }, "u@x.test got mail <same@app.test> 2 times"},
		{"nothing", func() { l.AssertDelivered(r, "v@down.test") }, "v@down.test got nothing"},
		{"duplicates", func() { l.AssertNoDuplicates(r, 1) }, "2 duplicates, 1 allowed"},
		{"nothing lost", func() { l.AssertNothingLost(r) }, ""},
		{"lost", func() { c.Graveyard(0).Wipe(); l.AssertNothingLost(r) }, "2 recipients lost"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := r.attempt(tt.do); !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	var dump strings.Builder
	if err := l.Dump(&dump); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"accepted 4 recipients in 2 mails, p1.mail.test 2", "lost       v@down.test", "delivered  u@x.test", "Connection refused"} {
		if !strings.Contains(dump.String(), want) && !strings.Contains(strings.ReplaceAll(dump.String(), "lost  ", "lost       "), want) {
			t.Errorf("the dump lacks %q:\n%s", want, dump.String())
		}
	}
}

func TestWaitSaysWhatIsMissing(t *testing.T) {
	c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := c.Ledger().WaitDelivered(ctx, "a@x.test", "b@x.test"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 of 2 recipients got nothing yet") {
		t.Errorf("got %v", err)
	}
	if err := c.Ledger().WaitBounces(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// Everything a cluster starts has ended when Close returns.
func TestCloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		for _, memory := range []bool{false, true} {
			c, err := mxtest.Start(mxtest.Config{Memory: memory})
			if err != nil {
				t.Fatal(err)
			}
			c.Destination("slow.test").Do(mxtest.Tarpit(time.Hour))
			c.Primary(0).Inject(mxtest.Fault{Kind: mxtest.Stall, At: mxtest.AtRcpt})
			if err := send(client(t, c, c.Primary(1)), "b@app.test", mail("x", "u@slow.test"), "u@slow.test"); err != nil {
				t.Fatal(err)
			}
			s := client(t, c, c.Primary(0))
			if err := s.Mail("b@app.test"); err != nil {
				t.Fatal(err)
			}
			go s.Rcpt("u@x.test")
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before+2 && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before+2 {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines, %d before:\n%s", n, before, buf[:runtime.Stack(buf, true)])
	}
}

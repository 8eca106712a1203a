package mxsend

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Rows that are tests of their own.
var faultsCalled = []liveFault{
	{"E9/calls", callbacksCall},
	{"E9/sends", callbacksSend},
	{"E9/ends the Client", callbacksEnd},
	{"E10", callbacksPanic},
	{"C28", silentWhenReused},
	{"C30", earlyAnswers},
	{"C32", cancelledBetween},
}

// everywhere has f called at every place where a Client calls its user's code,
// with the place's name.
func everywhere(cfg *Config, f func(place string)) {
	cfg.Observer = &Observer{
		LookedUp:     func(string, Relays, error) { f("LookedUp") },
		Connected:    func(string, string, time.Duration, error) { f("Connected") },
		Disconnected: func(string, string, error) { f("Disconnected") },
		Ejected:      func(string, time.Time, error) { f("Ejected") },
		Restored:     func(string) { f("Restored") },
		Attempted:    func(string, Lane, Attempt) { f("Attempted") },
		Finished:     func(Receipt, Lane) { f("Finished") },
	}
	cfg.Logger = slog.New(calledHandler(f))
	cfg.Retry = func() backoff.BackOff {
		f("Retry")
		return &calledSchedule{backoff.NewExponentialBackOff(backoff.WithInitialInterval(time.Second), backoff.WithMaxElapsedTime(time.Minute)), f}
	}
	cfg.AllowRecipient = func(string) bool { f("AllowRecipient"); return true }
	resolver := cfg.Resolver
	cfg.Resolver = calledResolver(func(ctx context.Context, domain string) (Relays, error) {
		f("Resolver")
		found, err := resolver.LookupRelays(ctx, domain)
		found.Expires = time.Now().Add(2 * time.Second)
		return found, err
	})
	dial := cfg.Dial
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		f("Dial")
		nc, err := dial(ctx, network, address)
		if err == nil {
			nc = calledConn{nc, f}
		}
		return nc, err
	}
}

// The places that everywhere calls from without a relay's doing wrong.
var calledPlaces = []string{
	"LookedUp", "Connected", "Disconnected", "Ejected", "Restored", "Attempted", "Finished", "Enabled", "Handle", "Retry", "Reset",
	"NextBackOff", "AllowRecipient", "Resolver", "Dial", "Read", "Write", "Close", "SetDeadline", "SetWriteDeadline",
}

type calledHandler func(string)

func (f calledHandler) Enabled(context.Context, slog.Level) bool { f("Enabled"); return true }
func (f calledHandler) Handle(_ context.Context, r slog.Record) error {
	f("Handle")
	return nil
}
func (f calledHandler) WithAttrs([]slog.Attr) slog.Handler { return f }
func (f calledHandler) WithGroup(string) slog.Handler      { return f }

type calledSchedule struct {
	backoff.BackOff
	f func(string)
}

func (s *calledSchedule) Reset() { s.f("Reset"); s.BackOff.Reset() }
func (s *calledSchedule) NextBackOff() time.Duration {
	s.f("NextBackOff")
	return s.BackOff.NextBackOff()
}

type calledResolver func(context.Context, string) (Relays, error)

func (r calledResolver) LookupRelays(ctx context.Context, domain string) (Relays, error) {
	return r(ctx, domain)
}

type calledConn struct {
	net.Conn
	f func(string)
}

func (c calledConn) Read(p []byte) (int, error)    { c.f("Read"); return c.Conn.Read(p) }
func (c calledConn) Write(p []byte) (int, error)   { c.f("Write"); return c.Conn.Write(p) }
func (c calledConn) Close() error                  { err := c.Conn.Close(); c.f("Close"); return err }
func (c calledConn) SetDeadline(t time.Time) error { c.f("SetDeadline"); return c.Conn.SetDeadline(t) }
func (c calledConn) SetReadDeadline(t time.Time) error {
	c.f("SetDeadline")
	return c.Conn.SetReadDeadline(t)
}
func (c calledConn) SetWriteDeadline(t time.Time) error {
	c.f("SetWriteDeadline")
	return c.Conn.SetWriteDeadline(t)
}

// mixed has relays that now and then refuse, defer, hang up and are silent, so
// that every place of everywhere is come by.
func mixed(cfg *Config, rs []*testRelay) {
	cfg.Limits.Reply, cfg.Limits.ReplyTransactional = 2*time.Second, 2*time.Second
	rs[0].answer = between(2*time.Second, 20*time.Second, answer("MAIL", "451 4.3.0 ill"))
	for _, r := range rs {
		r.content = func(n int, t *testSession) bool {
			if t.mail.from != "big@app.test" {
				return false
			}
			time.Sleep(time.Hour)
			return true
		}
	}
	mails := 0
	rs[1].answer = func(_ int, line string) string {
		rs[1].mu.Lock()
		defer rs[1].mu.Unlock()
		if len(line) < 4 || line[:4] != "RCPT" {
			return usual
		}
		if mails++; mails%10 == 3 {
			return "450 4.2.0 greylisted"
		}
		return usual
	}
}

// sendMixed sends for half a minute, and in the end a mail whose content hangs.
func (s *testSetup) sendMixed() {
	for i := range 60 {
		_, _ = s.send(testMessage(i))
		s.sendAll(s.ctx(), from(1000+i*10, 5))
		time.Sleep(500 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(s.ctx(), time.Second)
	defer cancel()
	m := testMessage(5000)
	m.ReturnPath, m.Content = "big@app.test", testContentOf(2<<20)
	_, _ = s.sendWithin(ctx, m)
}

// places notes where it was called from, and lets one call at each through at a
// time, so that what a call does does not call without end.
type places struct {
	mu   sync.Mutex
	seen map[string]int
	in   map[string]bool
}

func (p *places) once(place string, f func()) {
	p.mu.Lock()
	p.seen[place]++
	busy := p.in[place]
	p.in[place] = true
	p.mu.Unlock()
	if busy {
		return
	}
	defer func() {
		p.mu.Lock()
		p.in[place] = false
		p.mu.Unlock()
	}()
	f()
}

func newPlaces() *places { return &places{seen: map[string]int{}, in: map[string]bool{}} }

func (p *places) wantAll(t *testing.T, but ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, place := range calledPlaces {
		if p.seen[place] == 0 && !slices.Contains(but, place) {
			t.Errorf("%s was never called: the test tests less than it says", place)
		}
	}
}

// E9: what is called calls back.
func callbacksCall(t *testing.T) {
	for _, tt := range []struct {
		name string
		call func(c *Client, place string)
	}{
		{"Stats", func(c *Client, _ string) { _ = c.Stats() }},
		{"SetWeights", func(c *Client, _ string) { _ = c.SetWeights(map[string]int{"p1.relays.test": 2}) }},
		{"Stats elsewhere", func(c *Client, _ string) { // from another goroutine, while the call waits for it
			done := make(chan struct{})
			go func() { defer close(done); _ = c.Stats(); _ = c.SetWeights(nil) }()
			<-done
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlaces()
			var s *testSetup
			inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
				mixed(cfg, rs)
				everywhere(cfg, func(place string) { p.once(place, func() { tt.call(s.Client, place) }) })
			}, func(set *testSetup) {
				s = set
				s.sloppy = true // the content was half read by the test
				s.sendMixed()
			})
			p.wantAll(t)
		})
	}
}

// E9: a callback that sends, over the one connection there is.
func callbacksSend(t *testing.T) {
	for _, place := range []string{"LookedUp", "Connected", "Disconnected", "Ejected", "Restored", "Attempted", "Finished", "Handle", "AllowRecipient", "Retry", "NextBackOff"} {
		for _, how := range []string{"Send", "SendAll", "Send elsewhere"} {
			t.Run(place+"/"+how, func(t *testing.T) {
				var s *testSetup
				var calls, sent atomic.Int64
				inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
					mixed(cfg, rs)
					cfg.Limits.Connections, cfg.Limits.Reserved = 1, -1
					everywhere(cfg, func(at string) {
						if at != place || calls.Add(1) > 3 {
							return
						}
						i := 100_000 * int(calls.Load())
						switch how {
						case "Send":
							_, _ = s.send(testMessage(i))
						case "SendAll":
							s.sendAll(s.ctx(), from(i, 20))
						default:
							done := make(chan struct{})
							go func() { defer close(done); _, _ = s.send(testMessage(i)) }()
							<-done
						}
						sent.Add(1)
					})
				}, func(set *testSetup) {
					s = set
					s.sloppy = true
					s.sendMixed()
					time.Sleep(time.Minute)
				})
				if calls.Load() == 0 || sent.Load() != min(calls.Load(), 3) {
					t.Errorf("%d of %d calls came to their end", sent.Load(), calls.Load())
				}
			})
		}
	}
}

// E9: a callback that ends the Client.
func callbacksEnd(t *testing.T) {
	for _, place := range []string{"LookedUp", "Connected", "Disconnected", "Ejected", "Restored", "Attempted", "Finished", "Handle", "AllowRecipient", "Retry", "NextBackOff"} {
		for _, how := range []string{"Close", "Shutdown", "Shutdown with a limit"} {
			if how == "Shutdown" && (place == "Retry" || place == "NextBackOff") {
				continue // it would wait for the message that waits for it
			}
			t.Run(place+"/"+how, func(t *testing.T) {
				var s *testSetup
				var calls, ended atomic.Int64
				inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
					mixed(cfg, rs)
					cfg.Limits.Connections, cfg.Limits.Reserved = 1, -1
					everywhere(cfg, func(at string) {
						if at != place || calls.Add(1) > 1 {
							return
						}
						switch how {
						case "Close":
							_ = s.Close()
						case "Shutdown":
							_ = s.Shutdown(s.ctx())
						default:
							ctx, cancel := context.WithTimeout(s.ctx(), 100*time.Millisecond)
							defer cancel()
							_ = s.Shutdown(ctx)
						}
						ended.Add(1)
					})
				}, func(set *testSetup) {
					s = set
					s.sloppy = true
					s.sendMixed()
					time.Sleep(time.Minute)
				})
				if ended.Load() != 1 {
					t.Errorf("%d calls, %d came to their end", calls.Load(), ended.Load())
				}
			})
		}
	}
}

// E10: what is called panics, or ends its goroutine.
func callbacksPanic(t *testing.T) {
	for _, place := range calledPlaces {
		t.Run(place, func(t *testing.T) {
			var calls atomic.Int64
			inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
				mixed(cfg, rs)
				everywhere(cfg, func(at string) {
					if at == place && calls.Add(1)%20 == 1 {
						panic("u1@example.test")
					}
				})
			}, func(s *testSetup) {
				s.sloppy = true
				s.sendMixed()
				_ = s.Stats()
			})
			if calls.Load() == 0 {
				t.Error("it was never called")
			}
		})
	}
	t.Run("the Logger's of another panic", func(t *testing.T) {
		inBubble(t, 1, func(cfg *Config, _ []*testRelay) {
			everywhere(cfg, func(at string) {
				if at == "Handle" || at == "Attempted" || at == "Finished" {
					panic(errTest)
				}
			})
		}, func(s *testSetup) { s.wantAccepted(1); s.wantAccepted(2) })
	})
	t.Run("TLSConfig", func(t *testing.T) {
		inBubble(t, 2, both(secured, func(cfg *Config, _ []*testRelay) {
			calls := 0
			cfg.TLSConfig.VerifyConnection = func(tls.ConnectionState) error {
				if calls++; calls == 1 {
					panic(errTest)
				}
				return nil
			}
		}), func(s *testSetup) { s.wantAccepted(1) })
	})
	for _, place := range []string{"Connected", "Attempted", "Finished", "Handle"} {
		t.Run("Goexit/"+place, func(t *testing.T) {
			inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
				cfg.Limits.Connections, cfg.Limits.Reserved = 1, -1
				rs[0].answer = onceOf("MAIL", "421 4.3.2 closing")
				var calls atomic.Int64
				everywhere(cfg, func(at string) {
					if at == place && calls.Add(1) == 1 {
						runtime.Goexit()
					}
				})
			}, func(s *testSetup) {
				done := make(chan struct{})
				go func() { // "Handle" may be called here
					defer close(done)
					s.wantAccepted(1)
				}()
				<-done
				s.wantAccepted(2)
			})
		})
	}
}

// Callbacks come in order, none is lost, and a slow one costs no message its time.
func TestCallbacksInOrder(t *testing.T) {
	var mu sync.Mutex
	var got []string
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, what)
	}
	inBubble(t, 1, func(cfg *Config, _ []*testRelay) {
		cfg.Limits.Connections, cfg.Limits.Reserved = 1, -1
		cfg.Observer = &Observer{
			Connected: func(string, string, time.Duration, error) { note("connected") },
			Attempted: func(ref string, _ Lane, _ Attempt) {
				time.Sleep(time.Second)
				note("attempted " + ref)
			},
			Finished:     func(r Receipt, _ Lane) { note("finished " + r.Ref) },
			Disconnected: func(string, string, error) { note("disconnected") },
		}
	}, func(s *testSetup) {
		start := time.Now()
		s.sendAll(s.ctx(), from(0, 20))
		s.wantTook(start, 0, 500*time.Millisecond)
		time.Sleep(time.Minute)
	})
	want := []string{"connected"}
	for i := range 20 {
		want = append(want, fmt.Sprint("attempted ", i), fmt.Sprint("finished ", i))
	}
	if want = append(want, "disconnected"); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// What a callback is given is its own.
func TestFinishedOwnsItsReceipt(t *testing.T) {
	changed := make(chan struct{})
	inBubble(t, 1, func(cfg *Config, _ []*testRelay) {
		cfg.Observer = &Observer{Finished: func(r Receipt, _ Lane) {
			r.Recipients[0].Outcome, r.Attempts[0].Relay = Rejected, "changed"
			close(changed)
		}}
	}, func(s *testSetup) {
		r := s.wantAccepted(1)
		<-changed
		if r.Recipients[0].Outcome != Accepted || r.Attempts[0].Relay == "changed" {
			t.Errorf("%+v", r)
		}
	})
}

// A Logger that mails what it is told: the mail of an alarm.
func TestLoggerThatSends(t *testing.T) {
	var s *testSetup
	var mails atomic.Int64
	inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
		cfg.Limits.Connections, cfg.Limits.Reserved = 1, -1
		rs[0].answer = answer("MAIL", "451 4.3.0 ill")
		cfg.Logger = slog.New(calledHandler(func(at string) {
			if at == "Handle" && mails.Add(1) < 5 {
				if _, err := s.send(testMessage(1000 + int(mails.Load()))); err != nil {
					t.Error(err)
				}
			}
		}))
	}, func(set *testSetup) {
		s = set
		for i := range 300 {
			s.wantAccepted(i)
		}
	})
	if mails.Load() == 0 {
		t.Error("nothing was logged")
	}
}

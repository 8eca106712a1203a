package mxsend

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

// paired has one connection, and a first message that waits for the reply to its
// final dot while the second has its envelope behind it.
func paired(delay time.Duration, a func(n int, line string) string) func(*Config, []*testRelay) {
	return func(cfg *Config, rs []*testRelay) {
		cfg.Limits.Connections, cfg.Limits.Reserved = 1, -1
		for _, r := range rs {
			r.delay, r.answer = delay, a
		}
	}
}

// nth answers so to the n-th of the lines that begin with prefix.
func nth(n int, prefix, reply string) func(int, string) string {
	var mu sync.Mutex
	seen := 0
	return func(_ int, line string) string {
		mu.Lock()
		defer mu.Unlock()
		if line == prefix || len(prefix) > 1 && strings.HasPrefix(line, prefix) {
			if seen++; seen == n {
				return reply
			}
		}
		return usual
	}
}

// Two messages on one connection, and what breaks it. Attempts are those that
// cost the second message anything.
func TestPairBreaks(t *testing.T) {
	for _, tt := range []struct {
		name     string
		answer   func(int, string) string
		n, next  Outcome
		attempts int // of the second
	}{
		{"nothing", nil, Accepted, Accepted, 1},
		{"421 to the dot of n", nth(1, ".", "421 4.3.2 closing"), Accepted, Accepted, 1}, // n is Deferred there, and sent anew
		{"dead after n's terminator", nth(1, ".", hangUp), InDoubt, Accepted, 1},
		{"reset after n's terminator", nth(1, ".", abort), InDoubt, Accepted, 1},
		{"250 for n, 421 at n+1's MAIL", nth(2, "MAIL", "421 4.3.2 closing"), Accepted, Accepted, 1},
		{"250 for n, EOF at n+1's MAIL", nth(2, "MAIL", hangUp), Accepted, Accepted, 1},
		{"250 for n, 550 at n+1's RCPT", nth(2, "RCPT", "550 5.1.1 unknown"), Accepted, Rejected, 1},
		{"250 for n, 550 at n+1's MAIL", nth(2, "MAIL", "550 5.1.8 unknown"), Accepted, Rejected, 1},
		{"550 for n", nth(1, ".", "550 5.6.0 no"), Rejected, Accepted, 1},
		{"452 for n", nth(1, ".", "452 4.3.1 full"), Accepted, Accepted, 1},
		{"garbage for n", nth(1, ".", "garbage"), InDoubt, Accepted, 1},
		{"503 at n+1's MAIL", nth(2, "MAIL", "503 5.5.1 nested"), Accepted, Accepted, 1},
		{"554 at n+1's DATA", nth(2, "DATA", "554 5.5.0 out of sync"), Accepted, Accepted, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, 1, paired(100*time.Millisecond, tt.answer), func(s *testSetup) {
				var all sync.WaitGroup
				var got [2]Receipt
				for i := range got {
					all.Go(func() {
						time.Sleep(time.Duration(i) * 20 * time.Millisecond)
						got[i], _ = s.send(testMessage(i))
					})
				}
				time.Sleep(50 * time.Millisecond)
				if tt.answer == nil && len(s.relays[0].lines("MAIL")) != 1 {
					s.t.Error("the relay read n+1 already: nothing is paired here") // it sleeps before it reads on
				}
				all.Wait()
				s.want(got[0], tt.n)
				s.want(got[1], tt.next)
				if n := len(got[1].Attempts); n != tt.attempts {
					s.t.Errorf("the second message took %d attempts: %+v", n, got[1].Attempts)
				}
			})
		})
	}
}

// The group of n's content and n+1's envelope saves a round trip.
func TestOneRoundTripEach(t *testing.T) {
	inBubble(t, 1, func(cfg *Config, _ []*testRelay) {
		cfg.Limits.Connections, cfg.Limits.Reserved = 1, -1
	}, func(s *testSetup) {
		s.wantAccepted(1)
		start := time.Now()
		if got := s.sendAll(s.ctx(), messages(500)); got[Accepted] != 500 {
			t.Errorf("outcomes %v", got)
		}
		if trips := float64(time.Since(start)) / float64(500*2*time.Millisecond); trips > 1.1 {
			t.Errorf("%.2f round trips a message", trips)
		}
	})
}

func TestDeadInContent(t *testing.T) {
	inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
		cfg.Limits.Connections, cfg.Limits.Reserved = 1, -1
		rs[0].content = func(n int, ts *testSession) bool {
			if n == 1 {
				cutAfter(300<<10, memnet.CutEOF)(ts)
			}
			return n == 1
		}
	}, func(s *testSetup) {
		var all sync.WaitGroup
		all.Go(func() {
			m := testMessage(1)
			m.Content = testContentOf(2 << 20)
			if _, err := s.send(m); err != nil {
				t.Error(err) // sent again: it was provably not accepted
			}
		})
		all.Go(func() {
			time.Sleep(2 * time.Millisecond)
			if r := s.wantAccepted(2); len(r.Attempts) != 1 {
				t.Errorf("attempts %+v", r.Attempts)
			}
		})
		all.Wait()
	})
}

// Nobody waits in the slot behind content over 64 KiB, nor Transactional behind
// Bulk.
func TestNoSlotBehind(t *testing.T) {
	for _, large := range []bool{true, false} {
		t.Run(fmt.Sprint(large), func(t *testing.T) {
			inBubble(t, 1, paired(time.Minute, nil), func(s *testSetup) {
				m := testMessage(1)
				m.Lane = Bulk
				if large {
					m.Content, m.Lane = testContentOf(100<<10), Transactional
				}
				var all sync.WaitGroup
				all.Go(func() { _, _ = s.send(m) })
				time.Sleep(time.Second)
				all.Go(func() { s.wantAccepted(2) })
				time.Sleep(time.Second)
				if got := s.Stats().Transactional.Queued; got != 1 {
					t.Errorf("%d queued: it sits behind", got)
				}
				all.Wait()
			})
		})
	}
}

func TestLateReplyGivesBack(t *testing.T) {
	for _, lane := range []Lane{Transactional, Bulk} {
		t.Run(lane.String(), func(t *testing.T) {
			inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
				cfg.Limits.Connections, cfg.Limits.Reserved = 2, -1
				rs[0].before = func(n int, line string) {
					if line == "." && n == 1 {
						time.Sleep(5 * time.Minute)
					}
				}
				rs[0].answer = func(n int, line string) string {
					if line == "" && n == 2 {
						time.Sleep(30 * time.Second) // no second connection at once
					}
					return usual
				}
			}, func(s *testSetup) {
				var all sync.WaitGroup
				send := func(i int) {
					all.Go(func() {
						m := testMessage(i)
						m.Lane = lane
						if r, err := s.send(m); err != nil || i == 2 && len(r.Attempts) != 1 {
							t.Errorf("%d: %+v, %v", i, r, err)
						}
					})
				}
				start := time.Now()
				send(1)
				time.Sleep(20 * time.Millisecond)
				send(2)
				time.Sleep(45 * time.Second)
				if got := s.took(); got != 1 {
					t.Errorf("after 45 s the relay took %d", got)
				}
				all.Wait()
				s.wantTook(start, 5*time.Minute, 5*time.Minute+time.Second)
			})
		})
	}
}

func TestCancelWhileNWaits(t *testing.T) {
	inBubble(t, 1, paired(10*time.Second, nil), func(s *testSetup) {
		var all sync.WaitGroup
		all.Go(func() { s.wantAccepted(1) })
		all.Go(func() {
			time.Sleep(20 * time.Millisecond)
			ctx, cancel := context.WithTimeout(s.ctx(), 100*time.Millisecond)
			defer cancel()
			start := time.Now()
			r, err := s.sendWithin(ctx, testMessage(2))
			if o := r.Recipients[0].Outcome; o != Deferred && o != NotAttempted {
				t.Errorf("%v", o)
			}
			s.wantErr(err, context.DeadlineExceeded)
			s.wantTook(start, 100*time.Millisecond, 110*time.Millisecond)
		})
		all.Wait()
		s.wantAccepted(3)
	})
}

func TestManyRecipients(t *testing.T) {
	for _, mode := range []struct {
		name   string
		change func(*Config, []*testRelay)
	}{{"pipelined", nil}, {"lock-step", lockStepped}} {
		t.Run(mode.name, func(t *testing.T) {
			// Replies of 500 octets fill any buffer while nobody reads them.
			long := "250 2.1.5 Ok " + strings.Repeat("x", 900)
			change := both(func(_ *Config, rs []*testRelay) { rs[0].answer = answer("RCPT", long) }, func(cfg *Config, rs []*testRelay) {
				if mode.change != nil {
					mode.change(cfg, rs)
				}
			})
			inBubble(t, 1, change, func(s *testSetup) {
				r, err := s.send(testMessageTo(1, 500))
				if err != nil || r.Accepted() != 500 {
					t.Errorf("%d accepted: %v", r.Accepted(), err)
				}
				if got := s.relays[0].accepted; len(got) != 1 || len(got[0].to) != 500 {
					t.Errorf("%d transactions", len(got))
				}
			})
		})
	}
}

func TestTiers(t *testing.T) {
	inBubble(t, 3, func(cfg *Config, rs []*testRelay) {
		var hosts []Host
		for i, r := range rs {
			hosts = append(hosts, Host{Name: r.name, Preference: 10 * ((i + 1) / 2), Addresses: []netip.Addr{netip.MustParseAddr(r.ip)}})
		}
		cfg.Resolver = StaticRelays(hosts...) // p1 at 0; p2 and p3 at 10
	}, func(s *testSetup) {
		if got := s.sendAll(s.ctx(), messages(500)); got[Accepted] != 500 || s.accepted(0) != 500 {
			t.Errorf("outcomes %v, the first tier took %d", got, s.accepted(0))
		}
		time.Sleep(10 * time.Second)
		s.net.SetHost("10.0.0.1", memnet.Refuse)
		if got := s.sendAll(s.ctx(), from(2000, 500)); got[Accepted] != 500 || s.accepted(1) < 200 || s.accepted(2) < 200 {
			t.Errorf("outcomes %v, the second tier took %d and %d", got, s.accepted(1), s.accepted(2))
		}
		s.net.SetHost("10.0.0.1", memnet.Up)
		time.Sleep(10 * time.Minute)
		before := s.accepted(0)
		if got := s.sendAll(s.ctx(), from(3000, 500)); got[Accepted] != 500 || s.accepted(0)-before < 450 {
			t.Errorf("outcomes %v, the first tier took %d when it was back", got, s.accepted(0)-before)
		}
	})
}

func TestMaxPreference(t *testing.T) {
	inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
		cfg.MaxPreference = 10
		cfg.Resolver = StaticRelays(
			Host{Name: rs[0].name, Preference: 10, Addresses: []netip.Addr{netip.MustParseAddr(rs[0].ip)}},
			Host{Name: rs[1].name, Preference: 20, Addresses: []netip.Addr{netip.MustParseAddr(rs[1].ip)}})
	}, func(s *testSetup) {
		s.net.SetHost("10.0.0.1", memnet.Refuse)
		r, _ := s.send(testMessage(1))
		s.want(r, Deferred)
		if s.relays[1].conns != 0 {
			t.Error("a relay over MaxPreference was used")
		}
	})
}

func TestWeights(t *testing.T) {
	inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
		cfg.Weights = map[string]int{"P1.relays.test.": 3}
	}, func(s *testSetup) {
		for i := range 400 { // one at a time: exact shares
			s.wantAccepted(i)
		}
		if a, b := s.accepted(0), s.accepted(1); a < 295 || a > 305 {
			t.Errorf("shares %d and %d of weights 3 and 1", a, b)
		}
		if err := s.SetWeights(map[string]int{"p1.relays.test": 0}); err != nil {
			t.Fatal(err)
		}
		before := s.accepted(0)
		if got := s.sendAll(s.ctx(), from(1000, 500)); got[Accepted] != 500 {
			t.Errorf("outcomes %v", got)
		}
		if n := s.accepted(0) - before; n != 0 {
			t.Errorf("a drained relay took %d", n)
		}
		for _, w := range []map[string]int{{"p1.relays.test": -1}, {"p1.relays.test": 1001}} {
			if err := s.SetWeights(w); err == nil {
				t.Errorf("%v is taken", w)
			}
		}
		if err := s.SetWeights(nil); err != nil {
			t.Error(err)
		}
		before = s.accepted(0)
		if got := s.sendAll(s.ctx(), from(2000, 500)); got[Accepted] != 500 || s.accepted(0)-before < 200 {
			t.Errorf("outcomes %v, it took %d after the drain", got, s.accepted(0)-before)
		}
	})
}

// Under full load the shares follow the weights, too.
func TestWeightsUnderLoad(t *testing.T) {
	inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
		cfg.Weights = map[string]int{"p1.relays.test": 4}
		rs[0].delay, rs[1].delay = 10*time.Millisecond, 10*time.Millisecond
	}, func(s *testSetup) {
		if got := s.sendAll(s.ctx(), messages(5000)); got[Accepted] != 5000 {
			t.Errorf("outcomes %v", got)
		}
		if n := s.accepted(0); n < 3700 || n > 4300 {
			t.Errorf("the relay of weight 4 of 5 took %d of 5000", n)
		}
	})
}

func TestTransactionalNeverBehindBulk(t *testing.T) {
	inBubble(t, 2, func(_ *Config, rs []*testRelay) {
		rs[0].delay, rs[1].delay = time.Second, time.Second
	}, func(s *testSetup) {
		count := make(chan [5]int)
		go func() { count <- s.sendAll(s.ctx(), from(1000, 200)) }()
		time.Sleep(3 * time.Second)
		for i := range 20 {
			start := time.Now()
			s.wantAccepted(i)
			s.wantTook(start, 0, 1020*time.Millisecond)
		}
		if got := <-count; got[Accepted] != 200 {
			t.Errorf("outcomes %v", got)
		}
	})
}

func TestRate(t *testing.T) {
	inBubble(t, 2, func(cfg *Config, _ []*testRelay) { cfg.Bulk.Rate = 100 }, func(s *testSetup) {
		start := time.Now()
		if got := s.sendAll(s.ctx(), messages(1000)); got[Accepted] != 1000 {
			t.Errorf("outcomes %v", got)
		}
		s.wantTook(start, 9*time.Second, 11*time.Second)
	})
}

func TestLocalRefusals(t *testing.T) {
	inBubble(t, 1, func(cfg *Config, _ []*testRelay) {
		cfg.AllowRecipient = func(address string) bool {
			if strings.HasPrefix(address, "panic") {
				panic("AllowRecipient")
			}
			return strings.HasSuffix(address, "@example.test")
		}
	}, func(s *testSetup) {
		m := testMessage(1)
		s.sloppy = true // one recipient is named twice
		m.Recipients = []string{"a@example.test", "a@elsewhere.test", "a@example.test", "panic@example.test", "b@example.test"}
		r, err := s.send(m)
		s.want(r, Accepted, Rejected, Rejected, Rejected, Accepted)
		s.wantErr(err, ErrRejected)

		for _, m := range []*Message{nil, {}, {ReturnPath: "a@b.test", Content: []byte(testContent)}} {
			r, err := s.Send(s.ctx(), m)
			s.wantErr(err, ErrRejected)
			if len(r.Recipients) != 0 {
				t.Errorf("%+v", r)
			}
		}
		n := 0
		for r := range s.SendAll(s.ctx(), func(yield func(*Message) bool) {
			_ = yield(nil) && yield(&Message{}) && yield(testMessage(7)) && yield(nil)
		}) {
			n++
			if r.Message != nil && r.Message.Ref == "7" {
				s.enter(r)
			} else {
				s.wantErr(r.Err, ErrRejected)
			}
		}
		if n != 4 {
			t.Errorf("%d results of 4", n)
		}
		m = testMessage(8)
		m.Lane = Lane(77)
		r, _ = s.send(m)
		s.want(r, Rejected)
	})
}

func TestNullReturnPath(t *testing.T) {
	inBubble(t, 1, nil, func(s *testSetup) {
		m := testMessage(1)
		m.ReturnPath = "<>"
		if _, err := s.send(m); err != nil {
			t.Error(err)
		}
		if got := s.relays[0].lines("MAIL")[0]; !strings.HasPrefix(got, "MAIL FROM:<> ") {
			t.Errorf("%q", got)
		}
	})
}

func TestConnectionsAge(t *testing.T) {
	inBubble(t, 1, func(cfg *Config, _ []*testRelay) { cfg.Limits.Connections, cfg.Limits.Reserved = 1, -1 }, func(s *testSetup) {
		for i := range 1000 { // one a second: never idle for five
			s.wantAccepted(i)
			time.Sleep(time.Second)
		}
		if n := s.relays[0].conns; n < 3 || n > 5 {
			t.Errorf("%d connections in 1000 s", n)
		}
		if n := len(s.relays[0].lines("QUIT")); n < 2 {
			t.Errorf("%d QUIT", n)
		}
		if n := len(s.relays[0].lines("NOOP")) + len(s.relays[0].lines("RSET")); n != 0 {
			t.Errorf("%d NOOP and RSET", n)
		}
		time.Sleep(6 * time.Second)
		if n := s.relays[0].opened(); n != 0 {
			t.Errorf("%d idle connections after six seconds", n)
		}
	})
}

func TestConnectionLimits(t *testing.T) {
	inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
		cfg.Limits.Connections, cfg.Limits.Reserved = 5, 2
		rs[0].delay = 100 * time.Millisecond
	}, func(s *testSetup) {
		var seen atomic.Int64
		s.relays[0].before = func(int, string) {
			n := int64(s.relays[0].opened())
			for most := seen.Load(); n > most && !seen.CompareAndSwap(most, n); most = seen.Load() {
			}
		}
		count := make(chan [5]int)
		go func() { count <- s.sendAll(s.ctx(), messages(200)) }()
		time.Sleep(time.Second)
		if most := seen.Load(); most > 3 {
			t.Errorf("Bulk has %d connections, 2 of 5 are reserved", most)
		}
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() { s.wantAccepted(i) })
		}
		all.Wait()
		<-count
		if most := seen.Load(); most > 5 {
			t.Errorf("%d connections", most)
		}
	})
}

var _ = errors.Is

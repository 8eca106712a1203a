package mxsend

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
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

// Two messages on one connection, and what breaks it. The second is in no case
// charged with it: what was begun for it is in its receipt, and it is sent anew.
func TestPairBreaks(t *testing.T) {
	for _, tt := range []struct {
		name     string
		answer   func(int, string) string
		n, next  Outcome
		attempts int // transactions begun for the second
	}{
		{"nothing", nil, Accepted, Accepted, 1},
		{"421 to the dot of n", nth(1, ".", "421 4.3.2 closing"), Accepted, Accepted, 2}, // n is Deferred there, and sent anew
		{"dead after n's terminator", nth(1, ".", hangUp), InDoubt, Accepted, 2},
		{"reset after n's terminator", nth(1, ".", abort), InDoubt, Accepted, 2},
		{"250 for n, 421 at n+1's MAIL", nth(2, "MAIL", "421 4.3.2 closing"), Accepted, Accepted, 2},
		{"250 for n, EOF at n+1's MAIL", nth(2, "MAIL", hangUp), Accepted, Accepted, 2},
		{"250 for n, 550 at n+1's RCPT", nth(2, "RCPT", "550 5.1.1 unknown"), Accepted, Rejected, 1},
		{"250 for n, 552 at n+1's MAIL", nth(2, "MAIL", "552 5.3.4 too big"), Accepted, Rejected, 1},
		{"550 for n", nth(1, ".", "550 5.6.0 no"), Rejected, Accepted, 1},
		{"452 for n", nth(1, ".", "452 4.3.1 full"), Accepted, Accepted, 1},
		{"garbage for n", nth(1, ".", "garbage"), InDoubt, Accepted, 2},
		{"503 at n+1's MAIL", nth(2, "MAIL", "503 5.5.1 nested"), Accepted, Accepted, 2},
		{"554 at n+1's DATA", nth(2, "DATA", "554 5.5.0 out of sync"), Accepted, Accepted, 2},
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
						r, err := s.send(m)
						if n := len(r.Attempts); err != nil || i == 2 && (n != 2 || !errors.Is(r.Attempts[0].Err, errLate)) {
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

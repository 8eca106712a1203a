package mxsend

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

func TestSendAllBreak(t *testing.T) {
	var finished atomic.Int64
	inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
		rs[0].delay = 100 * time.Millisecond
		cfg.Observer = &Observer{Finished: func(Receipt, Lane) { finished.Add(1) }}
	}, func(s *testSetup) {
		s.sloppy = true
		pulled, ended := 0, false
		start := time.Now()
		for r := range s.SendAll(s.ctx(), func(yield func(*Message) bool) {
			defer func() { ended = true }()
			for i := 0; ; i++ {
				if pulled++; !yield(testMessage(i)) {
					return
				}
			}
		}) {
			if r.Err != nil {
				t.Error(r.Err)
			}
			s.enter(r)
			break
		}
		s.wantTook(start, 0, time.Second)
		if !ended {
			t.Error("the sequence was not left")
		}
		synctest.Wait() // whoever ended the others may still be telling of it
		if got := int(finished.Load()); got != pulled {
			t.Errorf("the Observer heard of %d of %d", got, pulled)
		}
		st := s.Stats().Bulk
		if st.Queued+st.Waiting != 0 {
			t.Errorf("left behind: %+v", st)
		}
		for o, n := range st.Outcomes { // those that were not yielded
			if o == Accepted && n > 0 {
				s.ledger = nil
			}
		}
		s.skipStats = true
	})
}

func TestSendAllContextEnds(t *testing.T) {
	inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
		rs[0].delay = 100 * time.Millisecond
		cfg.Limits.InFlight = 50
	}, func(s *testSetup) {
		ctx, cancel := context.WithCancelCause(s.ctx())
		time.AfterFunc(time.Second, func() { cancel(errTest) })
		pulled := 0
		start := time.Now()
		got := s.sendAll(ctx, func(yield func(*Message) bool) {
			for i := 0; ; i++ {
				if pulled++; !yield(testMessage(i)) {
					return
				}
			}
		})
		s.wantTook(start, time.Second, 1100*time.Millisecond)
		if sum := got[0] + got[1] + got[2] + got[3] + got[4]; sum != pulled {
			t.Errorf("%d yielded of %d pulled", sum, pulled)
		}
		if got[Accepted] < 50 || got[InDoubt] == 0 || got[NotAttempted] == 0 || got[Rejected] > 0 {
			t.Errorf("outcomes %v", got)
		}
		for _, r := range s.ledger {
			if r.Err != nil && !errors.Is(r.Err, errTest) {
				t.Errorf("%v", r.Err)
			}
		}
	})
}

func TestSendAllInFlight(t *testing.T) {
	inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
		rs[0].delay = 10 * time.Millisecond
		cfg.Limits.InFlight = 30
	}, func(s *testSetup) {
		var out, most atomic.Int64
		for r := range s.SendAll(s.ctx(), func(yield func(*Message) bool) {
			for i := range 1000 {
				most.Store(max(most.Load(), out.Add(1)))
				if !yield(testMessage(i)) {
					return
				}
			}
		}) {
			out.Add(-1)
			s.enter(r)
		}
		if n := most.Load(); n > 31 || n < 25 {
			t.Errorf("%d in flight of 30", n)
		}
	})
}

// A consumer that is slow does not make memory grow.
func TestSendAllSlowConsumer(t *testing.T) {
	inBubble(t, 1, func(cfg *Config, _ []*testRelay) { cfg.Limits.InFlight = 10 }, func(s *testSetup) {
		var pulled atomic.Int64
		yielded := 0
		for r := range s.SendAll(s.ctx(), func(yield func(*Message) bool) {
			for i := range 100 {
				if pulled.Add(1); !yield(testMessage(i)) {
					return
				}
			}
		}) {
			yielded++
			time.Sleep(time.Second)
			if n := int(pulled.Load()); n-yielded > 11 {
				t.Errorf("%d pulled, %d yielded", n, yielded)
			}
			s.enter(r)
		}
	})
}

func TestSendAllEmpty(t *testing.T) {
	inBubble(t, 1, nil, func(s *testSetup) {
		for r := range s.SendAll(s.ctx(), func(func(*Message) bool) {}) {
			t.Errorf("%+v", r)
		}
	})
}

func TestSendAllClosed(t *testing.T) {
	inBubble(t, 1, nil, func(s *testSetup) {
		_ = s.Close()
		pulled := 0
		for r := range s.SendAll(s.ctx(), func(yield func(*Message) bool) {
			for i := range 1000 {
				if pulled++; !yield(testMessage(i)) {
					return
				}
			}
		}) {
			s.enter(r)
			s.wantErr(r.Err, ErrClosed, ErrNotAttempted)
		}
		if pulled != 1 || len(s.ledger) != 1 {
			t.Errorf("%d pulled, %d yielded", pulled, len(s.ledger))
		}
	})
}

// A panic of the sequence comes out of the loop, where it can be recovered, and
// not out of a goroutine.
func TestSendAllPanic(t *testing.T) {
	inBubble(t, 1, nil, func(s *testSetup) {
		defer func() {
			if p := recover(); p != "sequence" {
				t.Errorf("recovered %v", p)
			}
			s.wantAccepted(1000)
		}()
		for r := range s.SendAll(s.ctx(), func(yield func(*Message) bool) {
			for i := range 10 {
				yield(testMessage(i))
			}
			panic("sequence")
		}) {
			s.enter(r)
		}
		t.Error("no panic")
	})
}

func TestSendAllLanes(t *testing.T) {
	inBubble(t, 1, nil, func(s *testSetup) {
		got := s.sendAll(s.ctx(), func(yield func(*Message) bool) {
			for i := range 10 {
				m := testMessage(i)
				if i%2 == 0 {
					m.Lane = Transactional
				}
				if !yield(m) {
					return
				}
			}
		})
		if st := s.Stats(); got[Accepted] != 10 || st.Transactional.Outcomes[Accepted] != 5 || st.Bulk.Outcomes[Accepted] != 5 {
			t.Errorf("%v: %+v %+v", got, st.Transactional, st.Bulk)
		}
	})
}

func TestSendAllSigned(t *testing.T) {
	inBubble(t, 2, func(cfg *Config, _ []*testRelay) { cfg.Signer = signer("DKIM-Signature: x\r\n") }, func(s *testSetup) {
		if got := s.sendAll(s.ctx(), messages(1000)); got[Accepted] != 1000 {
			t.Errorf("%v", got)
		}
	})
}

// Many mailings and many senders at once, over relays that fail at random.
func TestFailingAtRandom(t *testing.T) {
	inBubble(t, 3, func(cfg *Config, rs []*testRelay) {
		cfg.InDoubt = InDoubtResend
		for k, r := range rs {
			n := 0
			r.delay = time.Duration(k+1) * 3 * time.Millisecond
			r.answer = func(_ int, line string) string {
				r.mu.Lock()
				n++
				turn := n
				r.mu.Unlock()
				switch {
				case turn%97 == 0:
					return hangUp
				case turn%131 == 0:
					return abort
				case turn%151 == 0:
					return "421 4.3.2 closing"
				case turn%61 == 0 && line == ".":
					return "451 4.3.0 later"
				case turn%211 == 0:
					return silent
				}
				return usual
			}
		}
	}, func(s *testSetup) {
		time.AfterFunc(time.Second, func() { s.net.SetHost("10.0.0.2", memnet.BlackHole) })
		time.AfterFunc(2*time.Second, func() { s.net.ResetHost("10.0.0.3") })
		time.AfterFunc(time.Minute, func() { s.net.SetHost("10.0.0.2", memnet.Up) })
		var all sync.WaitGroup
		for k := range 3 {
			all.Go(func() { s.sendAll(s.ctx(), from(10_000*(k+1), 1500)) })
		}
		for i := range 100 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 30 * time.Millisecond)
				ctx, cancel := context.WithTimeout(s.ctx(), time.Duration(i)*time.Second)
				defer cancel()
				_, _ = s.sendWithin(ctx, testMessageTo(i, 1+i%5))
			})
		}
		all.Wait()
		if n := len(s.ledger); n != 4600 {
			t.Errorf("%d results", n)
		}
		runtime.GC()
	})
}

package mxsend

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

// Relays that are slow, or fall silent in the middle.
var faultsSlow = []fault{
	{name: "C20", relays: 2, change: func(_ *Config, rs []*testRelay) {
		rs[0].delay, rs[1].delay = time.Second, 10*time.Millisecond
	}, run: func(s *testSetup) {
		start := time.Now()
		if got := s.sendAll(s.ctx(), messages(5000)); got[Accepted] != 5000 {
			s.t.Errorf("outcomes %v", got)
		}
		took := time.Since(start)
		// The other alone: 8 bulk connections, a mail each 10 ms and a round trip.
		if alone := 5000 / 8 * 13 * time.Millisecond; took > alone*100/95+2*time.Second {
			s.t.Errorf("took %v; the other alone takes %v", took, alone)
		}
		if n := s.accepted(0); n > 500 {
			s.t.Errorf("the slow relay took %d of 5000", n)
		}
	}},
	{name: "C21", relays: 2, change: func(cfg *Config, rs []*testRelay) {
		rs[0].delay, rs[1].delay = 10*time.Millisecond, 10*time.Millisecond
	}, run: func(s *testSetup) {
		time.AfterFunc(500*time.Millisecond, func() { s.net.SetHost("10.0.0.1", memnet.BlackHole) })
		count := make(chan [5]int)
		start := time.Now()
		go func() { count <- s.sendAll(s.ctx(), messages(5000)) }()
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 20 * time.Millisecond)
				own := time.Now()
				r, _ := s.send(testMessage(10_000 + i))
				switch r.Recipients[0].Outcome {
				case Accepted:
					s.wantTook(own, 0, 17*time.Second)
				case InDoubt:
					s.wantTook(own, 10*time.Minute, 10*time.Minute+time.Second)
				default:
					s.t.Errorf("transactional: %v", r.Recipients[0].Err)
				}
			})
		}
		all.Wait()
		got := <-count
		if got[Accepted]+got[InDoubt] != 5000 || got[InDoubt] > 20 {
			s.t.Errorf("outcomes %v", got)
		}
		s.wantTook(start, 10*time.Minute, 11*time.Minute)
	}},
	frozen("C21/frozen, idle connections", 6, 0),
	frozen("C21/frozen, in use", 6, 6),
	frozen("C21/frozen, one connection", 1, 1),
	{name: "C21/slow, not frozen", relays: 2, change: func(cfg *Config, rs []*testRelay) {
		// One message is never answered; everything else is.
		rs[0].answer = answer("MAIL FROM:<b+7@", silent)
	}, run: func(s *testSetup) {
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 300 * time.Millisecond)
				s.wantAccepted(i)
			})
		}
		all.Wait()
		if n := s.Stats().Relays[0].Ejections; n != 0 {
			s.t.Errorf("put out %d times for one message's sake", n)
		}
	}},
	{name: "C21/stalled", relays: 2, change: first(".", silent), run: func(s *testSetup) {
		got := s.sendAll(s.ctx(), messages(1000))
		if got[Accepted]+got[InDoubt] != 1000 || got[InDoubt] > 30 {
			s.t.Errorf("a silent relay was given %d", got[InDoubt])
		}
	}},
}

// frozen has one relay of two stop, as a process does by SIGSTOP, with so many
// connections to it and so many messages under way: its host takes connections, and
// nothing else comes of it. It goes on after an hour.
func frozen(name string, connections, inFlight int) fault {
	var stopped atomic.Bool
	var goOn chan struct{}
	return fault{name: name, relays: 2, change: func(_ *Config, rs []*testRelay) {
		goOn = make(chan struct{})
		rs[0].delay, rs[1].delay = 10*time.Millisecond, 10*time.Millisecond
		rs[0].before = func(int, string) {
			if stopped.Load() {
				<-goOn
			}
		}
	}, run: func(s *testSetup) {
		var all sync.WaitGroup
		var slow atomic.Int32
		send := func(from, n int) {
			for i := range n {
				all.Go(func() {
					start := time.Now()
					s.wantAccepted(from + i)
					took := time.Since(start)
					if took > 17*time.Second {
						s.t.Errorf("a message took %v", took)
					}
					if took > 2*time.Second {
						slow.Add(1)
					}
				})
			}
		}
		send(0, 2*connections)
		all.Wait()
		send(100, 2*inFlight)
		time.Sleep(500 * time.Microsecond) // MAIL is on the way
		stopped.Store(true)
		for i := range 600 { // ten minutes
			time.Sleep(time.Second)
			send(1000+i, 1)
		}
		all.Wait()
		if n := slow.Load(); n > int32(max(inFlight, 1))+stallEntries {
			s.t.Errorf("%d messages took long", n)
		}
		if st := s.Stats().Relays[0]; st.Ejections == 0 {
			s.t.Errorf("the frozen relay is in: %+v", st)
		}
		time.Sleep(50 * time.Minute)
		stopped.Store(false)
		close(goOn)
		time.Sleep(6 * time.Minute) // the longest time out, and more
		before := s.accepted(0)
		for i := range 100 {
			send(5000+i, 1)
			time.Sleep(100 * time.Millisecond)
		}
		all.Wait()
		if got := s.accepted(0) - before; got < 40 {
			s.t.Errorf("the relay that goes on took %d of 100", got)
		}
	}}
}

package mxsend

import (
	"sync"
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
	{name: "C21/stalled", relays: 2, change: first(".", silent), run: func(s *testSetup) {
		got := s.sendAll(s.ctx(), messages(1000))
		if got[Accepted]+got[InDoubt] != 1000 || got[InDoubt] > 30 {
			s.t.Errorf("a silent relay was given %d", got[InDoubt])
		}
	}},
}

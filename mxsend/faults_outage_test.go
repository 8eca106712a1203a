package mxsend

import (
	"context"
	"sync"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

// Faults of all relays at once, or of the disks below them: a mailing is held.
var faultsOutage = []fault{
	{name: "C18", relays: 2, change: first("MAIL", "452 4.3.1 Insufficient system storage"), run: func(s *testSetup) {
		start := time.Now()
		if got := s.sendAll(s.ctx(), messages(500)); got[Accepted] != 500 {
			s.t.Errorf("outcomes %v", got)
		}
		s.wantTook(start, 0, 20*time.Second)
		if n := len(s.relays[0].lines("MAIL")); n > 60 {
			s.t.Errorf("the full relay was asked %d times", n)
		}
		if st := s.Stats().Relays[0]; st.Ejections == 0 || st.PausedUntil.IsZero() {
			s.t.Errorf("the full relay is in: %+v", st)
		}
	}},
	fullDisks("C18/all", 4000),
	fullDisks("C18/all, few", 5),
	{name: "C19/SendAll", relays: 2, run: func(s *testSetup) {
		s.wantAccepted(1)
		s.relays[0].closeAll()
		s.relays[1].closeAll()
		s.net.SetHost("10.0.0.1", memnet.Refuse)
		s.net.SetHost("10.0.0.2", memnet.Refuse)
		time.Sleep(time.Second)
		pulled := 0
		count := make(chan [5]int)
		go func() {
			count <- s.sendAll(s.ctx(), func(yield func(*Message) bool) {
				for m := range messages(5000) {
					if pulled++; !yield(m) {
						return
					}
				}
			})
		}()
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		if held := pulled; held > 1000 { // until the outage is noticed, Limits.InFlight
			s.t.Errorf("%d were pulled while no relay was usable", held)
		}
		s.net.SetHost("10.0.0.2", memnet.Up)
		start := time.Now()
		if got := <-count; got[Accepted] != 5000 {
			s.t.Errorf("outcomes %v", got)
		}
		s.wantTook(start, 0, time.Minute)
	}},
	{name: "C19/in the middle", relays: 2, change: func(_ *Config, rs []*testRelay) {
		rs[0].delay, rs[1].delay = 10*time.Millisecond, 10*time.Millisecond
	}, run: func(s *testSetup) {
		time.AfterFunc(500*time.Millisecond, func() {
			for i := range 2 {
				s.net.SetHost(s.relays[i].ip, memnet.Refuse)
				s.net.ResetHost(s.relays[i].ip)
			}
		})
		time.AfterFunc(3*time.Hour, func() {
			s.net.SetHost("10.0.0.1", memnet.Up)
			s.net.SetHost("10.0.0.2", memnet.Up)
		})
		got := s.sendAll(s.ctx(), messages(3000))
		if got[Accepted]+got[InDoubt] != 3000 || got[InDoubt] > 20 {
			s.t.Errorf("outcomes %v", got)
		}
	}},
	{name: "C19/ctx ends", run: func(s *testSetup) {
		s.net.SetHost("10.0.0.1", memnet.Refuse)
		ctx, cancel := context.WithTimeout(s.ctx(), time.Hour)
		defer cancel()
		start := time.Now()
		got := s.sendAll(ctx, messages(5000))
		if n := got[NotAttempted] + got[Deferred]; n == 0 || n > 5 || got[Accepted]+got[Rejected]+got[InDoubt] > 0 {
			s.t.Errorf("outcomes %v", got)
		}
		s.wantTook(start, time.Hour, time.Hour+time.Second)
	}},
	{name: "C19/Send", relays: 2, run: func(s *testSetup) {
		s.net.SetHost("10.0.0.1", memnet.Refuse)
		s.net.SetHost("10.0.0.2", memnet.Refuse)
		var all sync.WaitGroup
		start := time.Now()
		for i := range 200 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 500 * time.Millisecond)
				own := time.Now()
				r, err := s.send(testMessage(i))
				s.want(r, Deferred)
				s.wantErr(err, ErrDeferred, ErrNoRelay)
				s.wantTook(own, 60*time.Second, 160*time.Second)
			})
		}
		all.Wait()
		s.wantTook(start, 0, 270*time.Second)
		if n := s.net.Stats().Dialled; n != 0 {
			s.t.Errorf("%d connections", n)
		}
	}},
}

// fullDisks has all relays full for half an hour, while so many messages wait.
func fullDisks(name string, n int) fault {
	return fault{name: name, relays: 2, change: answersBetween(100*time.Millisecond, 30*time.Minute, "MAIL", "452 4.3.1 Insufficient system storage"), run: func(s *testSetup) {
		s.wantAccepted(1)
		time.Sleep(time.Second)
		if got := s.sendAll(s.ctx(), messages(n)); got[Accepted] != n {
			s.t.Errorf("half an hour of full disks burnt the mailing: %v", got)
		}
	}}
}

package mxsend

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

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

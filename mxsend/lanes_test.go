package mxsend

import (
	"testing"
	"time"
)

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

package main

import (
	"slices"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/relaysim"
	"github.com/mxsend/go-mxsend/internal/relaymodel"
)

// A pass is the delay of transactional mail in one phase of the small scale.
type pass struct {
	Median float64
	Max    float64
}

// A smallResult is one line of the small scale's table.
type smallResult struct {
	Graveyards int
	During     pass
	After      pass
	Active     int
	Deferred   int
}

// small is the scale at which real Postfix was measured: one primary with an active queue of 200 and 100 smtp processes, 2000
// bulk mails to as many domains that are silent for 3 s, and then 100 transactional mails, once while the bulk mails are
// tried for the first time, and once when all of them have been.
//
// Postfix 3.7 had a median of 17.6 s and 2.68 s without graveyards, and of 18.1 s and 0.01 s with them.
func small(graveyards int) smallResult {
	p := relaymodel.DefaultParams()
	p.ActiveLimit, p.MinimalBackoff, p.MaximalBackoff, p.QueueRunDelay = 200, 50*time.Second, 50*time.Second, 5*time.Second
	g := p
	g.ActiveLimit, g.RecipientLimit, g.Transports = 200000, 200000, []relaymodel.Transport{relaymodel.DefaultTransport()}
	g.Transports[0].ProcessLimit = 500
	kinds := slices.Repeat([]relaysim.Kind{relaysim.Dead}, 2001)
	kinds[0] = relaysim.Alive
	s := relaysim.New(1, graveyards, p, g, kinds, 1)
	s.Session, s.Silence = 10*time.Millisecond, 3*time.Second
	var delays []float64
	s.Delivered = func(lane relaysim.Lane, delay time.Duration) {
		if lane == relaysim.Transactional {
			delays = append(delays, delay.Seconds())
		}
	}
	phase := func(begin time.Duration) pass {
		delays = nil
		for i := range 100 {
			s.Run(begin + time.Duration(i)*100*time.Millisecond)
			s.Submit(0, relaysim.Transactional, 0)
		}
		s.Run(begin + 2*time.Minute)
		slices.Sort(delays)
		if len(delays) < 100 {
			return pass{-1, -1} // some are still waiting
		}
		return pass{delays[len(delays)/2], delays[len(delays)-1]}
	}
	// The bulk mails come over 20 sessions, each held up for a second by in_flow_delay once the active queue is full.
	left := int32(2000)
	s.Turn = func(int32) (time.Duration, bool) {
		if left == 0 {
			return 0, false
		}
		wait := s.Submit(0, relaysim.Bulk, left)
		left--
		return s.Now() + wait + 20*time.Millisecond, left > 0
	}
	for i := range int32(20) {
		s.Plan(0, i)
	}
	s.Run(30 * time.Second)
	result := smallResult{Graveyards: graveyards, During: phase(30 * time.Second)}
	s.Run(10 * time.Minute)
	c := s.Counts(false)
	result.Active, result.Deferred = c.Active, c.Deferred
	result.After = phase(10 * time.Minute)
	return result
}

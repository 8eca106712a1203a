package main

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// A scenario is one thing that happens to relays under a mailing.
type scenario struct {
	name, title string
	run         func(ctx context.Context, quick bool) (outcome, error)
}

// alone is the scenario that the others are compared with.
const alone = "alone"

func scenarios() []scenario {
	return []scenario{
		{alone, "One relay alone", runAlone},
		{"off", "One of two relays is switched off, and comes back", runOff},
		{"hole", "One of two relays is black-holed: connecting hangs, connections go silent", runHole},
		{"dns", "A relay of twice the weight is added to DNS, and later another removed", runDNS},
		{"slow", "One of two relays takes a hundred times as long as the other", runSlow},
	}
}

func either[T any](quick bool, a, b T) T {
	if quick {
		return a
	}
	return b
}

// runAlone is what one relay does.
func runAlone(ctx context.Context, quick bool) (outcome, error) {
	long := either(quick, 5*time.Second, 8*time.Second)
	return onStage(ctx, 1, nil, func(s *stage) (o outcome, _ []*load, _ error) {
		l := &load{client: s.client, start: time.Now()}
		l.mailing(ctx, long)
		o.figure("throughput", rate, l.rate(time.Second, long), anything)
		o.figure("p99 of a mail, MAIL to the reply to the final dot", millis, quantile(l.times(func(e event) bool { return e.at >= time.Second }), 0.99), anything)
		o.series = append(o.series, l.series("one relay alone", "", long))
		return o, []*load{l}, nil
	})
}

// runOff switches a relay off after a phase, and on again after another.
func runOff(ctx context.Context, quick bool) (outcome, error) {
	phase := either(quick, 3*time.Second, 5*time.Second)
	// 8 connections for Bulk with a message in each of their two slots.
	const inFlight = 2 * 8
	return onStage(ctx, 2, nil, func(s *stage) (o outcome, _ []*load, _ error) {
		relay := s.cluster.Primary(0)
		l := &load{client: s.client, start: time.Now()}
		defer l.after(phase, relay.Stop)()
		defer l.after(2*phase, relay.Start)()
		end := 3*phase + 6*time.Second // a relay that was put out is tried again after 5 s
		l.mailing(ctx, end)
		o.figure("both relays", rate, l.rate(time.Second, phase), anything)
		o.figure("in the first second without it", rate, l.rate(phase, phase+time.Second), atLeast(0.9))
		o.figure("after that second", rate, l.rate(phase+time.Second, 2*phase), atLeast(0.9))
		o.figure("the last second, after it came back", rate, l.rate(end-time.Second, end), anything)
		o.figure("in doubt", mails, l.count(mxsend.InDoubt), atMost(inFlight))
		o.series = append(o.series, l.series("all", "", end), l.series("over the one that was off", relay.Name(), end))
		return o, []*load{l}, nil
	})
}

// runHole black-holes a relay under a mailing and transactional mail. The reply to
// the final dot is waited for 15 s only in place of ten minutes: the mails in doubt
// would make the program last that long.
func runHole(ctx context.Context, quick bool) (outcome, error) {
	const dot = 15 * time.Second
	at := either(quick, 1500*time.Millisecond, 3*time.Second)
	end := at + either(quick, 12*time.Second, 20*time.Second)
	shorter := func(cfg *mxsend.Config) { cfg.Limits.FinalDot = dot }
	return onStage(ctx, 2, shorter, func(s *stage) (o outcome, _ []*load, _ error) {
		start := time.Now()
		bulk, one := &load{client: s.client, start: start}, &load{client: s.client, start: start}
		relay := s.cluster.Primary(0)
		defer bulk.after(at, relay.BlackHole)()
		var both sync.WaitGroup
		both.Go(func() { bulk.mailing(ctx, end) })
		both.Go(func() { one.trickle(ctx, end) })
		both.Wait()
		relay.Start() // what it holds ends
		reference := bulk.rate(end-2*time.Second, end)
		recovered := reaches(at, end-at-time.Second, func(t time.Duration) bool { return bulk.rate(t, t+time.Second) >= 0.9*reference })
		struck := one.times(func(e event) bool { return e.began+e.took >= at })
		o.figure("both relays", rate, bulk.rate(at/2, at), anything)
		o.figure("in the first second", rate, bulk.rate(at, at+time.Second), anything)
		o.figure("from 9 to 11 s after", rate, bulk.rate(at+9*time.Second, at+11*time.Second), atLeast(0.9))
		o.figure("until nine tenths of its later throughput are reached", seconds, recovered.Seconds(), atMost(10))
		o.figure("median of Send of the transactional mails since", millis, quantile(struck, 0.5), anything)
		o.figure("p99 of them", millis, quantile(struck, 0.99), roughly("≤ 15000 and a retry"))
		o.figure("slowest of them", millis, quantile(struck, 1), anything)
		o.figure("in doubt, of the mailing", mails, bulk.count(mxsend.InDoubt), anything)
		o.figure("in doubt, transactional", mails, one.count(mxsend.InDoubt), anything)
		o.series = append(o.series, bulk.series("the mailing", "", end), bulk.series("over the one that is black-holed", relay.Name(), end))
		return o, []*load{bulk, one}, nil
	})
}

// ttl is the shortest that the resolver takes from DNS.
const ttl = 5 * time.Second

// The new relay has two of the weights' four. What it gets may be off that by so much of it.
const (
	weightShare = 50.0
	offLimit    = 5.0 // percent
)

// offWeight is how far a share is off that of the weight, in percent of that.
func offWeight(share float64) float64 { return 100 * math.Abs(share-weightShare) / weightShare }

// runDNS begins with two of three relays in DNS, adds the third, of twice the weight,
// and removes the first.
func runDNS(ctx context.Context, quick bool) (outcome, error) {
	add := either(quick, 1500*time.Millisecond, 3*time.Second)
	window := either(quick, 1500*time.Millisecond, 4*time.Second)
	remove := add + ttl + 500*time.Millisecond + window
	end := remove + ttl + time.Second
	weights := func(cfg *mxsend.Config) { cfg.Weights = map[string]int{"p3." + cfg.Domain: 2} }
	return onStage(ctx, 3, weights, func(s *stage) (o outcome, _ []*load, _ error) {
		dns, first, third := s.cluster.DNS(), s.cluster.Primary(0).Name(), s.cluster.Primary(2).Name()
		dns.SetTTL(ttl)
		name := func(relays ...int) {
			var mx []mxtest.MX
			for _, i := range relays {
				mx = append(mx, mxtest.MX{Preference: 10, Host: s.cluster.Primary(i).Name()})
			}
			dns.SetMX(s.cluster.Domain(), mx...)
		}
		name(0, 1)
		l := &load{client: s.client, start: time.Now()}
		defer l.after(add, func() { name(0, 1, 2) })()
		defer l.after(remove, func() { name(1, 2) })()
		open := -1
		defer l.after(end, func() { open = s.cluster.Primary(0).Sessions() })()
		l.mailing(ctx, end+200*time.Millisecond)
		const short = time.Second
		joined := reaches(add, remove-add, func(t time.Duration) bool {
			return offWeight(l.share(third, t, t+short)) <= offLimit
		})
		gone := time.Duration(0)
		for _, e := range l.events {
			if e.relay == first && e.outcome == mxsend.Accepted {
				gone = max(gone, e.at-remove)
			}
		}
		share := l.share(third, remove-window, remove)
		o.figure("share of the new relay", percent, share, anything)
		o.figure("how far that is off its weight's share", percent, offWeight(share), atMost(offLimit))
		o.figure("until it has its share", seconds, joined.Seconds(), roughly("≤ 5 (TTL) and a refresh"))
		o.figure("from the removal to the last mail over the one removed", seconds, gone.Seconds(), roughly("≤ 5 (TTL) and a refresh"))
		o.figure("connections to it a second after the TTL", "1", float64(open), none())
		o.figure("in doubt", mails, l.count(mxsend.InDoubt), none())
		o.series = append(o.series, l.series("all", "", end), l.series("over the one removed", first, end), l.series("over the new one", third, end))
		return o, []*load{l}, nil
	})
}

// runSlow has the first relay take a hundred times as long as the second.
func runSlow(ctx context.Context, quick bool) (outcome, error) {
	long := either(quick, 6*time.Second, 10*time.Second)
	return onStage(ctx, 2, nil, func(s *stage) (o outcome, _ []*load, _ error) {
		s.cluster.Primary(0).SetLimits(mxtest.Limits{Accept: 100 * service})
		slow, other := s.cluster.Primary(0).Name(), s.cluster.Primary(1).Name()
		l := &load{client: s.client, start: time.Now()}
		l.mailing(ctx, long)
		o.figure("throughput in all", rate, l.rate(time.Second, long), atLeast(0.95))
		o.figure("p99 of a mail over the other", millis, quantile(l.times(func(e event) bool { return e.relay == other && e.at >= time.Second }), 0.99), roughly("as alone"))
		o.figure("over the slow one", mails, float64(l.accepted(slow, 0, 2*long)), anything)
		o.series = append(o.series, l.series("all", "", long), l.series("over the slow one", slow, long))
		return o, []*load{l}, nil
	})
}

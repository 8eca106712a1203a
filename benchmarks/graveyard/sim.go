package main

import (
	"math/rand/v2"
	"time"

	"github.com/mxsend/go-mxsend/internal/relaymodel"
)

// The lanes of a mail.
const (
	transactional = uint8(iota)
	bulk
)

// The kinds of destination.
type kind uint8

const (
	alive kind = iota // takes the mail
	dead              // takes the connection and says nothing
	full              // answers 450 to the recipient, always
)

// A relay is a queue with its place in the simulation.
type relay struct {
	q         *relaymodel.Queue
	graveyard bool
	wake      time.Duration // when the queue has something to do; -1: nothing
}

// A mailInfo is what the simulation knows of a mail in a queue.
type mailInfo struct {
	arrival time.Duration // at the first relay
	dest    int32
	lane    uint8
	next    int32 // free list
}

// An event is the end of a delivery, or a turn of a submitter.
type event struct {
	at     time.Duration
	relay  int32 // -1: a submitter's turn
	job    int32 // or the submitter
	ref    int32
	class  relaymodel.Class
	fb     relaymodel.Feedback
	cache  bool
	handed int32 // graveyard that took it; -1: none
}

// A sim is a cluster of relays in virtual time, without any I/O: the pure model, and destinations that are a kind and a time.
type sim struct {
	relays    []relay
	primaries int
	kinds     []kind // by destination
	session   time.Duration
	silence   time.Duration
	rng       *rand.Rand
	now       time.Duration
	events    []event // min-heap by time
	mails     []mailInfo
	free      int32
	arrival   time.Duration // of the mail that is being handed over; -1: none is
	each      [1]relaymodel.Verdict
	verdicts  [1]relaymodel.Verdict
	classes   [1]relaymodel.Class
	rcpt      [1]relaymodel.Recipient

	turn      func(submitter int32) (next time.Duration, again bool)
	delivered func(lane uint8, delay time.Duration)
	total     totals
}

// totals count what happened.
type totals struct {
	Submitted, Delivered, Attempts, HandedOver, Expired, Bounced int
}

func newSim(primaries, graveyards int, primary, graveyard relaymodel.Params, kinds []kind, seed uint64) *sim {
	s := &sim{primaries: primaries, kinds: kinds, free: -1, arrival: -1, rng: rand.New(rand.NewPCG(seed, 1)), session: 200 * time.Millisecond, silence: 30 * time.Second}
	primary.Fallback = graveyards > 0
	for range primaries {
		s.relays = append(s.relays, relay{q: relaymodel.New(primary), wake: -1})
	}
	for range graveyards {
		s.relays = append(s.relays, relay{q: relaymodel.New(graveyard), graveyard: true, wake: -1})
	}
	return s
}

// submit gives a mail to a relay, and says how long the client waits for its reply beyond what the relay needs.
func (s *sim) submit(r int, lane uint8, dest int32) time.Duration {
	ref := s.free
	if ref >= 0 {
		s.free = s.mails[ref].next
	} else {
		ref = int32(len(s.mails))
		s.mails = append(s.mails, mailInfo{})
	}
	s.mails[ref] = mailInfo{arrival: s.now, dest: dest, lane: lane}
	if s.arrival >= 0 {
		s.mails[ref].arrival = s.arrival
	}
	s.total.Submitted++
	s.rcpt[0] = relaymodel.Recipient{Dest: dest}
	wait := s.relays[r].q.Submit(s.now, ref, false, s.rcpt[:])
	s.act(int32(r))
	return wait
}

// act carries out a relay's actions, and notes when it has something to do next.
func (s *sim) act(i int32) {
	r := &s.relays[i]
	for {
		a, ok := r.q.Next()
		if !ok {
			break
		}
		switch a.Kind {
		case relaymodel.Attempt:
			s.attempt(i, a)
		case relaymodel.Bounce:
			s.total.Bounced++
		case relaymodel.Expire:
			s.total.Expired++
		case relaymodel.Remove:
			s.mails[a.Ref].next, s.free = s.free, a.Ref
		}
	}
	r.wake = -1
	if at, ok := r.q.Wake(); ok {
		r.wake = at
	}
}

// attempt begins a delivery.
func (s *sim) attempt(i int32, a relaymodel.Action) {
	s.total.Attempts++
	route := relaymodel.Route{Hosts: 1, Sessions: 2, Addresses: 5, Direct: a.Direct}
	if !s.relays[i].graveyard {
		route.Fallbacks = len(s.relays) - s.primaries
	}
	handed := int32(-1)
	d := relaymodel.Deliver(1, route, func(hop relaymodel.Hop, _ []int32) relaymodel.Session {
		if hop.Fallback {
			handed = int32(s.primaries + hop.Index)
			s.each[0] = relaymodel.Verdict{Class: relaymodel.Done}
			return relaymodel.Session{Took: 5 * time.Millisecond, Each: s.each[:]}
		}
		return s.host(s.kinds[a.Dest])
	}, s.verdicts[:])
	s.push(event{at: s.now + d.Took, relay: i, job: a.Job, ref: a.Ref, class: s.verdicts[0].Class, fb: d.Feedback, cache: d.Cache, handed: handed})
}

// host is a session with a destination. Times vary by a tenth, lest everything go in step.
func (s *sim) host(k kind) relaymodel.Session {
	vary := func(d time.Duration) time.Duration { return d*9/10 + time.Duration(s.rng.Int64N(int64(d)/5+1)) }
	switch k {
	case dead:
		return relaymodel.Session{Absent: true, Took: vary(s.silence), All: relaymodel.Verdict{Class: relaymodel.Deferred}}
	case full:
		s.each[0] = relaymodel.Verdict{Class: relaymodel.Deferred}
	default:
		s.each[0] = relaymodel.Verdict{Class: relaymodel.Done}
	}
	return relaymodel.Session{Took: vary(s.session), Each: s.each[:]}
}

// run goes on until the time.
func (s *sim) run(until time.Duration) {
	for {
		next, first := until, int32(-2)
		if len(s.events) > 0 && s.events[0].at <= next {
			next, first = s.events[0].at, -1
		}
		for i := range s.relays {
			if w := s.relays[i].wake; w >= 0 && w < next {
				next, first = w, int32(i)
			}
		}
		if first == -2 {
			s.now = until
			return
		}
		s.now = max(s.now, next)
		if first >= 0 {
			s.relays[first].q.Advance(s.now)
			s.act(first)
			continue
		}
		ev := s.pop()
		if ev.relay < 0 {
			if at, again := s.turn(ev.job); again {
				s.push(event{at: at, relay: -1, job: ev.job})
			}
			continue
		}
		s.finish(ev)
	}
}

// finish ends a delivery.
func (s *sim) finish(ev event) {
	m := s.mails[ev.ref]
	if ev.class == relaymodel.Done {
		if ev.handed < 0 {
			s.total.Delivered++
			if s.delivered != nil {
				s.delivered(m.lane, s.now-m.arrival)
			}
		} else {
			s.total.HandedOver++
			s.total.Submitted--
			s.arrival = m.arrival
			s.submit(int(ev.handed), m.lane, m.dest)
			s.arrival = -1
		}
	}
	s.classes[0] = ev.class
	s.relays[ev.relay].q.Finish(s.now, ev.job, s.classes[:], ev.fb, ev.cache)
	s.act(ev.relay)
}

// counts adds up the queues of the primaries, or of the graveyards.
func (s *sim) counts(graveyard bool) (c relaymodel.Counts) {
	for i := range s.relays {
		if r := &s.relays[i]; r.graveyard == graveyard {
			n := r.q.Counts()
			c.Incoming, c.Active, c.Deferred = c.Incoming+n.Incoming, c.Active+n.Active, c.Deferred+n.Deferred
		}
	}
	return c
}

func (s *sim) push(e event) {
	s.events = append(s.events, e)
	h := s.events
	i := len(h) - 1
	for i > 0 && h[(i-1)/2].at > e.at {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = e
}

func (s *sim) pop() event {
	h := s.events
	top, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	s.events = h
	if len(h) == 0 {
		return top
	}
	i := 0
	for {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && h[c+1].at < h[c].at {
			c++
		}
		if last.at <= h[c].at {
			break
		}
		h[i] = h[c]
		i = c
	}
	h[i] = last
	return top
}

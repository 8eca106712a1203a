// Package relaysim runs the model of relays in virtual time, without any I/O: weeks of mail in seconds. Destinations are a
// kind and a time.
package relaysim

import (
	"math/rand/v2"
	"time"

	"github.com/mxsend/go-mxsend/internal/relaymodel"
)

// A Lane is what a mail is of.
type Lane uint8

// The lanes.
const (
	Transactional Lane = iota
	Bulk
)

// A Kind is how a destination behaves.
type Kind uint8

// The kinds.
const (
	Alive Kind = iota // takes the mail
	Dead              // takes the connection and says nothing
	Full              // answers 450 to the recipient, always
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
	lane    Lane
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

// A Sim is primaries and graveyards in virtual time. It is not safe for concurrent use.
type Sim struct {
	Session time.Duration // that a destination takes for a mail; 200 ms at first
	Silence time.Duration // until a relay gives up on a dead destination; 30 s at first
	Rand    *rand.Rand
	Total   Totals
	// Turn is called when the time of a submitter has come that Plan set. It says when the next is, if there is one.
	Turn func(submitter int32) (next time.Duration, again bool)
	// Delivered is told of each mail that its destination took, and how long after it was submitted.
	Delivered func(lane Lane, delay time.Duration)

	relays    []relay
	primaries int
	kinds     []Kind // by destination
	now       time.Duration
	events    []event // min-heap by time
	mails     []mailInfo
	free      int32
	arrival   time.Duration // of the mail that is being handed over; -1: none is
	each      [1]relaymodel.Verdict
	verdicts  [1]relaymodel.Verdict
	classes   [1]relaymodel.Class
	rcpt      [1]relaymodel.Recipient
}

// Totals count what happened.
type Totals struct {
	Submitted, Delivered, Attempts, HandedOver, Expired, Bounced int
}

// New returns one with nothing in its queues. kinds are the destinations, by number.
func New(primaries, graveyards int, primary, graveyard relaymodel.Params, kinds []Kind, seed uint64) *Sim {
	s := &Sim{primaries: primaries, kinds: kinds, free: -1, arrival: -1, Rand: rand.New(rand.NewPCG(seed, 1)), Session: 200 * time.Millisecond, Silence: 30 * time.Second}
	primary.Fallback = graveyards > 0
	for range primaries {
		s.relays = append(s.relays, relay{q: relaymodel.New(primary), wake: -1})
	}
	for range graveyards {
		s.relays = append(s.relays, relay{q: relaymodel.New(graveyard), graveyard: true, wake: -1})
	}
	return s
}

// Submit gives a mail to a relay, and says how long the client waits for its reply beyond what the relay needs.
func (s *Sim) Submit(r int, lane Lane, dest int32) time.Duration {
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
	s.Total.Submitted++
	s.rcpt[0] = relaymodel.Recipient{Dest: dest}
	wait := s.relays[r].q.Submit(s.now, ref, false, s.rcpt[:])
	s.act(int32(r))
	return wait
}

// act carries out a relay's actions, and notes when it has something to do next.
func (s *Sim) act(i int32) {
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
			s.Total.Bounced++
		case relaymodel.Expire:
			s.Total.Expired++
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
func (s *Sim) attempt(i int32, a relaymodel.Action) {
	s.Total.Attempts++
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
func (s *Sim) host(k Kind) relaymodel.Session {
	vary := func(d time.Duration) time.Duration { return d*9/10 + time.Duration(s.Rand.Int64N(int64(d)/5+1)) }
	switch k {
	case Dead:
		return relaymodel.Session{Absent: true, Took: vary(s.Silence), All: relaymodel.Verdict{Class: relaymodel.Deferred}}
	case Full:
		s.each[0] = relaymodel.Verdict{Class: relaymodel.Deferred}
	default:
		s.each[0] = relaymodel.Verdict{Class: relaymodel.Done}
	}
	return relaymodel.Session{Took: vary(s.Session), Each: s.each[:]}
}

// Run goes on until the time.
func (s *Sim) Run(until time.Duration) {
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
			if at, again := s.Turn(ev.job); again {
				s.Plan(at, ev.job)
			}
			continue
		}
		s.finish(ev)
	}
}

// finish ends a delivery.
func (s *Sim) finish(ev event) {
	m := s.mails[ev.ref]
	if ev.class == relaymodel.Done {
		if ev.handed < 0 {
			s.Total.Delivered++
			if s.Delivered != nil {
				s.Delivered(m.lane, s.now-m.arrival)
			}
		} else {
			s.Total.HandedOver++
			s.Total.Submitted--
			s.arrival = m.arrival
			s.Submit(int(ev.handed), m.lane, m.dest)
			s.arrival = -1
		}
	}
	s.classes[0] = ev.class
	s.relays[ev.relay].q.Finish(s.now, ev.job, s.classes[:], ev.fb, ev.cache)
	s.act(ev.relay)
}

// Counts adds up the queues of the primaries, or of the graveyards.
func (s *Sim) Counts(graveyard bool) (c relaymodel.Counts) {
	for i := range s.relays {
		if r := &s.relays[i]; r.graveyard == graveyard {
			n := r.q.Counts()
			c.Incoming, c.Active, c.Deferred = c.Incoming+n.Incoming, c.Active+n.Active, c.Deferred+n.Deferred
		}
	}
	return c
}

// Now is the time.
func (s *Sim) Now() time.Duration { return s.now }

// Plan has Turn called for a submitter at a time.
func (s *Sim) Plan(at time.Duration, submitter int32) {
	s.push(event{at: at, relay: -1, job: submitter})
}

// Route gives destinations from first on, up to end, a transport on every relay.
func (s *Sim) Route(first, end int32, transport int) {
	for i := range s.relays {
		for dest := first; dest < end; dest++ {
			s.relays[i].q.Route(dest, transport)
		}
	}
}

func (s *Sim) push(e event) {
	s.events = append(s.events, e)
	h := s.events
	i := len(h) - 1
	for i > 0 && h[(i-1)/2].at > e.at {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = e
}

func (s *Sim) pop() event {
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

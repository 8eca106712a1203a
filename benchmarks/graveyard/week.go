package main

import (
	"math"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/relaysim"
	"github.com/mxsend/go-mxsend/internal/relaymodel"
)

const (
	hour = time.Hour
	day  = 24 * hour
	week = 7 * day
)

// A scenario is a week of mail.
type scenario struct {
	Name       string
	Graveyards int
	Volume     float64       // factor on both kinds of mail
	Mailings   int           // of 1.7 million recipients each
	Pace       float64       // bulk mails a second in all; 0: as fast as the relays take them
	OwnLane    bool          // bulk has a transport of its own on the relays
	Dead       float64       // share of bulk recipients at domains that take connections and say nothing
	Full       float64       // share of bulk recipients whose mailbox is full
	Silence    time.Duration // until a relay gives up on a dead domain
	Seed       uint64
}

const (
	weeklyTransactional = 6_000_000
	mailing             = 1_700_000
	submitters          = 20                    // bulk sessions, ten a primary
	acceptTime          = 20 * time.Millisecond // of one mail in one session: 500 mails/s a primary
)

// A weekResult is what came of a week.
type weekResult struct {
	Scenario      string
	Mails         int
	Totals        relaysim.Totals
	Median        float64
	P99           float64
	Max           float64
	Over10s       float64
	SlowMinutes   int
	PeakDeferred  int
	PeakGraveyard int
	Seconds       float64
	series        []sample
}

// run simulates the week, and the hours after it that mail of its end needs.
func (s scenario) run() weekResult {
	began := time.Now()
	primary, graveyard := relaymodel.DefaultParams(), relaysim.Graveyard()
	if s.OwnLane {
		primary.Transports = append(primary.Transports, relaymodel.DefaultTransport())
		graveyard.Transports = append(graveyard.Transports, graveyard.Transports[0])
	}
	world := relaysim.New(2, s.Graveyards, primary, graveyard, relaysim.World(2), s.Seed)
	world.Silence = s.Silence
	offset := int32(0)
	if s.OwnLane {
		offset = relaysim.Domains // a lane of its own has its own queue for each domain
		world.Route(relaysim.Domains, 2*relaysim.Domains, 1)
	}
	rec := newRecorder()
	world.Delivered = func(lane relaysim.Lane, delay time.Duration) {
		if lane == relaysim.Transactional {
			rec.add(world.Now()-delay, delay)
		}
	}
	s.mailings(world, offset)
	trans := &stream{world: world, perWeek: s.Volume * weeklyTransactional}
	for at := time.Duration(0); at < week; at += bucket {
		trans.until(at + bucket)
		rec.queues(at, world)
	}
	world.Run(week + 6*hour)
	r := rec.result()
	r.Scenario, r.Mails, r.Totals, r.Seconds = s.Name, world.Total.Submitted, world.Total, time.Since(began).Seconds()
	return r
}

// mailings plans the mailings, at ten in the morning of every other day from Monday on.
func (s scenario) mailings(world *relaysim.Sim, offset int32) {
	var left [4]int
	size := int(s.Volume * mailing)
	for i := range s.Mailings {
		left[i] = size
	}
	spacing := time.Duration(0)
	if s.Pace > 0 {
		spacing = time.Duration(float64(submitters) / s.Pace * float64(time.Second))
	}
	world.Turn = func(id int32) (time.Duration, bool) {
		n := id / submitters
		if left[n] == 0 {
			return 0, false
		}
		left[n]--
		wait := world.Submit(int(id)%2, relaysim.Bulk, world.Recipient(s.Dead, s.Full)+offset)
		return world.Now() + max(acceptTime+wait, spacing), true
	}
	for n := range s.Mailings {
		for i := range submitters {
			start := time.Duration(n)*2*day + 10*hour + time.Duration(i)*acceptTime/submitters
			world.Plan(start, int32(n*submitters+i))
		}
	}
}

// A stream is transactional mail, more of it by day than by night.
type stream struct {
	world   *relaysim.Sim
	perWeek float64
	next    time.Duration
	n       int
}

// until submits what arrives before a time.
func (t *stream) until(end time.Duration) {
	for t.next < end {
		t.world.Run(t.next)
		t.world.Submit(t.n%2, relaysim.Transactional, t.world.Popular())
		t.n++
		hourOfDay := math.Mod(t.next.Hours(), 24)
		rate := t.perWeek / week.Seconds() * (1 - 0.6*math.Cos(2*math.Pi*(hourOfDay-2)/24))
		t.next += time.Duration(t.world.Rand.ExpFloat64() / rate * float64(time.Second))
	}
	t.world.Run(end)
}

package main

import (
	"math"
	"time"

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
	liveDomains         = 2000
	deadDomains         = 5000
	fullDomains         = 200
)

// domains are the destinations of each lane; a lane of its own has its own queue for each domain.
type domains struct{ live, dead, full, all int32 }

func (s scenario) domains() (domains, []kind) {
	d := domains{live: 0, dead: liveDomains, full: liveDomains + deadDomains, all: liveDomains + deadDomains + fullDomains}
	kinds := make([]kind, 2*d.all)
	for i := range kinds {
		switch n := int32(i) % d.all; {
		case n >= d.full:
			kinds[i] = full
		case n >= d.dead:
			kinds[i] = dead
		}
	}
	return d, kinds
}

// A weekResult is what came of a week.
type weekResult struct {
	Scenario      string
	Mails         int
	Totals        totals
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
	primary, graveyard := relaymodel.DefaultParams(), relaymodel.DefaultParams()
	graveyard.ActiveLimit, graveyard.RecipientLimit, graveyard.MaximalBackoff = 200000, 200000, 4*hour
	graveyard.Transports[0].ProcessLimit = 500
	if s.OwnLane {
		primary.Transports = append(primary.Transports, relaymodel.DefaultTransport())
		graveyard.Transports = append(graveyard.Transports, graveyard.Transports[0])
	}
	d, kinds := s.domains()
	world := newSim(2, s.Graveyards, primary, graveyard, kinds, s.Seed)
	world.silence = s.Silence
	offset := int32(0)
	if s.OwnLane {
		offset = d.all
		for i := range world.relays {
			for dest := d.all; dest < 2*d.all; dest++ {
				world.relays[i].q.Route(dest, 1)
			}
		}
	}
	rec := newRecorder()
	world.delivered = func(lane uint8, delay time.Duration) {
		if lane == transactional {
			rec.add(world.now-delay, delay)
		}
	}
	s.mailings(world, d, offset)
	trans := &stream{world: world, perWeek: s.Volume * weeklyTransactional}
	for at := time.Duration(0); at < week; at += bucket {
		trans.until(at + bucket)
		rec.queues(at, world)
	}
	world.run(week + 6*hour)
	r := rec.result()
	r.Scenario, r.Mails, r.Totals, r.Seconds = s.Name, world.total.Submitted, world.total, time.Since(began).Seconds()
	return r
}

// mailings plans the mailings, at ten in the morning of every other day from Monday on.
func (s scenario) mailings(world *sim, d domains, offset int32) {
	var left [4]int
	size := int(s.Volume * mailing)
	for i := range s.Mailings {
		left[i] = size
	}
	spacing := time.Duration(0)
	if s.Pace > 0 {
		spacing = time.Duration(float64(submitters) / s.Pace * float64(time.Second))
	}
	world.turn = func(id int32) (time.Duration, bool) {
		n := id / submitters
		if left[n] == 0 {
			return 0, false
		}
		left[n]--
		wait := world.submit(int(id)%2, bulk, s.recipient(world, d)+offset)
		return world.now + max(acceptTime+wait, spacing), true
	}
	for n := range s.Mailings {
		for i := range submitters {
			start := time.Duration(n)*2*day + 10*hour + time.Duration(i)*acceptTime/submitters
			world.push(event{at: start, relay: -1, job: int32(n*submitters + i)})
		}
	}
}

// recipient draws the domain of a bulk recipient.
func (s scenario) recipient(world *sim, d domains) int32 {
	switch u := world.rng.Float64(); {
	case u < s.Dead:
		return d.dead + world.rng.Int32N(deadDomains)
	case u < s.Dead+s.Full:
		return d.full + world.rng.Int32N(fullDomains)
	default:
		return popular(world)
	}
}

// popular draws a domain that takes mail: a few large providers have most of the mailboxes.
func popular(world *sim) int32 {
	u := world.rng.Float64()
	return min(liveDomains-1, int32(math.Pow(liveDomains, u)-1))
}

// A stream is transactional mail, more of it by day than by night.
type stream struct {
	world   *sim
	perWeek float64
	next    time.Duration
	n       int
}

// until submits what arrives before a time.
func (t *stream) until(end time.Duration) {
	for t.next < end {
		t.world.run(t.next)
		t.world.submit(t.n%2, transactional, popular(t.world))
		t.n++
		hourOfDay := math.Mod(t.next.Hours(), 24)
		rate := t.perWeek / week.Seconds() * (1 - 0.6*math.Cos(2*math.Pi*(hourOfDay-2)/24))
		t.next += time.Duration(t.world.rng.ExpFloat64() / rate * float64(time.Second))
	}
	t.world.run(end)
}

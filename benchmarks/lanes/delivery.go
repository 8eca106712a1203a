package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/relaysim"
	"github.com/mxsend/go-mxsend/internal/relaymodel"
)

// What is simulated: a week's 6 million transactional mails, evenly, and a mailing of which some recipients are at
// domains that are dead and some mailboxes full.
const (
	transactionalRate = 10.0 // a second
	deadShare         = 0.01
	fullShare         = 0.02
	lead              = 5 * time.Minute       // before the mailing
	submitters        = 20                    // Bulk's sessions with two relays
	acceptTime        = 20 * time.Millisecond // of one mail in one session: 500 mails/s a relay
)

// A way is how the mailing and transactional mail share relays.
type way struct {
	name      string
	pace      float64 // LaneConfig.Rate of Bulk; 0: as fast as the relays take it
	transport bool    // Bulk has a transport of its own on the same relays
	relays    bool    // Bulk has two relays of its own
}

func ways(pace float64) []way {
	return []way{
		{name: "shared relays, unpaced"},
		{name: "shared relays, Bulk in a transport of its own, unpaced", transport: true},
		{name: "shared relays, paced", pace: pace},
		{name: "relays of its own, unpaced", relays: true},
	}
}

// A delivery is the delay of one transactional mail: from the relay's 250 to the destination's.
type delivery struct{ submitted, delay time.Duration }

// A pass is the first pass of a mailing: all of it submitted, and every mail tried once.
type pass struct {
	took  time.Duration
	mails []delivery // submitted meanwhile, in that order
}

func (p *pass) quantile(q float64) time.Duration {
	if len(p.mails) == 0 {
		return 0
	}
	sorted := slices.SortedFunc(slices.Values(p.mails), func(a, b delivery) int { return cmp.Compare(a.delay, b.delay) })
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].delay
}

// idle is transactional mail alone, for a time.
func idle(long time.Duration) *pass {
	p := way{}.world()
	return p.run(func() bool { return p.Now() >= lead+long })
}

// mailing is a mailing of that many recipients.
func (w way) mailing(recipients int) *pass {
	p := w.world()
	offset := int32(0)
	if w.transport {
		offset = relaysim.Domains
	}
	bulk := 0 // the relay that Bulk's comes first
	if w.relays {
		bulk = 2
	}
	spacing := time.Duration(0)
	if w.pace > 0 {
		spacing = time.Duration(submitters / w.pace * float64(time.Second))
	}
	left := recipients
	p.turns = func(id int32) (time.Duration, bool) {
		if left == 0 {
			return 0, false
		}
		left--
		wait := p.Submit(bulk+int(id)%2, relaysim.Bulk, p.Recipient(deadShare, fullShare)+offset)
		return p.Now() + max(acceptTime+wait, spacing), true
	}
	for i := range int32(submitters) {
		p.Plan(lead+time.Duration(i)*max(acceptTime, spacing)/submitters, 1+i)
	}
	// The graveyards do the retries: a primary that has little active has tried all.
	return p.run(func() bool {
		c := p.Counts(false)
		return left == 0 && c.Incoming == 0 && c.Active < submitters
	})
}

// A world is the relays of a way, with a transactional mail every tenth of a second on average. Its submitter 0 is
// transactional, all others are Bulk's.
type world struct {
	*relaysim.Sim
	turns func(id int32) (time.Duration, bool) // of the mailing
	mails []delivery
}

func (w way) world() *world {
	primary, primaries, transports := relaymodel.DefaultParams(), 2, 1
	if w.relays {
		primaries = 4
	}
	if w.transport {
		primary.Transports = append(primary.Transports, relaymodel.DefaultTransport())
		transports = 2
	}
	graveyard := relaysim.Graveyard()
	graveyard.Transports = append(graveyard.Transports, graveyard.Transports[0])
	p := &world{Sim: relaysim.New(primaries, 2, primary, graveyard, relaysim.World(transports), 1)}
	if w.transport {
		p.Route(relaysim.Domains, 2*relaysim.Domains, 1)
	}
	n := 0
	p.Turn = func(id int32) (time.Duration, bool) {
		if id > 0 {
			return p.turns(id)
		}
		n++
		p.Submit(n%2, relaysim.Transactional, p.Popular())
		return p.Now() + time.Duration(p.Rand.ExpFloat64()/transactionalRate*float64(time.Second)), true
	}
	p.Plan(0, 0)
	p.Delivered = func(lane relaysim.Lane, delay time.Duration) {
		if lane == relaysim.Transactional {
			p.mails = append(p.mails, delivery{p.Now() - delay, delay})
		}
	}
	return p
}

// run goes on until it is over, which is looked at every second, and until the transactional mails submitted by then are
// delivered.
func (p *world) run(over func() bool) *pass {
	p.Run(lead)
	end := lead
	for first := true; first || !over(); first = false {
		end += time.Second
		p.Run(end)
	}
	p.Run(end + time.Hour)
	mails := slices.DeleteFunc(p.mails, func(d delivery) bool { return d.submitted < lead || d.submitted >= end })
	slices.SortFunc(mails, func(a, b delivery) int { return cmp.Compare(a.submitted, b.submitted) })
	return &pass{took: end - lead, mails: mails}
}

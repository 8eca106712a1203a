package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
)

// seconds is a duration as a plan has it, in JSON as a number.
type seconds time.Duration

func (s seconds) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(s).Seconds()) }

func (s *seconds) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	*s = seconds(f * float64(time.Second))
	return nil
}

// An outcome is what one bubble found.
type outcome struct {
	PerClient []int     `json:"per_client"` // mails of mailings accepted in the window, of each client that sent one
	Took      []float64 `json:"took"`       // seconds that each transactional mail of the window took, failed or not
	Failed    int       `json:"failed"`     // of those
	Sent      int       `json:"sent"`       // mails of any kind accepted in the window, at the relays that mailings use
	Joined    []float64 `json:"joined"`     // seconds until each late joiner's first mail was accepted; -1: never
	Returned  []float64 `json:"returned"`   // seconds after the outage until each client had a mail over that relay; -1: never
	Refused   []int     `json:"refused"`    // connections that each client could not get during the outage
	Busiest   int       `json:"busiest"`    // questions to DNS within two seconds
	Questions int       `json:"questions"`  // in the window
	ByRelay   []int     `json:"by_relay"`   // mails of clients that send a single one
}

// carryOut runs in a bubble.
func (p plan) carryOut(ctx context.Context) (o outcome, err error) {
	f, err := newFleet(p.Waiting, p.Apart)
	if err != nil {
		return o, err
	}
	if p.Single {
		err = p.singles(f, &o)
	} else {
		err = p.crowd(ctx, f, &o)
	}
	if err != nil {
		return o, err
	}
	return o, f.end(ctx)
}

func (p plan) configure(cfg *mxsend.Config) {
	if p.Apart {
		cfg.Transactional.Domain = apartDomain
	}
}

// crowd is the life of a fleet: all clients, a while to settle, the window, and what comes after it.
func (p plan) crowd(ctx context.Context, f *fleet, o *outcome) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var incumbents []*member
	for i := range p.Clients {
		m, err := f.join(p.configure)
		if err != nil {
			return err
		}
		incumbents = append(incumbents, m)
		if float64(i) < p.Bulk*float64(p.Clients) {
			m.mailing(ctx)
		}
		m.trickle(ctx)
	}
	time.Sleep(time.Duration(p.Warm))
	from := time.Since(f.start)
	time.Sleep(time.Duration(p.Window))
	p.window(o, incumbents, from, time.Since(f.start))
	o.Busiest, o.Questions = f.lookups.busiest(from)
	if p.Joiners > 0 {
		if err := p.late(ctx, f, o); err != nil {
			return err
		}
	}
	if p.Outage > 0 {
		p.outage(f, incumbents, o)
	}
	stop()
	return nil
}

// window takes down what was sent in a time. Transactional mail that began in it is waited for.
func (p plan) window(o *outcome, members []*member, from, to time.Duration) {
	time.Sleep(deadline + time.Second)
	in := func(at time.Duration) bool { return at >= from && at < to }
	for _, m := range members {
		m.mu.Lock()
		n := 0
		for _, a := range m.accepted {
			if in(a.at) {
				n++
			}
		}
		o.Sent += n
		if m.mailed {
			o.PerClient = append(o.PerClient, n)
		}
		for _, s := range m.sends {
			if in(s.began) {
				o.Took = append(o.Took, s.took.Seconds())
				if s.failed {
					o.Failed++
				}
			}
			if !p.Apart && !s.failed && in(s.began+s.took) {
				o.Sent++
			}
		}
		m.mu.Unlock()
	}
}

// late has clients join a fleet that has everything already.
func (p plan) late(ctx context.Context, f *fleet, o *outcome) error {
	var joiners []*member
	at := time.Since(f.start)
	for range p.Joiners {
		m, err := f.join(p.configure)
		if err != nil {
			return err
		}
		joiners = append(joiners, m)
		m.mailing(ctx)
	}
	o.Joined = firsts(joiners, time.Duration(p.Patience), func(a accepted) (time.Duration, bool) { return a.at - at, true })
	return nil
}

// outage switches the first relay off for a while.
func (p plan) outage(f *fleet, members []*member, o *outcome) {
	relay := f.cluster.Primary(0)
	began := time.Since(f.start)
	relay.Stop()
	time.Sleep(time.Duration(p.Outage))
	for _, m := range members {
		n := 0
		m.mu.Lock()
		for _, at := range m.refused {
			if at >= began {
				n++
			}
		}
		m.mu.Unlock()
		o.Refused = append(o.Refused, n)
	}
	back := time.Since(f.start)
	relay.Start()
	o.Returned = firsts(members, time.Duration(p.Patience), func(a accepted) (time.Duration, bool) {
		return a.at - back, a.relay == relay.Name() && a.at >= back
	})
}

// firsts waits until every member has a mail of a mailing accepted that counts, at most so long.
func firsts(members []*member, patience time.Duration, counts func(accepted) (after time.Duration, ok bool)) []float64 {
	found := make([]float64, len(members))
	for i := range found {
		found[i] = -1
	}
	for waited := time.Duration(0); waited < patience; waited += time.Second {
		time.Sleep(time.Second)
		missing := false
		for i, m := range members {
			if found[i] >= 0 {
				continue
			}
			m.mu.Lock()
			for _, a := range m.accepted {
				if after, ok := counts(a); ok {
					found[i] = after.Seconds()
					break
				}
			}
			m.mu.Unlock()
			missing = missing || found[i] < 0
		}
		if !missing {
			break
		}
	}
	return found
}

// singles has clients that send one mail each, one after the other, as cron jobs do.
func (p plan) singles(f *fleet, o *outcome) error {
	o.ByRelay = make([]int, 2)
	for range p.Clients {
		m, err := f.join(func(cfg *mxsend.Config) { cfg.Resolver = mxsend.StaticRelays(f.hosts(0)...) })
		if err != nil {
			return err
		}
		m.send()
		_ = m.client.Close()
		time.Sleep(time.Duration(rand.Int64N(int64(time.Second))))
	}
	for _, mail := range f.cluster.Ledger().Mails() {
		for i := range o.ByRelay {
			if mail.Relay == f.cluster.Primary(i).Name() {
				o.ByRelay[i]++
			}
		}
	}
	return nil
}

package mxsend

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// A pool is the relays of one mail domain, as DNS last named them. Client.mu
// guards it.
type pool struct {
	domain     string
	relays     []*relay
	candidates []candidate // by the same index

	known    bool // a lookup has succeeded
	reached  bool // a connection to one of them has been usable
	stale    bool
	looking  bool
	expires  time.Time // when to look up again; zero: never
	failed   int       // lookups in a row
	err      error     // of the last lookup
	failures uint64    // connections that could not be used
	lastErr  *Error    // why the last of them could not
}

// final says whether the domain has no relays and will not have any.
func (p *pool) final() bool { return !p.known && errors.Is(p.err, ErrNoRelay) }

// usable says whether any relay may get something now.
func (p *pool) usable(now time.Time) bool {
	for i := range p.candidates {
		if p.candidates[i].usable(now) {
			return true
		}
	}
	return false
}

// ailing says whether no relay is well: each is out, fails or refuses this
// client, whatever the message.
func (p *pool) ailing() bool {
	for i, r := range p.relays {
		if p.candidates[i].weight > 0 && r.health.well() {
			return false
		}
	}
	return true
}

// othersUsable says whether a relay other than r may get something now.
func (p *pool) othersUsable(r *relay, now time.Time) bool {
	for i := range p.candidates {
		if i != r.at && p.candidates[i].usable(now) && !p.relays[i].health.out {
			return true
		}
	}
	return false
}

// misfit returns an error if no relay of the pool can work until somebody
// changes something.
func (p *pool) misfit() *Error {
	var last *Error
	for i, r := range p.relays {
		if p.candidates[i].weight == 0 {
			continue
		}
		if r.misfit == nil {
			return nil
		}
		last = r.lastErr
	}
	return last
}

// wakeAt returns when a relay that is out or cooling down may be tried again;
// zero if none is.
func (p *pool) wakeAt(now time.Time) time.Time {
	var at time.Time
	for i := range p.candidates {
		k := &p.candidates[i]
		if k.weight > 0 && now.Before(k.notBefore) && (at.IsZero() || k.notBefore.Before(at)) {
			at = k.notBefore
		}
	}
	return at
}

// update takes over the answer of a lookup: new relays take their share, those
// that are gone finish what they have and get nothing new.
func (c *Client) update(p *pool, found Relays) {
	named := make(map[string]*relay, len(p.relays))
	for _, r := range p.relays {
		named[r.name] = r
		r.gone = true
	}
	for _, h := range found.Hosts {
		if c.cfg.MaxPreference > 0 && h.Preference > c.cfg.MaxPreference || len(h.Addresses) == 0 {
			continue
		}
		name := canonicalHost(h.Name)
		r := named[name]
		if r == nil {
			c.relayIDs++
			r = &relay{pool: p, at: len(p.relays), name: name}
			named[name] = r
			p.relays = append(p.relays, r)
			k := candidate{id: c.relayIDs}
			if c.cfg.Auth != nil {
				k.ramp = 1 // one connection tries the credential
			}
			p.candidates = append(p.candidates, k)
		}
		r.gone = false
		r.addresses, r.port = slices.Clone(h.Addresses), h.Port
		if r.port == 0 {
			r.port = c.cfg.Port
		}
		r.candidate().preference = h.Preference
	}
	c.applyWeights(p)
	c.forgetGone(p)
}

// applyWeights sets each relay's weight, and its connection limit in
// proportion: under full load every relay works at its limit, and so the shares
// follow the weights then, too.
func (c *Client) applyWeights(p *pool) {
	heaviest := map[int]int{} // by preference
	for i, r := range p.relays {
		k := &p.candidates[i]
		k.weight = 0
		if !r.gone {
			k.weight = c.weight(r.name)
		}
		heaviest[k.preference] = max(heaviest[k.preference], k.weight)
	}
	for i := range p.relays {
		k := &p.candidates[i]
		most := heaviest[k.preference]
		if most == 0 {
			continue
		}
		r, limits := p.relays[i], &c.cfg.Limits
		k.limit = max(1, (limits.Connections*k.weight+most-1)/most)
		if r.learned > 0 {
			k.limit = min(k.limit, r.learned)
		}
		k.bulkLimit = max(1, ((limits.Connections-limits.Reserved)*k.weight+most-1)/most)
		if r.window > 0 {
			k.bulkLimit = min(k.bulkLimit, int(r.window))
		}
		if limits.Reserved > 0 && k.limit > 1 {
			k.bulkLimit = min(k.bulkLimit, k.limit-1)
		}
	}
}

func (c *Client) weight(name string) int {
	if w, ok := c.cfg.Weights[name]; ok {
		return w
	}
	return 1
}

// forgetGone drops relays that are gone from DNS and have no connections left,
// and has the idle connections of the others end.
func (c *Client) forgetGone(p *pool) {
	for i := 0; i < len(p.relays); {
		r := p.relays[i]
		if r.gone {
			for _, cn := range r.conns {
				cn.leave()
			}
		}
		if !r.gone || len(r.conns) > 0 {
			i++
			continue
		}
		// Whoever still holds the relay finds its books in a pool of its own.
		r.pool = &pool{domain: p.domain, relays: []*relay{r}, candidates: []candidate{p.candidates[i]}}
		r.at = 0
		p.relays = slices.Delete(p.relays, i, i+1)
		p.candidates = slices.Delete(p.candidates, i, i+1)
		for j := i; j < len(p.relays); j++ {
			p.relays[j].at = j
		}
	}
}

// refresh looks the domain up in the background, if it is time to. Client.mu is
// held.
func (c *Client) refresh(p *pool, now time.Time) {
	due := !p.known || !p.expires.IsZero() && !now.Before(p.expires)
	if p.looking || !due || c.closed || p.failed > 0 && now.Before(p.expires) {
		return
	}
	p.looking = true
	c.goroutines.Add(1)
	go c.lookUp(p)
}

// expiry is when an answer that a Resolver says to expire at a time is looked up
// again: by the monotonic clock, neither in a busy loop nor, since the Resolver's
// clock may have been set, ever so late.
func expiry(said, now time.Time) time.Time {
	const soonest, latest = time.Second, time.Hour
	if said.IsZero() {
		return said
	}
	return now.Add(min(max(said.Sub(now), soonest), latest))
}

// resolve asks the Resolver; a panic in it is a lookup that failed.
func (c *Client) resolve(domain string) (found Relays, err error) {
	defer recovered("Config.Resolver", &err)
	return c.cfg.Resolver.LookupRelays(c.ctx, domain)
}

func (c *Client) lookUp(p *pool) {
	found, err := c.resolve(p.domain)
	if err == nil && len(found.Hosts) == 0 {
		err = ErrNoRelay
	}
	c.mu.Lock()
	defer c.unlockLast()
	now := time.Now()
	p.looking = false
	if f := c.cfg.Observer.LookedUp; f != nil {
		c.after(func() { f(p.domain, found, err) })
	}
	if err != nil {
		p.err = err
		wait := jitter(doubled(time.Second, p.failed, lastRelayMost), rand.Float64())
		p.failed++
		p.expires = now.Add(wait)
		c.log(levelWarn, "lookup of relays failed", "domain", p.domain, "error", err, "known", p.known, "again_in", wait)
	} else {
		p.known, p.failed, p.err = true, 0, nil
		p.expires, p.stale = expiry(found.Expires, now), found.Stale
		c.update(p, found)
		for _, w := range found.Warnings {
			c.log(levelWarn, "relays of "+p.domain+": "+w)
		}
	}
	c.dispatch(now)
}

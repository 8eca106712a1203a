package mxsend

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"time"
)

const (
	lookupTime = 30 * time.Second // for a lookup, addresses included
	// lookupWait is how long mail waits for new relays where those known have
	// expired.
	lookupWait = 2 * time.Second
	lookupLate = time.Second // for a Resolver to return after its context has ended
	// staleMost is for how long after its time the last good answer is used (RFC
	// 8767 §5 suggests one to three days).
	staleMost = 24 * time.Hour
	// hostPatience bounds the wait for the addresses of further hosts once one host
	// has some; hostTTL is how long they are good for, since the system tells none.
	hostPatience = 5 * time.Second
	hostTTL      = time.Minute
)

// refresh looks the domain up in the background, if it is time to. Client.mu is
// held. As long as a connection is open, or something is to be sent, that is when
// the answer expires; else with the next message, which then waits for the new
// answer.
func (c *Client) refresh(p *pool, now time.Time) {
	at := p.lookupAt()
	due := !p.known || !at.IsZero() && !now.Before(at)
	if p.looking || !due || c.ctx.Err() != nil || p.failed > 0 && now.Before(p.expires) {
		return
	}
	p.looking, p.asked, p.late = true, now, !p.connected() // and so it has expired
	c.goroutines.Add(1)
	go c.lookUp(p)
}

// lookupAt is when to look the domain up again; zero: never.
func (p *pool) lookupAt() time.Time {
	if p.connected() {
		return p.ahead
	}
	return p.expires
}

// aheadOf spreads the lookups of clients that were started together over the last
// fifth of what DNS allows; a resolver that asks ahead of expiry does so then.
func aheadOf(expires, now time.Time, random float64) time.Time {
	if expires.IsZero() {
		return expires
	}
	return expires.Add(-time.Duration(random * float64(expires.Sub(now)) / 5))
}

// awaits says whether mail waits for the lookup under way. Where lookups failed
// before, nobody waits for them to do so again.
func (p *pool) awaits(now time.Time) bool {
	switch {
	case !p.looking:
		return false
	case p.tooOld(now):
		return true
	}
	return p.late && (p.failed == 0 || p.final()) && now.Sub(p.asked) < lookupWait
}

// tooOld says whether the last answer that was not stale is too old to be used.
func (p *pool) tooOld(now time.Time) bool {
	return !p.fresh.IsZero() && now.Sub(p.fresh) > staleMost
}

// final says whether the domain has no relays and will not have any, as far as is
// known.
func (p *pool) final() bool { return !p.known && p.noRelay }

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

func (c *Client) lookUp(p *pool) {
	ctx, cancel := context.WithTimeout(c.ctx, lookupTime)
	found, err := c.resolve(ctx, p.domain)
	cancel()
	// Asked without a lock, since the error may be the user's. That the Resolver
	// names none is likelier a gap in what it knows than meant so.
	noRelay := errors.Is(err, ErrNoRelay)
	final := noRelay && !errors.Is(err, errNoneNamed)
	c.mu.Lock()
	defer c.unlockLast()
	now := time.Now()
	p.looking = false
	if c.ctx.Err() != nil {
		return
	}
	if f := c.cfg.Observer.LookedUp; f != nil {
		c.after(func() { f(p.domain, found, err) })
	}
	if err == nil && found.Stale && p.tooOld(now) {
		err = fmt.Errorf("the Resolver has had no new answer for %v", staleMost)
	}
	if err != nil {
		p.noRelay = noRelay
		c.lookupFailed(p, err, final, now)
	} else {
		c.lookedUp(p, found, now)
	}
	c.dispatch(now)
}

// lookupFailed keeps the relays known, unless the error is final or they are too
// old.
func (c *Client) lookupFailed(p *pool, err error, final bool, now time.Time) {
	wait := jitter(doubled(time.Second, p.failed, lastRelayMost), rand.Float64())
	first := p.failed == 0
	p.err = err
	p.failed++
	p.expires = now.Add(wait)
	p.ahead = p.expires
	forget := p.known && (final || p.tooOld(now))
	if forget {
		p.known, p.stale = false, false
		c.update(p, Relays{})
	}
	if first || forget {
		c.log(levelWarn, "lookup of relays failed", "domain", p.domain, "error", err, "known", p.known, "again_in", wait)
	}
}

// lookedUp takes over an answer.
func (c *Client) lookedUp(p *pool, found Relays, now time.Time) {
	if p.failed > 0 {
		c.log(levelInfo, "lookup of relays works again", "domain", p.domain)
	}
	switch {
	case found.Stale && !p.stale:
		c.log(levelWarn, "relays are those of an old answer", "domain", p.domain, "cause", found.Cause)
	case !found.Stale && p.stale:
		c.log(levelInfo, "relays are those of a new answer again", "domain", p.domain)
	}
	for _, w := range found.Warnings {
		if !slices.Contains(p.warned, w) {
			c.log(levelWarn, "relays of "+p.domain+": "+w)
		}
	}
	p.warned = slices.Clone(found.Warnings)
	last := p.expires
	p.expires = expiry(found.Expires, now)
	p.ahead = p.expires
	if p.expires.Sub(last).Abs() > time.Second { // else it is the same answer, out of a cache, and another is due at its end
		p.ahead = aheadOf(p.expires, now, rand.Float64())
	}
	if !found.Stale || p.fresh.IsZero() {
		p.fresh = p.expires
	}
	p.known, p.failed, p.err, p.noRelay, p.stale = true, 0, nil, false, found.Stale
	c.update(p, found)
	c.noteWeights()
}

// errNoneNamed: a lookup succeeded, and named no relay.
var errNoneNamed = fmt.Errorf("%w: Config.Resolver names none", ErrNoRelay)

// resolve asks the Resolver, and looks up the addresses of hosts that it gives
// none of. A panic in it is a lookup that failed. When ctx ends it returns whether
// or not the Resolver does: one that does not heed ctx is left behind.
func (c *Client) resolve(ctx context.Context, domain string) (Relays, error) {
	type answer struct {
		found Relays
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		var a answer
		defer func() { answers <- a }()
		defer recovered("Config.Resolver", &a.err)
		a.found, a.err = c.cfg.Resolver.LookupRelays(ctx, domain)
	}()
	var a answer
	select {
	case a = <-answers:
	case <-ctx.Done():
		late := time.NewTimer(lookupLate)
		defer late.Stop()
		select {
		case a = <-answers: // it heeds ctx
		case <-late.C:
			a.err = fmt.Errorf("Config.Resolver does not return: %w", context.Cause(ctx))
		}
	}
	switch {
	case a.err != nil:
		return Relays{}, a.err
	case len(a.found.Hosts) == 0:
		return Relays{}, errNoneNamed
	}
	return withAddresses(ctx, a.found, func(ctx context.Context, name string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	})
}

// withAddresses looks up the addresses of hosts that have none, all at once. Once
// a host has some, the others are not waited for long: what cannot be looked up
// must not hold up mail for the rest.
func withAddresses(ctx context.Context, found Relays, lookup func(ctx context.Context, name string) ([]netip.Addr, error)) (Relays, error) {
	type answer struct {
		at        int // of the host
		addresses []netip.Addr
		err       error
	}
	found.Hosts, found.Warnings = slices.Clone(found.Hosts), slices.Clone(found.Warnings)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan answer, len(found.Hosts))
	open := map[int]bool{} // hosts that are asked for
	some := false          // a host has addresses
	for i := range found.Hosts {
		h := &found.Hosts[i]
		if len(h.Addresses) == 0 {
			if a, err := netip.ParseAddr(h.Name); err == nil {
				h.Addresses = []netip.Addr{a}
			}
		}
		switch {
		case len(h.Addresses) > 0:
			some = true
		case h.Name == "":
			found.Warnings = append(found.Warnings, "a Host has neither Name nor Addresses")
		default:
			open[i] = true
			name := h.Name
			go func() {
				addresses, err := lookup(ctx, name)
				answers <- answer{i, addresses, err}
			}()
		}
	}
	if len(open) == 0 {
		return found, nil
	}
	if now := time.Now(); found.Expires.IsZero() || now.Add(hostTTL).Before(found.Expires) {
		found.Expires = now.Add(hostTTL)
	}
	patience := time.NewTimer(hostPatience)
	defer patience.Stop()
	impatient := false
	var failures []error
	failed := func(i int, err error) {
		failures = append(failures, fmt.Errorf("address of relay %q: %w", found.Hosts[i].Name, err))
		delete(open, i)
	}
	for len(open) > 0 && !(impatient && some) {
		select {
		case a := <-answers:
			if a.err != nil {
				failed(a.at, a.err)
				continue
			}
			h := &found.Hosts[a.at]
			for _, address := range a.addresses {
				h.Addresses = append(h.Addresses, address.Unmap())
			}
			some = some || len(h.Addresses) > 0
			delete(open, a.at)
		case <-patience.C:
			impatient = true
		case <-ctx.Done():
			for i := range open {
				failed(i, context.Cause(ctx))
			}
		}
	}
	for i := range open {
		failed(i, fmt.Errorf("no answer within %v", hostPatience))
	}
	if !some && len(failures) > 0 {
		return Relays{}, errors.Join(failures...)
	}
	for _, err := range failures {
		found.Warnings = append(found.Warnings, err.Error())
	}
	return found, nil
}

// noteWeights warns of weights for hosts that are not in DNS, once. Nothing is
// known of that before all domains were looked up.
func (c *Client) noteWeights() {
	unknown := make(map[string]bool, len(c.cfg.Weights))
	for name := range c.cfg.Weights {
		unknown[name] = true
	}
	for _, p := range c.pools {
		if !p.known {
			return
		}
		for _, r := range p.relays {
			if !r.gone {
				delete(unknown, r.name)
			}
		}
	}
	for name := range unknown {
		if !c.unknownWeights[name] {
			c.log(levelWarn, "Config.Weights has a weight for a host that is not in DNS", "host", name, "weight", c.cfg.Weights[name])
		}
	}
	c.unknownWeights = unknown
}

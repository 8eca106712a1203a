package mxsend

import (
	"net/netip"
	"slices"
	"time"
)

// A poolKey is what two lanes must have in common to share their relays.
type poolKey struct {
	domain string
	port   int // of relays whose Host names none
}

// A pool is the relays of one mail domain, as DNS last named them. Client.mu
// guards it.
type pool struct {
	poolKey
	relays     []*relay
	candidates []candidate // by the same index

	known    bool // a lookup has succeeded, and its answer may still be used
	reached  bool // a connection to one of them has been usable
	stale    bool
	warned   []string  // what the log was told by the last answer
	looking  bool      // a lookup is under way
	asked    time.Time // when it was begun
	late     bool      // it was begun for a message that came after the answer had expired
	expires  time.Time // when to look up again; zero: never
	ahead    time.Time // the same while a connection is open: at a moment of this client's own
	fresh    time.Time // until when the last answer that was not stale held; zero: for ever
	failed   int       // lookups in a row
	err      error     // of the last lookup
	noRelay  bool      // it wraps ErrNoRelay
	failures uint64    // connections that could not be used
	lastErr  *Error    // why the last of them could not
}

// wantNothing forgets what transactional entries wait for, before it is looked at
// anew.
func (p *pool) wantNothing() {
	for i := range p.candidates {
		p.candidates[i].wanted = false
	}
}

// connected says whether a connection to any of them is open, or being opened.
func (p *pool) connected() bool {
	for i := range p.candidates {
		if p.candidates[i].conns > 0 {
			return true
		}
	}
	return false
}

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

// othersBelievable says whether a relay other than r takes what it gets.
func (p *pool) othersBelievable(r *relay, now time.Time) bool {
	for i, other := range p.relays {
		if h := &other.health; i != r.at && p.candidates[i].usable(now) && h.well() && h.believable(now) && h.deferrals == 0 {
			return true
		}
	}
	return false
}

// rest is how long a connection of r takes nothing new after a refusal: several
// times as long as another relay takes to accept a message, so that who is fast
// because it refuses does not draw the load of those that accept. Zero where no other
// could take it, or none is known to accept.
func (p *pool) rest(r *relay, now time.Time) (wait time.Duration) {
	const times, most = 4, time.Second
	for i, other := range p.relays {
		if i != r.at && p.candidates[i].usable(now) && !other.health.out {
			wait = max(wait, times*other.latency)
		}
	}
	return min(wait, most)
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

// open is how many connections are open to its relays.
func (p *pool) open() (n int) {
	for i := range p.candidates {
		n += p.candidates[i].conns - p.candidates[i].dialing
	}
	return n
}

// wakeAt returns when a relay that is out or cooling down may be tried again, or
// one that is crowded be asked for a connection; zero if none is.
func (p *pool) wakeAt(now time.Time) time.Time {
	var at time.Time
	for i := range p.candidates {
		k := &p.candidates[i]
		for _, t := range [2]time.Time{k.notBefore, k.crowd.openAt} {
			if k.weight > 0 && now.Before(t) && (at.IsZero() || t.Before(at)) {
				at = t
			}
		}
	}
	return at
}

// relayKey is what tells relays of a domain from each other.
type relayKey struct {
	name string
	port int
}

// key of a host: its name or, where it has none, its first address. ok is false
// if it has neither.
func (h *Host) key(defaultPort int) (k relayKey, ok bool) {
	k = relayKey{canonicalHost(h.Name), h.Port}
	if k.name == "" && len(h.Addresses) > 0 {
		k.name = h.Addresses[0].String()
	}
	if k.port == 0 {
		k.port = defaultPort
	}
	return k, k.name != ""
}

// update takes over the answer of a lookup: new relays take their share, those
// that are gone finish what they have and get nothing new. A relay whose addresses
// could not be looked up this time keeps those it has.
func (c *Client) update(p *pool, found Relays) {
	named := make(map[relayKey]*relay, len(p.relays))
	for _, r := range p.relays {
		named[relayKey{r.name, r.port}] = r
		r.gone = true
	}
	for _, h := range found.Hosts {
		key, ok := h.key(p.port)
		r := named[key]
		if !ok || c.cfg.MaxPreference > 0 && h.Preference > c.cfg.MaxPreference || r == nil && len(h.Addresses) == 0 {
			continue
		}
		if r == nil {
			c.relayIDs++
			r = &relay{pool: p, at: len(p.relays), name: key.name, port: key.port, gone: true}
			named[key] = r
			p.relays = append(p.relays, r)
			k := candidate{id: c.relayIDs, lot: c.draw()}
			if c.cfg.Auth != nil {
				k.ramp = 1 // one connection tries the credential
			}
			p.candidates = append(p.candidates, k)
		}
		k := r.candidate()
		if r.gone { // else it is named twice, and has the addresses of both
			r.gone, k.preference = false, h.Preference
			if len(h.Addresses) > 0 {
				r.addresses = nil
			}
		}
		r.addresses = withAll(r.addresses, h.Addresses)
		k.preference = min(k.preference, h.Preference)
	}
	c.applyWeights(p)
	c.forgetGone(p)
}

// withAll returns addresses and those of more that are not among them, in memory
// of its own.
func withAll(addresses, more []netip.Addr) []netip.Addr {
	all := slices.Clone(addresses)
	for _, a := range more {
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
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
		if k.crowd.limit > 0 {
			k.limit = min(k.limit, k.crowd.limit)
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
		r.pool = &pool{poolKey: p.poolKey, relays: []*relay{r}, candidates: []candidate{p.candidates[i]}}
		r.at = 0
		p.relays = slices.Delete(p.relays, i, i+1)
		p.candidates = slices.Delete(p.candidates, i, i+1)
		for j := i; j < len(p.relays); j++ {
			p.relays[j].at = j
		}
	}
}

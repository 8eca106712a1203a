package mxsend

import (
	"math"
	"slices"
	"time"
)

// A candidate is what pick knows of a relay. The dispatcher keeps one for each
// relay of a mail domain up to date as connections and transactions come and go.
type candidate struct {
	id         int // of the relay; unique within the Client
	preference int // MX preference: the tier
	weight     int // zero: drained

	notBefore time.Time // put out or cooling down until then
	lastOctet time.Time // when the relay last said anything while something was outstanding

	ramp      int // entries it may carry, being opened for included; zero: no such limit
	limit     int // connections to it that may be open: as configured, or fewer in a crowd
	bulkLimit int // of those, how many may carry Bulk
	conns     int // open or being opened
	dialing   int // of those, being opened
	busy      int // of those, carrying something
	bulkConns int // of those busy, carrying any Bulk
	inFlight  int // entries on its connections
	idle      int // connections that are ready and carry nothing
	slots     int // connections whose envelope slot is free, for Bulk
	fastSlots int // of those, the ones behind Transactional content

	crowd crowd // whether it has sessions to spare
	pace  pace  // how long it takes for a message
	slow  int   // in the pick under way: how many times as long as the fastest, for Transactional

	lacks   need  // what its EHLO is known not to offer
	maxSize int64 // its SIZE; zero: no limit known

	credit int    // of the smooth weighted round-robin
	lot    uint32 // drawn: of relays that are alike, not every client shall begin with the same
	// In the pick under way: it had room, or had none though it is not silent.
	inRace, noRoom bool
	// wanted: a transactional entry waits for a free place here. Bulk fills none of
	// its own anew meanwhile: its connections fall idle one by one, and Transactional,
	// which never goes behind Bulk, borrows them.
	wanted bool
}

// A relay with that many entries outstanding and silent for that long gets
// nothing new. One that has no room for a new one and is silent for that long is
// not waited for by entries that had their turn elsewhere.
const (
	stallEntries = 3
	stallSilence = 5 * time.Second
)

// need is a set of SMTP extensions.
type need uint8

const (
	needEightBitMIME need = 1 << iota
	needSMTPUTF8
	needRequireTLS
)

// want is what pick must know of the entry to be placed.
type want struct {
	lane    Lane
	need    need
	size    int64
	avoid   []int // ids of relays that have had their turn
	mayOpen bool  // a connection may be opened for it
	now     time.Time
}

// placement says into what an entry goes.
type placement uint8

const (
	placeNone placement = iota
	placeIdle           // an idle connection
	placeSlot           // the envelope slot of a busy connection
	placeOpen           // none yet: a connection has to be opened
)

// A choice is pick's answer: where the entry goes now, and where a connection
// is to be opened; −1 for neither.
type choice struct {
	use  int // index of the candidate
	how  placement
	open int // index of the candidate
	// exhausted: no relay is left that this entry may try, now or when a slot
	// gets free. lacking: because none that is usable offers what it needs.
	exhausted, lacking bool
	// barred: there is no room for this entry, but it may not go everywhere, so
	// there may be room for another.
	barred bool
}

// pick chooses the relay for an entry: the lowest tier with a usable relay, in
// it the one with the least in flight for its weight, ties by smooth weighted
// round-robin. It changes nothing but the credits of that round-robin and, where
// there is no room for a transactional entry, which relays are wanted.
func pick(cs []candidate, w *want) choice {
	compare(cs, w)
	lacking, usable, barred := true, false, false
	r := newRace(math.MaxInt, w.now.Add(-stallSilence))
	for i := range cs {
		c := &cs[i]
		c.inRace, c.noRoom = false, false
		offers := c.offers(w)
		// A relay that is out for a while and not known to lack anything is worth
		// waiting for.
		lacking = lacking && (c.weight == 0 || !offers)
		if !c.usable(w.now) {
			continue
		}
		usable = true
		barred = barred || !offers
		if offers && c.preference <= r.tier {
			r.enter(cs, i, w)
		}
	}
	switch {
	case r.tier == math.MaxInt:
		// Who had its turn already waits for its next round, and not for the first
		// relay to be usable again, which would only send it there.
		return choice{use: -1, open: -1, exhausted: usable || len(w.avoid) > 0, lacking: usable && lacking}
	case r.untried == 0 && (r.had > 0 || r.silent == 0):
		return choice{use: -1, open: -1, exhausted: true}
	case r.best < 0:
		r.want(cs, w)
		return choice{use: -1, open: -1, barred: barred || r.had > 0}
	}
	best, how, open := r.best, r.how, -1
	if how == placeSlot && r.idle >= 0 && w.mayOpen && cs[best].mayGrow(w.now) {
		// It gets by on slots, where others have connections to spare: without one
		// more its messages would take longer, and its share be smaller.
		open = best
	}
	if how == placeOpen {
		open = best
		if r.idle < 0 {
			r.want(cs, w)
			return choice{use: -1, open: open}
		}
		// Nobody waits for a new connection while an old one stands idle: the
		// share of the relay being connected is made up for by its credit.
		best, how = r.idle, placeIdle
	}
	r.settle(cs, best)
	return choice{use: best, how: how, open: open}
}

// compare compares how long relays take, for Transactional. Under Bulk, which keeps all
// of them busy, the shares are those of the weights.
func compare(cs []candidate, w *want) {
	fastest := time.Duration(math.MaxInt64)
	if w.lane == Transactional {
		for i := range cs {
			if cost := cs[i].pace.now(w.now); cost > 0 && cs[i].usable(w.now) {
				fastest = min(fastest, cost)
			}
		}
	}
	for i := range cs {
		cs[i].slow = slowness(cs[i].pace.now(w.now), fastest)
	}
}

// A race is the comparison of the relays of one tier.
type race struct {
	tier    int
	had     int // relays that the entry had its turn at
	silent  int // others that have no room and say nothing
	untried int // others that the entry may still try, with or without room
	total   int // weight of those with room
	best    int // index of the one to be chosen; −1: none yet
	idle    int // of those with an idle connection
	how     placement
	silence time.Time // a relay that was last heard of before it may be stalled
}

func newRace(tier int, silence time.Time) race {
	return race{tier: tier, best: -1, idle: -1, silence: silence}
}

// enter takes a relay of this tier or a lower one into the race.
func (r *race) enter(cs []candidate, i int, w *want) {
	c := &cs[i]
	if c.preference < r.tier {
		*r = newRace(c.preference, r.silence)
	}
	if slices.Contains(w.avoid, c.id) {
		r.had++
		return
	}
	p, silent := c.placement(w), c.inFlight > 0 && c.lastOctet.Before(r.silence)
	if silent && (p == placeNone || c.inFlight >= stallEntries) {
		r.silent++
		return
	}
	r.untried++
	if p == placeNone {
		c.noRoom = true
		return
	}
	c.inRace = true
	r.total += c.weight
	if r.best < 0 || c.before(&cs[r.best]) {
		r.best, r.how = i, p
		if p == placeIdle {
			r.idle = i
		}
	} else if p == placeIdle && (r.idle < 0 || c.before(&cs[r.idle])) {
		r.idle = i
	}
}

// want notes, for an entry that is not placed, where a free place would help it.
// Behind the probe of a relay that comes back one would not.
func (r *race) want(cs []candidate, w *want) {
	for i := range cs {
		c := &cs[i]
		if w.lane == Transactional && (c.noRoom || c.inRace) && c.preference == r.tier && c.ramp == 0 {
			c.wanted = true
		}
	}
}

// settle is the step of the smooth weighted round-robin: all that were in the
// race earn their weight, the chosen one pays for all.
func (r *race) settle(cs []candidate, chosen int) {
	// What a relay earns while it is in no state to be chosen is bounded, so
	// that it is not paid out in a burst.
	most := 4 * r.total
	for i := range cs {
		c := &cs[i]
		if c.inRace && c.preference == r.tier {
			c.credit += c.weight
		}
		if i == chosen {
			c.credit -= r.total
		}
		c.credit = min(max(c.credit, -most), most)
	}
}

// usable says whether the relay may get anything at all.
func (c *candidate) usable(now time.Time) bool {
	return c.weight > 0 && c.limit > 0 && !now.Before(c.notBefore)
}

func (c *candidate) offers(w *want) bool {
	return c.lacks&w.need == 0 && (c.maxSize == 0 || w.size <= c.maxSize)
}

// placement says how the relay would take the entry now. Transactional prefers
// a new connection to the slot behind another message; Bulk the other way round.
func (c *candidate) placement(w *want) placement {
	if c.ramp > 0 && c.inFlight+c.dialing >= c.ramp {
		return placeNone
	}
	canOpen := w.mayOpen && c.conns < c.limit && c.crowd.mayOpen(w.now, c.conns-c.dialing, c.dialing)
	if w.lane == Bulk {
		room := c.bulkConns < c.bulkLimit
		switch {
		case c.wanted:
			return placeNone
		case c.idle > 0 && room && c.busy < c.limit:
			return placeIdle
		case c.slots > c.fastSlots && c.bulkConns <= c.bulkLimit || c.slots > 0 && room:
			// Behind Transactional it makes the connection one of Bulk's. Where the limit
			// went down, connections over it fall idle, which they never would if they
			// were filled anew.
			return placeSlot
		case canOpen && c.bulkConns+c.dialing < c.bulkLimit:
			return placeOpen
		}
		return placeNone
	}
	switch {
	case c.idle > 0 && c.busy < c.limit:
		return placeIdle
	case canOpen:
		return placeOpen
	case c.fastSlots > 0 && c.busy <= c.limit:
		return placeSlot
	}
	return placeNone
}

// mayGrow says whether a connection more would be within the limits, and none
// is being opened.
func (c *candidate) mayGrow(now time.Time) bool {
	return c.dialing == 0 && c.ramp == 0 && c.conns < c.limit && c.bulkConns < c.bulkLimit && c.crowd.mayOpen(now, c.conns, 0)
}

// before orders by load for the weight; equals by credit.
func (c *candidate) before(d *candidate) bool {
	a, b := c.load()*d.weight, d.load()*c.weight
	if a != b {
		return a < b
	}
	if a, b = c.credit+c.weight, d.credit+d.weight; a != b {
		return a > b
	}
	return c.lot > d.lot
}

// load is how many entries it has or will have, and what they take of its time: those
// of a slow relay, and the one that would be put there, count so many times.
func (c *candidate) load() int { return (c.inFlight+c.dialing+1)*max(1, c.slow) - 1 }

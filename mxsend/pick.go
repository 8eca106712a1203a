package mxsend

import (
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
	limit     int // connections to it that may be open, learned or configured
	bulkLimit int // of those, how many may carry Bulk
	conns     int // open or being opened
	dialing   int // of those, being opened
	busy      int // of those, carrying something
	bulkConns int // of those busy, carrying any Bulk
	inFlight  int // entries on its connections
	idle      int // connections that are ready and carry nothing
	slots     int // connections whose envelope slot is free, for Bulk
	fastSlots int // of those, the ones behind Transactional content

	lacks   need  // what its EHLO is known not to offer
	maxSize int64 // its SIZE; zero: no limit known

	credit int  // of the smooth weighted round-robin
	inRace bool // it had room in the pick under way
}

// A relay with that many entries outstanding and silent for that long gets
// nothing new.
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
}

// pick chooses the relay for an entry: the lowest tier with a usable relay, in
// it the one with the least in flight for its weight, ties by smooth weighted
// round-robin. It changes nothing but the credits of that round-robin.
func pick(cs []candidate, w *want) choice {
	none := choice{use: -1, open: -1}
	tier, any, lacking, usable := 0, false, true, 0
	for i := range cs {
		c := &cs[i]
		// A relay that is out for a while and not known to lack anything is worth
		// waiting for.
		lacking = lacking && (c.weight == 0 || !c.offers(w))
		if !c.usable(w.now) {
			continue
		}
		usable++
		if !c.offers(w) {
			continue
		}
		if !any || c.preference < tier {
			tier, any = c.preference, true
		}
	}
	if !any {
		none.exhausted, none.lacking = usable > 0, usable > 0 && lacking
		return none
	}

	best, idle, total, untried := -1, -1, 0, 0
	var how placement
	for i := range cs {
		c := &cs[i]
		c.inRace = false
		if c.preference != tier || !c.usable(w.now) || !c.offers(w) || slices.Contains(w.avoid, c.id) {
			continue
		}
		untried++
		p := c.placement(w)
		if p == placeNone {
			continue
		}
		c.inRace = true
		total += c.weight
		if p == placeIdle && (idle < 0 || c.before(&cs[idle])) {
			idle = i
		}
		if best < 0 || c.before(&cs[best]) {
			best, how = i, p
		}
	}
	switch {
	case untried == 0:
		none.exhausted = true
		return none
	case best < 0:
		return none
	}
	open := -1
	if how == placeSlot && idle >= 0 && w.mayOpen && cs[best].mayGrow() {
		// It gets by on slots, where others have connections to spare: without one
		// more its messages would take longer, and its share be smaller.
		open = best
	}
	if how == placeOpen {
		open = best
		if idle < 0 {
			return choice{use: -1, open: open}
		}
		// Nobody waits for a new connection while an old one stands idle: the
		// share of the relay being connected is made up for by its credit.
		best, how = idle, placeIdle
	}
	settleCredits(cs, best, total)
	return choice{use: best, how: how, open: open}
}

// settleCredits is the step of the smooth weighted round-robin: all that were in
// the race earn their weight, the chosen one pays for all.
func settleCredits(cs []candidate, chosen, total int) {
	// What a relay earns while it is in no state to be chosen is bounded, so
	// that it is not paid out in a burst.
	most := 4 * total
	for i := range cs {
		c := &cs[i]
		if c.inRace {
			c.credit += c.weight
		}
		if i == chosen {
			c.credit -= total
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
	if c.inFlight >= stallEntries && w.now.Sub(c.lastOctet) > stallSilence {
		return placeNone
	}
	if c.ramp > 0 && c.inFlight+c.dialing >= c.ramp {
		return placeNone
	}
	canOpen := w.mayOpen && c.conns < c.limit
	if w.lane == Bulk {
		room := c.bulkConns < c.bulkLimit
		switch {
		case c.idle > 0 && room && c.busy < c.limit:
			return placeIdle
		case c.slots > c.fastSlots || c.slots > 0 && room:
			return placeSlot // behind Transactional it makes the connection one of Bulk's
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
	case c.fastSlots > 0:
		return placeSlot
	}
	return placeNone
}

// mayGrow says whether a connection more would be within the limits, and none
// is being opened.
func (c *candidate) mayGrow() bool {
	return c.dialing == 0 && c.ramp == 0 && c.conns < c.limit && c.bulkConns < c.bulkLimit
}

// before orders by load for the weight; equals by credit.
func (c *candidate) before(d *candidate) bool {
	a, b := (c.inFlight+c.dialing)*d.weight, (d.inFlight+d.dialing)*c.weight
	if a != b {
		return a < b
	}
	return c.credit+c.weight > d.credit+d.weight
}

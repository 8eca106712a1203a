package mxtest

import (
	"slices"
	"time"
)

// A Hop is a relay on the way of a mail to one of its recipients.
type Hop struct {
	Relay    string
	QueueID  string // in this relay's queue
	Arrived  time.Time
	Attempts []Attempt // at the destination, the first one first
}

// An Attempt is a delivery attempt.
type Attempt struct {
	Time   time.Time
	Status string // enhanced status code
	Reply  string // what the destination said; or why there was nothing said
}

// try takes note of an attempt that was not the last. e.mu is held.
func (e *engine) try(now time.Duration, to *rcptRec, reason int32) {
	if reason == 0 {
		return // its destination was not asked
	}
	e.tries = append(e.tries, tryRec{prev: to.tries, copy: to.copy, reason: reason, at: now})
	to.tries = int32(len(e.tries) - 1)
}

// way lists the hops of a recipient. e.mu is held.
func (e *engine) way(to *rcptRec) []Hop {
	var hops []Hop
	last := to.tries
	for c := to.copy; c >= 0; c = e.copies[c].parent {
		cp := &e.copies[c]
		hop := Hop{Relay: e.relays[cp.relay].name, QueueID: queueID(cp.number), Arrived: e.stamp(cp.arrival)}
		if c == to.copy && (to.place == Delivered || to.place == Bounced && !to.expired) {
			hop.Attempts = append(hop.Attempts, e.told(to.done, to.reason))
		}
		for ; last > 0 && e.tries[last].copy == c; last = e.tries[last].prev {
			hop.Attempts = append(hop.Attempts, e.told(e.tries[last].at, e.tries[last].reason))
		}
		slices.Reverse(hop.Attempts)
		hops = append(hops, hop)
	}
	slices.Reverse(hops)
	return hops
}

// told writes an attempt.
func (e *engine) told(at time.Duration, reason int32) Attempt {
	why := e.reasons[reason]
	return Attempt{Time: e.stamp(at), Status: why.status, Reply: why.String()}
}

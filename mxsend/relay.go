package mxsend

import (
	"net/netip"
	"time"
)

// A relay is one host of a mail domain, with its connections. Client.mu guards
// it.
type relay struct {
	pool      *pool
	at        int // its index in pool.relays and pool.candidates
	name      string
	port      int
	addresses []netip.Addr
	gone      bool // no longer in DNS: it finishes what it has

	health health
	// It answered out of step: one command at a time until then.
	lockStepUntil time.Time

	misfit      error         // why no connection to it can work until somebody changes something
	window      float64       // connections that Bulk may have, by its replies; zero: all
	eased       time.Time     // when window last changed
	extensions  []string      // of its last EHLO
	conns       []*conn       // all of them
	lastErr     *Error        // why it last failed
	ejectedFor  error         // reason of the last ejection
	unreached   *Error        // why no connection opens, as the log was told
	saidOut     bool          // the log was told that it is put out
	outcomes    [5]uint64     // recipients by Outcome
	latency     time.Duration // smoothed, MAIL to the reply to the final dot
	calm        time.Duration // the same when it is not under strain
	latencies   [2]Histogram  // the same, by lane
	ejections   uint64
	connections uint64 // opened since the beginning
}

func (r *relay) candidate() *candidate { return &r.pool.candidates[r.at] }

// idleConn returns the most recently used idle connection, so that the others
// may age out.
func (r *relay) idleConn() *conn {
	var best *conn
	for _, c := range r.conns {
		if c.counted.idle && (best == nil || c.idleSince.After(best.idleSince)) {
			best = c
		}
	}
	return best
}

// slotConn returns a connection whose envelope slot is free for the lane: for
// Bulk, one that carries Bulk already where there is any.
func (r *relay) slotConn(lane Lane) (found *conn) {
	for _, c := range r.conns {
		switch {
		case !c.counted.slot:
		case c.counted.fastSlot == (lane == Transactional):
			return c
		case lane == Bulk:
			found = c
		}
	}
	return found
}

// A tally is what one connection adds to its relay's candidate.
type tally struct {
	open, opening, busy, bulk, idle, slot, fastSlot bool
	inFlight                                        int
}

// recount brings the candidate up to date after something about c changed.
// Client.mu is held.
func (c *conn) recount() {
	now := c.tally()
	if now == c.counted {
		return
	}
	k, was := c.relay.candidate(), c.counted
	c.counted = now
	k.conns += delta(was.open, now.open)
	k.dialing += delta(was.opening, now.opening)
	k.busy += delta(was.busy, now.busy)
	k.bulkConns += delta(was.bulk, now.bulk)
	k.idle += delta(was.idle, now.idle)
	k.slots += delta(was.slot, now.slot)
	k.fastSlots += delta(was.fastSlot, now.fastSlot)
	k.inFlight += now.inFlight - was.inFlight
}

func delta(was, now bool) int {
	switch {
	case was == now:
		return 0
	case now:
		return 1
	}
	return -1
}

func (c *conn) tally() tally {
	switch c.state {
	case connOpening:
		return tally{open: true, opening: true}
	case connGone:
		return tally{}
	}
	t := tally{open: true}
	switch {
	case c.cur == nil && c.resting != 0:
		t.busy, t.inFlight, t.bulk = true, 1, c.resting == Bulk
		return t
	case c.cur == nil:
		t.idle = !c.leaving
		return t
	}
	t.busy, t.inFlight, t.bulk = true, 1, c.cur.lane == Bulk
	if c.next != nil {
		t.inFlight = 2
		t.bulk = t.bulk || c.next.lane == Bulk
	} else if c.slotFree && !c.leaving && c.resting == 0 {
		t.slot, t.fastSlot = true, c.cur.lane == Transactional
	}
	return t
}

// rest keeps a connection whose message, of that lane, was refused from taking
// another for a while. Client.mu is held.
func (c *conn) rest(lane Lane, wait time.Duration) {
	if wait == 0 || c.resting != 0 {
		return
	}
	c.resting = lane
	c.recount()
	c.restTimer = time.AfterFunc(wait, func() {
		c.client.mu.Lock()
		defer c.client.unlock()
		c.resting = 0
		c.recount()
		c.client.dispatch(time.Now())
	})
}

func (c *conn) stopRest() {
	if c.restTimer != nil {
		c.restTimer.Stop()
	}
}

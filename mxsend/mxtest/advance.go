package mxtest

import "time"

// Now is the time on the cluster's clock: the system's (in a synctest bubble, the bubble's), and what [Cluster.Advance] has let
// pass. All times in the ledger are of this clock.
func (c *Cluster) Now() time.Time { return c.engine.stamp(c.engine.now()) }

// Advance lets time pass for the relays' queues at once, over TCP too: what they would have done in that time, retries,
// hand-overs, delay warnings, expiry, they do before Advance returns, each at its own time of the cluster's clock. Client
// sessions and the hand-over of notifications to Config.Bounces are on the system's clock, and do not notice.
func (c *Cluster) Advance(d time.Duration) {
	c.usable("Advance")
	if d < 0 {
		c.fail("mxtest: %s: Advance(%v): time does not run backwards", caller(), d)
		return
	}
	target := c.engine.now() + d
	for c.engine.step(target) {
	}
}

// step goes to what comes next, at most to target, and reports whether it is not there yet.
func (e *engine) step(target time.Duration) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	if e.closed || now >= target {
		return false
	}
	to := target
	if at, ok := e.next(); ok {
		to = min(to, max(at, now))
	}
	e.ahead.Add(int64(to - now))
	e.wake = 0 // the timer counts by the system's clock: it is set anew
	e.pump(e.now())
	return to < target
}

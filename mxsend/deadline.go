package mxsend

import "time"

// After how long without a reply to the message before it an entry in the
// envelope slot is given back.
const (
	lateTransactional = time.Second
	lateBulk          = 10 * time.Second
)

// checkDeadline ends what took too long, and sets the clock for what is
// outstanding now. Every wait of a connection is under exactly one deadline.
func (c *conn) checkDeadline(now time.Time) error {
	t := c.tx
	if t.busy && t.dotSent && c.txNext.busy && !c.parted {
		late := lateBulk
		if c.txNext.lane == Transactional {
			late = lateTransactional
		}
		if giveBack := c.txNext.start.Add(late); now.Before(giveBack) {
			c.arm(giveBack)
			return nil
		}
		c.parted = true
		c.client.giveBack(c, c.txNext, errLate, now)
	}
	at := c.dueAt(t)
	if now.Before(at) {
		c.arm(at)
		return nil
	}
	if !t.busy {
		c.client.retire(c) // and the next turn closes it
		return nil
	}
	return errTimeout
}

// dueAt is the deadline of what the connection waits for now.
func (c *conn) dueAt(t *transaction) time.Time {
	limits := &c.client.cfg.Limits
	switch {
	case !t.busy:
		idle := c.since.Add(c.idleFor)
		if c.retireAt.Before(idle) {
			return c.retireAt
		}
		return idle
	case t.dotSent:
		return t.since.Add(limits.FinalDot)
	}
	return t.since.Add(c.patience(t.lane))
}

// patience is the wait for a reply before the final dot.
func (c *conn) patience(lane Lane) time.Duration {
	if lane == Transactional {
		return c.client.cfg.Limits.ReplyTransactional
	}
	return c.client.cfg.Limits.Reply
}

// arm has somebody act for the connection at a time. The timer itself is only touched where it
// would ring too late: a connection under load sets it about once a minute.
func (c *conn) arm(at time.Time) {
	due := int64(at.Sub(c.born))
	c.deadline.Store(due)
	if c.timer == nil {
		c.armed = due
		c.timer = time.AfterFunc(time.Until(at), c.rings)
	} else if due < c.armed || c.rang.Swap(false) {
		c.armed = due
		c.timer.Reset(time.Until(at))
	}
}

// rings is the timer's: it ends a Write that is under way, and acts. Where the
// deadline was put off meanwhile it sets the timer anew, since who is within a
// Write cannot.
func (c *conn) rings() {
	c.rang.Store(true)
	for {
		due := c.deadline.Load()
		wait := time.Duration(due) - time.Since(c.born)
		if wait <= 0 {
			break
		}
		c.timer.Reset(wait)
		if c.deadline.Load() == due { // else it was set at the same time
			return
		}
	}
	c.out.handed.interrupt(c.timedOut)
	c.tell(c.attend())
}

func (c *conn) timedOut() bool { return int64(time.Since(c.born)) >= c.deadline.Load() }

func (c *conn) stopTimer() {
	if c.timer != nil {
		c.timer.Stop()
	}
}

// beforeChunk sets the deadline of one chunk of a Write: a relay must go on
// taking octets.
func (c *conn) beforeChunk() {
	wait := c.patience(c.tx.lane)
	if c.ending != nil {
		wait = lastWords
	}
	c.arm(time.Now().Add(wait))
}

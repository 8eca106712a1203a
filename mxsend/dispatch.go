package mxsend

import (
	"fmt"
	"time"
)

// dispatch matches the heads of the lanes' queues to what is free, Transactional
// first. Client.mu is held; it does no I/O. Whoever changes what could be placed
// or where calls it.
func (c *Client) dispatch(now time.Time) {
	hungry := false
	for _, l := range c.lanes {
		if l.queue.n > 0 {
			c.refresh(l.pool, now)
			// While Transactional wants for a place, Bulk does not fill its own
			// anew: its connections fall idle one by one, and Transactional, which
			// never goes behind Bulk, borrows them.
			if l.id != Bulk || !hungry || l.pool != c.lanes[0].pool {
				hungry = c.place(l, now)
			}
		}
		c.noticeUsable(l, now)
	}
	c.setAlarm(now)
}

// place places as many entries of a lane as it can, and says whether there is one
// that lacks nothing but a free place. Entries behind the head are looked at only
// where something keeps the head, and not the lane, from being placed: a connection
// that is being opened for it, or relays it may not try.
func (c *Client) place(l *lane, now time.Time) (hungry bool) {
	p := l.pool
	if p.final() {
		c.failQueue(l, &Error{Outcome: NotAttempted, Stage: StageLookup, Err: p.err})
		return false
	}
	const patience = 16
	covered, particular := l.dialing, 0
	for e := l.queue.head; e != nil && particular < patience; {
		following := e.next
		if l.limiter != nil && l.limiter.TokensAt(now) < 1 {
			return hungry
		}
		w := e.want(now, covered <= 0)
		choice := pick(p.candidates, &w)
		if choice.open >= 0 {
			c.openConn(p.relays[choice.open], l, now)
			covered++
		}
		switch {
		case choice.use >= 0:
			if l.limiter != nil {
				l.limiter.AllowN(now, 1)
			}
			l.queue.remove(e)
			p.relays[choice.use].assign(e, choice.how, now)
		case choice.lacking:
			l.queue.remove(e)
			e.settleRest(&Error{Outcome: Rejected, Stage: StageHello, Err: ErrLacksExtension})
			c.finish(e)
		case choice.exhausted:
			l.queue.remove(e)
			c.pause(e)
		case covered > 0:
			covered--
			e.tried = true // a connection is being opened for it
			if e.awaits.IsZero() {
				e.awaits = now
			}
			hungry = true
		case len(e.avoid) > 0 || e.need != 0:
			particular++
		default:
			return true
		}
		e = following
	}
	return hungry
}

// assign puts an entry into a free place of the relay.
func (r *relay) assign(e *entry, how placement, now time.Time) {
	k := r.candidate()
	if k.inFlight == 0 {
		k.lastOctet = now
	}
	e.stopTimer()
	e.awaits = time.Time{}
	var c *conn
	if how == placeIdle {
		c = r.idleConn()
		c.cur = e
	} else {
		c = r.slotConn(e.lane)
		c.next = e
		c.slotFree = false
	}
	e.conn = c
	c.recount()
	c.signal()
}

// requeue puts an entry back that still has recipients without outcome: at the
// head of its queue, or aside until its next round.
func (c *Client) requeue(e *entry, now time.Time) {
	e.conn = nil
	switch {
	case e.pending == 0:
		c.finish(e)
	case c.ctx.Err() != nil:
		c.giveUp(e, true, ErrClosed, now)
		c.finish(e)
	case e.cancelled != nil:
		c.giveUp(e, true, e.cancelled, now)
		c.finish(e)
	case e.ready():
		c.lane(e.lane).queue.pushFront(e)
	default:
		c.pause(e)
	}
}

// pause has an entry wait for its next round, and be given up where there is none.
func (c *Client) pause(e *entry) {
	c.lane(e.lane).waiting.pushBack(e)
	c.askRound(e)
}

// startRound starts the clock of an entry of Send that finds no usable relay: it
// stays in the queue, but not for ever.
func (c *Client) startRound(e *entry) {
	if e.timer != nil {
		return
	}
	c.askRound(e)
}

// failStuck ends an entry whose rounds ended while no relay was usable.
func (c *Client) failStuck(l *lane, e *entry) {
	cause := fmt.Errorf("%w is usable", ErrNoRelay)
	if p := l.pool; !p.known && p.err != nil {
		cause = joinCauses(fmt.Errorf("%w is known", ErrNoRelay), p.err)
	}
	c.giveUp(e, false, cause, time.Now())
	c.finish(e)
}

// roundBegins: an entry that was aside goes back to its queue with every relay
// open to it again; one that waits in its queue for a usable relay goes on
// waiting, if it may.
func (c *Client) roundBegins(e *entry, now time.Time) {
	e.timer = nil
	l := c.lane(e.lane)
	if e.list == &l.waiting {
		l.waiting.remove(e)
		e.avoid = e.avoid[:0]
		for i := range e.rcpts {
			e.rcpts[i].paused = false
		}
		l.queue.pushBack(e)
	}
	if l.stuck && e.run == nil {
		c.startRound(e)
	}
	c.dispatch(now)
}

// noticeUsable notices that a lane lost its last usable relay, or has one again.
func (c *Client) noticeUsable(l *lane, now time.Time) {
	p := l.pool
	stuck := !p.usable(now) && (p.known || p.err != nil) // nothing is known during the first lookup
	if stuck != l.stuck {
		l.stuck = stuck
		for r := range l.runs {
			r.wakePuller()
		}
	}
	if !stuck || l.queue.n == 0 {
		return
	}
	if misfit := l.pool.misfit(); misfit != nil {
		c.failMisfit(l, misfit)
	}
	// Those of Send wait in the queue under a timer. The ones that lack it came
	// to the queue since: new ones at its tail, requeued ones at its head.
	for e := l.queue.tail; e != nil && (e.run != nil || e.timer == nil); {
		previous := e.prev
		if e.run == nil {
			c.startRound(e)
		}
		e = previous
	}
	for e := l.queue.head; e != nil && (e.run != nil || e.timer == nil); {
		following := e.next
		if e.run == nil {
			c.startRound(e)
		}
		e = following
	}
}

// failQueue gives every entry in the queue its outcome: there is no hope.
func (c *Client) failQueue(l *lane, err *Error) {
	for e := l.queue.head; e != nil; e = l.queue.head {
		l.queue.remove(e)
		c.failWith(l, e, err)
	}
}

// failMisfit ends what waits for relays that cannot be used as this Client is
// configured: waiting mends no configuration. What SendAll has is held all the
// same once a relay was usable: then it is an outage, of a certificate say.
func (c *Client) failMisfit(l *lane, err *Error) {
	for e := l.queue.head; e != nil; {
		following := e.next
		if e.run == nil || !l.pool.reached {
			l.queue.remove(e)
			c.failWith(l, e, err)
		}
		e = following
	}
}

// failWith gives an entry that is on no list the outcome of err.
func (c *Client) failWith(l *lane, e *entry, err *Error) {
	own := *err
	own.Outcome = NotAttempted
	if e.tried || l.pool.failures > e.poolFails {
		own.Outcome = Deferred
	}
	e.settleRest(&own)
	c.finish(e)
}

// abandon ends the waiting for an entry whose context ended. In a connection's
// hands it is ended by that connection, which knows how far it got.
func (c *Client) abandon(e *entry, cause error) {
	if e.list != nil {
		e.list.remove(e)
		c.giveUp(e, false, cause, time.Now())
		c.finish(e)
		return
	}
	if e.conn != nil {
		e.cancelled = cause
		e.conn.interrupt(e)
	}
}

// setAlarm arranges for the next dispatch that nothing else would bring.
func (c *Client) setAlarm(now time.Time) {
	var at time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	for _, l := range c.lanes {
		if l.queue.n == 0 && len(l.runs) == 0 {
			continue
		}
		p := l.pool
		sooner(p.wakeAt(now))
		if (!p.known || p.failed > 0) && !p.looking {
			sooner(p.expires)
		}
		if l.queue.n == 0 {
			continue
		}
		for _, r := range p.relays {
			if k := r.candidate(); k.inFlight >= stallEntries || k.dialing > 0 {
				sooner(now.Add(slowDial)) // look again: stalls end, and begin, without an event
			}
		}
		if l.limiter != nil {
			if missing := 1 - l.limiter.TokensAt(now); missing > 0 {
				sooner(now.Add(time.Duration(missing / float64(l.limiter.Limit()) * float64(time.Second))))
			}
		}
	}
	if at.IsZero() || !c.alarmAt.IsZero() && !at.Before(c.alarmAt) {
		return
	}
	c.alarmAt = at
	wait := max(at.Sub(now), time.Millisecond)
	if c.alarm == nil {
		c.alarm = time.AfterFunc(wait, c.alarmRings)
	} else {
		c.alarm.Reset(wait)
	}
}

func (c *Client) alarmRings() {
	c.mu.Lock()
	defer c.unlock()
	c.alarmAt = time.Time{}
	now := time.Now()
	for _, l := range c.lanes {
		for _, r := range l.pool.relays {
			for _, cn := range r.conns {
				cn.noticeSlow(now)
			}
		}
	}
	c.dispatch(now)
}

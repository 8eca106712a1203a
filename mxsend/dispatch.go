package mxsend

import (
	"slices"
	"time"
)

// dispatch matches the heads of the lanes' queues to what is free, Transactional
// first. Client.mu is held; it does no I/O. Whoever changes what could be placed
// or where calls it.
func (c *Client) dispatch(now time.Time) {
	for _, l := range c.lanes {
		l.pool.wantNothing()
	}
	for _, l := range c.lanes {
		if l.active() {
			c.refresh(l.pool, now)
		}
		if l.queue.n > 0 && !l.pool.awaits(now) {
			c.place(l, now)
		}
		c.noticeUsable(l, now)
	}
	c.setAlarm(now)
}

// active says whether the relays of the lane should be known at any time.
func (l *lane) active() bool { return l.queue.n > 0 || len(l.runs) > 0 || l.pool.connected() }

// place places as many entries of a lane as it can. It stops at one that there is
// no room for though it may go everywhere, since none behind it fares better.
// Those that may not go everywhere (they had their turn at a relay, or need what
// one does not offer) are passed over, and all that are like them.
func (c *Client) place(l *lane, now time.Time) {
	p := l.pool
	if p.final() {
		c.failQueue(l, &Error{Outcome: NotAttempted, Stage: StageLookup, Err: p.err})
		return
	}
	covered := l.dialing
	var without []*entry // of each kind that there is no room for, one
	for e := l.queue.head; e != nil; {
		this := e
		e = e.next
		if kind := this.kindAmong(without); kind >= 0 && this.size >= without[kind].size {
			continue
		}
		if l.limiter != nil && l.limiter.TokensAt(now) < 1 {
			return
		}
		w := this.want(now, covered <= 0)
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
			l.queue.remove(this)
			p.relays[choice.use].assign(this, choice.how, now)
		case choice.lacking:
			l.queue.remove(this)
			c.rejectLacking(this, lackingCause(p.candidates, &w))
			c.requeue(this, now)
		case choice.exhausted && this.forgive():
			e = this // nobody else takes it, so once more who had it wait
		case choice.exhausted:
			l.queue.remove(this)
			c.pause(this)
		case covered > 0:
			covered--
			this.tried = true // a connection is being opened for it
			if this.awaits.IsZero() {
				this.awaits = now
			}
		case !choice.barred:
			return
		default:
			if kind := this.kindAmong(without); kind >= 0 {
				without[kind] = this // smaller, and that did not help
			} else {
				without = append(without, this)
			}
		}
	}
}

// kindAmong returns which of others may go to the same relays as e, but for their
// size; −1: none.
func (e *entry) kindAmong(others []*entry) int {
	return slices.IndexFunc(others, func(o *entry) bool { return e.need() == o.need() && slices.Equal(e.avoid, o.avoid) })
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
	c.noticeHeld(l, now)
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

// setAlarm arranges for the next dispatch that nothing else would bring.
func (c *Client) setAlarm(now time.Time) {
	if c.ctx.Err() != nil {
		return
	}
	var at time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	for _, l := range c.lanes {
		if !l.active() {
			continue
		}
		p := l.pool
		switch {
		case !p.looking:
			sooner(p.lookupAt())
		case p.awaits(now) && !p.tooOld(now):
			sooner(p.asked.Add(lookupWait))
		}
		if l.queue.n == 0 && len(l.runs) == 0 {
			continue
		}
		sooner(p.wakeAt(now))
		if l.stuck && !l.held {
			sooner(l.stuckSince.Add(p.heldAfter(now)))
		}
		if l.queue.n == 0 {
			continue
		}
		for _, r := range p.relays {
			if k := r.candidate(); k.inFlight > 0 || k.dialing > 0 {
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

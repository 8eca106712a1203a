package mxsend

import (
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// What becomes of an entry that is on no connection any more: it goes back to its
// queue, or waits for its next round as its schedule has it.

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

// roundBegins: an entry that was aside goes back to its queue with every relay
// open to it again; one that waits in its queue for a usable relay goes on
// waiting, if it may.
func (c *Client) roundBegins(e *entry, now time.Time) {
	e.timer = nil
	l := c.lane(e.lane)
	if e.list == &l.waiting {
		l.waiting.remove(e)
		e.beginRound()
		l.queue.pushBack(e)
	}
	if l.stuck && e.run == nil {
		c.startRound(e)
	}
	c.dispatch(now)
}

// askRound asks an entry's schedule for its next round, and sets its clock when
// the answer is there. Client.mu is held.
func (c *Client) askRound(e *entry) {
	e.stopTimer() // one that was set while no relay was usable
	if e.rounds == nil {
		e.rounds = new(schedule)
	}
	s := e.rounds
	e.timer = &round{entry: e}
	s.asked = e.timer
	if !s.asking {
		s.asking = true
		go c.ask(s)
	}
}

// ask brings a schedule's answers until nobody waits for one.
func (c *Client) ask(s *schedule) {
	for going := true; going; {
		wait := c.nextWait(s)
		c.mu.Lock()
		r := s.asked
		s.asked = nil
		if wait != backoff.Stop {
			s.waits++
		}
		if r.entry != nil {
			c.setRound(r, wait, time.Now())
		}
		s.asking = s.asked != nil
		going = s.asking
		c.unlock()
	}
}

// nextWait asks the user's code.
func (c *Client) nextWait(s *schedule) (wait time.Duration) {
	wait = backoff.Stop
	defer func() {
		if p := recover(); p != nil { // there are no more rounds then
			c.protect(func() { c.cfg.Logger.Warn("Config.Retry panicked", "panic", fmt.Sprintf("%T", p)) })
		}
	}()
	if s.rounds == nil {
		s.rounds = c.cfg.Retry()
		s.rounds.Reset()
	}
	return s.rounds.NextBackOff()
}

// setRound sets an entry's clock, or ends the entry if there are no more rounds.
func (c *Client) setRound(r *round, wait time.Duration, now time.Time) {
	e, l := r.entry, c.lane(r.entry.lane)
	switch p := l.pool; {
	case wait != backoff.Stop:
		r.timer = time.AfterFunc(wait, func() {
			c.mu.Lock()
			defer c.unlock()
			if e := r.entry; e != nil && e.list != nil {
				c.roundBegins(e, time.Now())
			}
		})
	case e.list == &l.waiting && e.run != nil && p.ailing() && e.rounds.waits > 0:
		e.rounds = nil // an outage burns no mailing: its rounds begin anew
		c.askRound(e)
	case e.list == &l.waiting:
		l.waiting.remove(e)
		c.giveUp(e, true, nil, now)
		c.finish(e)
	case e.list == &l.queue && (!l.stuck || !p.known && p.looking && p.failed == 0):
		e.timer = nil // a relay is usable again, or the first lookup of all brings it back here
	case e.list == &l.queue:
		l.queue.remove(e)
		c.failStuck(l, e)
	}
}

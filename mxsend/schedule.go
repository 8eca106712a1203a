package mxsend

import (
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// A schedule is an entry's, by Config.Retry. That is the user's code, which may take
// long or call back, so a goroutine asks it with no lock held: one question at a
// time, since a backoff.BackOff is for one goroutine. Close does not wait for it.
type schedule struct {
	rounds backoff.BackOff // the asker's; nil: not made yet

	// Client.mu guards these.
	asking bool
	asked  *round // that waits for the answer
	waits  int    // that it gave
}

// A round is the clock of an entry. It lets go of the entry when it is stopped,
// since by the time it rings the entry's memory may be another message's.
type round struct {
	entry *entry
	timer *time.Timer // nil until the schedule has answered
}

func (e *entry) stopTimer() {
	if e.timer == nil {
		return
	}
	if e.timer.timer != nil {
		e.timer.timer.Stop()
	}
	e.timer.entry, e.timer = nil, nil
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

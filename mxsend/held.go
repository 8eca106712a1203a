package mxsend

import (
	"fmt"
	"time"
)

// What Logger and Observer are told of lanes and relays: once for each change, and
// not for each failure. Client.mu is held by who calls these.

// heldAfter is how long a lane goes nowhere before anybody is told.
const heldAfter = time.Second

// heldAfter is longer where relays have more clients than sessions: to wait in turn for
// some seconds is what is to be expected then, and no news.
func (p *pool) heldAfter(now time.Time) time.Duration {
	for i := range p.candidates {
		if p.candidates[i].crowd.refusing(now) {
			return crowdLasts
		}
	}
	return heldAfter
}

// noticeHeld tells that a lane that has something to send finds no usable relay,
// and why. That one may be tried again now and then does not end it: a message that
// a relay answers does.
func (c *Client) noticeHeld(l *lane, now time.Time) {
	switch {
	case l.held:
	case l.queue.n == 0 && len(l.runs) == 0:
		l.stuckSince = time.Time{}
	case !l.stuck:
	case l.stuckSince.IsZero():
		l.stuckSince = now
	case now.Sub(l.stuckSince) >= l.pool.heldAfter(now):
		l.held = true
		lane, reason := l.id, l.pool.trouble()
		c.log(levelWarn, "lane is held: no relay is usable", "lane", lane, "reason", reason)
		if f := c.cfg.Observer.Held; f != nil {
			c.after(func() { f(lane, reason) })
		}
	}
}

// noticeProgress: a relay took or refused a message of the lane.
func (c *Client) noticeProgress(l *lane) {
	l.stuckSince = time.Time{}
	if !l.held {
		return
	}
	l.held = false
	lane := l.id
	c.log(levelInfo, "lane resumed", "lane", lane)
	if f := c.cfg.Observer.Resumed; f != nil {
		c.after(func() { f(lane) })
	}
}

// trouble is why no relay of the domain is usable.
func (p *pool) trouble() error {
	if !p.known && p.err != nil {
		return joinCauses(fmt.Errorf("%w is known", ErrNoRelay), p.err)
	}
	for i, r := range p.relays {
		switch {
		case p.candidates[i].weight == 0:
		case r.lastErr != nil:
			return joinCauses(fmt.Errorf("%w is usable", ErrNoRelay), relayCause{r.lastErr})
		case r.ejectedFor != nil:
			return joinCauses(fmt.Errorf("%w is usable", ErrNoRelay), fmt.Errorf("%s was ejected", r.name), r.ejectedFor)
		}
	}
	return fmt.Errorf("%w is usable: none that has an address is within Config.MaxPreference and of a weight above 0", ErrNoRelay)
}

// noticeUnreached: a connection to the relay failed.
func (c *Client) noticeUnreached(r *relay, err *Error) {
	if was := r.unreached; was == nil || was.Stage != err.Stage || was.Reply.Code != err.Reply.Code {
		c.log(levelWarn, "connection to relay failed", "relay", r.name, "error", err)
	}
	r.unreached = err
}

// noticeReached: a connection to the relay is open.
func (c *Client) noticeReached(r *relay) {
	if r.unreached != nil {
		c.log(levelInfo, "relay is reached again", "relay", r.name)
	}
	r.unreached = nil
}

// noticeOut: the relay is ejected, for the first time or once more.
func (c *Client) noticeOut(r *relay, wait time.Duration, reason error) {
	if !r.saidOut {
		c.log(levelWarn, "relay ejected", "relay", r.name, "for", wait, "reason", reason)
	}
	r.saidOut = true
}

// noticeWell: the relay took a message.
func (c *Client) noticeWell(r *relay) {
	if r.saidOut {
		c.log(levelInfo, "relay restored", "relay", r.name)
	}
	r.saidOut = false
}

package mxsend

import (
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpsession"
)

// Cancellation: of one entry whose context ended, of a run's, and of all by Close. An
// entry on a list is given up at once. One on a connection is only marked, and ended by
// that connection's next turn, which knows how far it got.

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

// abandonAll ends the waiting for everything of a run that is not committed.
func (r *run) abandonAll(cause error) {
	c := r.client
	c.mu.Lock()
	defer c.unlock()
	for _, l := range c.lanes {
		for _, list := range [2]*entryList{&l.queue, &l.waiting} {
			for e := list.head; e != nil; {
				following := e.next
				if e.run == r {
					c.abandon(e, cause)
				}
				e = following
			}
		}
		for _, relay := range l.pool.relays {
			for _, cn := range relay.conns {
				for _, e := range [2]*entry{cn.cur, cn.next} {
					if e != nil && e.run == r {
						c.abandon(e, cause)
					}
				}
			}
		}
	}
}

// abandonEverything ends the waiting for all that the Client has, and has every
// connection end. Client.mu is held.
func (c *Client) abandonEverything() {
	for _, l := range c.lanes {
		for _, list := range [2]*entryList{&l.queue, &l.waiting} {
			for e := list.head; e != nil; e = list.head {
				c.abandon(e, ErrClosed)
			}
		}
	}
	for _, p := range c.pools {
		for _, r := range p.relays {
			for _, cn := range r.conns {
				cn.leaving = true
				for _, e := range [2]*entry{cn.cur, cn.next} {
					if e != nil {
						c.abandon(e, ErrClosed)
					}
				}
				cn.signal()
			}
		}
	}
}

// interrupt has an entry that was cancelled seen to, out of a Write of its
// content if need be. Client.mu is held.
func (c *conn) interrupt(e *entry) {
	if c.cur == e {
		// Whoever is about to write sees this; a Write that has begun is ended.
		c.session.SetCancelled(true)
		c.client.goroutines.Go(c.session.Interrupt)
	}
	c.signal()
}

// endCancelled gives cancelled entries their outcome. One that nothing was
// written of leaves its slot; else the connection has to end: after the reply to the
// message before, or at once, as it returns. The session's lock and Client.mu are held.
func (c *conn) endCancelled(now time.Time) (atOnce bool) {
	if e := c.next; e != nil && e.cancelled != nil {
		c.next = nil
		t := c.session.Envelope()
		c.noteUnfinished(e, t, c.unfinished(t, e.cancelled, ""), now)
		c.session.DropEnvelope()
		c.endAbandoned(e, now)
	}
	e := c.cur
	if e == nil || e.cancelled == nil {
		return false
	}
	switch t := c.session.Content(); {
	case !t.Begun():
		c.session.Withdraw(now)
		c.takeContent(c.next)
		c.next = nil
		c.idleSince = now
		c.endAbandoned(e, now)
	case c.session.Committed():
		c.endCommitted(e, t, now)
	default:
		return true
	}
	return false
}

// endCommitted ends an entry that was cancelled after its content went out. The
// connection goes on waiting for the reply; nobody else does.
func (c *conn) endCommitted(e *entry, t *smtpsession.Transaction, now time.Time) {
	failure := c.unfinished(t, e.cancelled, "")
	failure.Outcome = InDoubt
	c.noteUnfinished(e, t, failure, now)
	c.settleCommitted(e, t, failure, now)
	c.client.giveUp(e, true, e.cancelled, now) // recipients that wait for their round
	c.session.Disown()
	e.conn = nil
	c.takeContent(&entry{lane: e.lane}) // the slot is taken until the reply comes
	c.client.finish(e)
}

// endAbandoned ends an entry that was cancelled before its content went out.
func (c *conn) endAbandoned(e *entry, now time.Time) {
	e.conn = nil
	for i := range e.rcpts {
		if to := &e.rcpts[i]; to.last == nil {
			to.last = &Error{Stage: StageMail, Relay: c.relay.name}
		}
	}
	c.client.giveUp(e, false, e.cancelled, now)
	c.client.finish(e)
}

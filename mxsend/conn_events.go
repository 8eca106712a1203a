package mxsend

import (
	"math/rand/v2"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpsession"
)

// What the session of a connection asks and reports, in the order of a message's way.
// The session's lock is held; every function here takes Client.mu, settles what the
// report settles, and dispatches.

// Opened puts the connection into service, unless the Client was closed meanwhile.
func (c *conn) Opened() bool { return c.client.opened(c) }

// Turn is the connection's look at the queues, once for each step: whether it is to
// end, what is new on it, and whether it takes another envelope.
func (c *conn) Turn(heard bool, now time.Time) smtpsession.Decision {
	client := c.client
	client.mu.Lock()
	defer client.unlockFor(c)
	c.turnDue = true // this is the turn: what dispatch places here needs no signal
	defer func() { c.turnDue = false }()
	if heard {
		c.relay.candidate().lastOctet = now
	}
	if c.endCancelled(now) || client.ctx.Err() != nil && c.session.Content().Busy() {
		return smtpsession.Abort
	}
	k := c.relay.candidate()
	retireAt := k.crowd.retireAt(now, c.entered, client.cfg.Limits.Age, c.luck)
	c.session.KeepUntil(retireAt, k.crowd.idleFor(now, client.cfg.Limits.Idle))
	c.leaving = c.leaving || !now.Before(retireAt) || k.crowd.renew(now, c.relay.pool.open(), c.luck)
	c.slotFree = c.next == nil && !c.leaving && !client.cfg.SeparateTransactions && c.session.TakesEnvelope()
	c.recount()
	leave := c.cur == nil && c.leaving
	if leave {
		k.crowd.left(now, k.conns-1, rand.Float64())
		client.drop(c)
		c.tellDisconnected(nil)
	}
	client.dispatch(now)
	if leave {
		return smtpsession.Leave
	}
	if c.cur != nil && !c.session.Content().Busy() {
		c.begin(c.cur, now)
	}
	if c.next != nil && !c.session.Envelope().Busy() {
		c.begin(c.next, now)
	}
	return smtpsession.GoOn
}

// Answered settles the transaction of the content slot, which was answered to its end,
// and frees the slot.
func (c *conn) Answered(t *smtpsession.Transaction, now time.Time) error {
	client := c.client
	client.mu.Lock()
	defer client.unlockFor(c)
	if c.answersOutOfStep(t) {
		return errOutOfStep
	}
	e := c.cur
	c.turnDue = true // its reader goes on with a turn
	c.takeContent(c.next)
	c.next = nil
	c.idleSince = now
	c.recount()
	if !t.Wanted() {
		return nil
	}
	if e.complained && t.Refused() && outOfStep(t.Reply()) {
		c.relay.lockStepUntil = time.Time{} // it says so of the message, however that comes
	}
	failure := c.settleAnswered(e, t, now)
	c.noteAnswered(e, t, failure, now)
	if t.Accepted() {
		client.noteSuccess(c.relay, e.lane, now.Sub(t.Start()), now)
	}
	client.requeue(e, now)
	return nil
}

// lockStepFor is how long a relay that answered out of step is spoken to in
// lock-step. It may have been mended meanwhile, and finding out costs a connection.
const lockStepFor = 10 * time.Minute

// answersOutOfStep says whether the replies complain of commands in groups.
func (c *conn) answersOutOfStep(t *smtpsession.Transaction) bool {
	switch {
	case c.session.LockStep(), t.SentDot() && !t.Refused():
		return false // what was accepted is accepted, however odd the way
	case t.Stage() == smtpsession.StageContent:
		return false // it answers before it has the content, which is worse
	}
	if !t.TookRecipients() {
		for i := range t.Recipients() {
			if to := &t.Recipients()[i]; t.RefusedRecipient(to) && outOfStep(to.Reply) {
				return true
			}
		}
	}
	if t.Stage() == smtpsession.StageFinalDot && (!c.session.Envelope().Begun() || !t.Wanted() || c.cur.complained) {
		return false // of the message: nothing came with it, or it was said without that, too
	}
	return t.Refused() && outOfStep(t.Reply())
}

// GaveBack takes an entry out of the envelope slot, since it would wait there for
// nothing, or too long; it goes elsewhere at no cost.
func (c *conn) GaveBack(t *smtpsession.Transaction, why error, now time.Time) {
	client := c.client
	client.mu.Lock()
	defer client.unlockFor(c)
	e := c.next
	c.next = nil
	c.recount()
	if e != nil {
		c.noteUnfinished(e, t, c.unfinished(t, why, ""), now)
		client.requeue(e, now)
	}
	client.dispatch(now)
}

// Retire has the connection close as soon as nothing is on it.
func (c *conn) Retire() {
	c.client.mu.Lock()
	defer c.client.unlockFor(c)
	c.leave()
}

// Wake has somebody else act for a connection whose reader must read on.
func (c *conn) Wake() {
	c.client.mu.Lock()
	defer c.client.mu.Unlock()
	c.signal()
}

// Broke settles what was on a connection that ended.
func (c *conn) Broke(why error, partial string, now time.Time) {
	if closing, ok := why.(*smtpsession.ClosingError); ok {
		why = &closingError{newReply(closing.Reply)}
	}
	client := c.client
	client.mu.Lock()
	defer client.unlockFor(c)
	c.tellDisconnected(why)
	content, envelope := c.cur, c.next
	c.cur, c.next = nil, nil
	client.drop(c)
	if why == errOutOfStep {
		c.relay.lockStepUntil = now.Add(lockStepFor)
		client.log(levelWarn, "relay answers out of step", "relay", c.relay.name)
	}
	if content != nil && content.msg != nil {
		content.conn = nil
		if t := c.session.Content(); t.Wanted() { // else nothing of it was written
			c.settleBroken(content, t, why, partial, now)
		}
		client.requeue(content, now)
	}
	if envelope != nil {
		envelope.conn = nil
		if t := c.session.Envelope(); t.Wanted() {
			c.noteUnfinished(envelope, t, c.unfinished(t, why, partial), now)
		}
		client.requeue(envelope, now)
	}
	client.dispatch(now)
}

// tellDisconnected tells the Observer. Client.mu is held.
func (c *conn) tellDisconnected(why error) {
	if f := c.client.cfg.Observer.Disconnected; f != nil {
		name, address := c.relay.name, c.address
		c.client.after(func() { f(name, address, why) })
	}
}

// Done takes a goroutine of the session off Close's books.
func (c *conn) Done() { c.client.goroutines.Done() }

// Call makes a call into the user's code, with no lock held.
func (c *conn) Call(f func()) { c.client.protect(f) }

package mxsend

import (
	"errors"
	"fmt"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpsession"
)

// How the recipients of an entry come to their outcomes: by a relay's replies, by a
// connection that broke, because nobody waits any longer, or before any relay.

// settleAnswered settles each recipient of a transaction by its replies, and counts them
// for or against the relay. It returns what was made of the reply that refused it; nil:
// it was accepted.
func (c *conn) settleAnswered(e *entry, t *smtpsession.Transaction, now time.Time) (failure *Error) {
	r, accepted := c.relay, t.Accepted()
	stage, reply := stageOf(t.Stage()), newReply(t.Reply())
	var whole verdict
	if t.Refused() {
		whole = classifyReply(stage, t.Reply())
	}
	id := ""
	if accepted {
		id = queueID(reply.Text)
	}
	worst, at := whole, reply
	rcpts := t.Recipients()
	for i := range rcpts {
		to := &rcpts[i]
		switch {
		case t.RefusedRecipient(to):
			v, err := c.settleRefused(e, t, to, now)
			if !t.Refused() && !accepted {
				failure = err
			}
			if v.blame == blameRelay && e.rounds != nil && !r.health.out {
				v.blame = blameNobody // what one recipient is told again and again counts once
			}
			// What it says of one recipient while it takes another blames nobody.
			if !t.TookRecipients() && worst.blame == blameNobody && (v.blame != blameNobody || err.Reply.Temporary()) {
				worst, stage, at = v, StageRecipient, err.Reply
			}
		case accepted:
			r.outcomes[Accepted]++
			e.accept(to.ID, r.name, id)
		default:
			failure = &Error{Stage: stage, Relay: r.name, Reply: reply}
			c.client.dispose(e, to.ID, whole, r, failure, now)
		}
	}
	if t.TookRecipients() && worst.blame == blameNobody {
		r.health.takes(now)
	}
	if !accepted {
		c.blameFor(worst, e.lane, now, &Error{Outcome: Deferred, Stage: stage, Relay: r.name, Reply: at, Err: worst.cause})
	}
	return failure
}

// settleRefused does with a recipient that was refused at RCPT what its reply means.
func (c *conn) settleRefused(e *entry, t *smtpsession.Transaction, to *smtpsession.Recipient, now time.Time) (verdict, *Error) {
	v := classifyReply(StageRecipient, to.Reply)
	if t.TookRecipients() && tooManyRecipients(to.Reply) {
		v = verdict{do: again}
	}
	err := &Error{Stage: StageRecipient, Relay: c.relay.name, Reply: newReply(to.Reply)}
	c.client.dispose(e, to.ID, v, c.relay, err, now)
	return v, err
}

// dispose does with one recipient what was decided.
func (c *Client) dispose(e *entry, i int, v verdict, r *relay, err *Error, now time.Time) {
	to := &e.rcpts[i]
	err.Outcome = Deferred
	if err.Err == nil {
		err.Err = v.cause
	}
	to.last = err
	switch v.do {
	case again:
	case elsewhere:
		e.avoidRelay(r)
		if err.Reply.Temporary() && len(e.avoid) > 1 {
			to.pauseFor(r) // 4yz: another relay once, then rounds
		}
	case confirm, hold:
		to.refusals++
		e.avoidRelay(r)
		switch {
		case to.refusals == 1 && r.pool.othersUsable(r, now):
		case v.do == confirm && to.refusals > 2 && r.health.believable(now):
			if err.Stage == StageRecipient && v.cause == ErrRelayRefused {
				err.Err = nil // it meant the recipient
			}
			c.reject(e, i, r, err)
		default:
			// Two relays refuse, or the only one. Whether they mean the mail shows
			// in what they say to others meanwhile, so it waits a round: rather that
			// than lose a mailing to a wrong access rule.
			to.refusals = max(to.refusals, 2)
			to.pauseFor(r)
		}
	case afterPause:
		to.pauseFor(r)
	default:
		c.reject(e, i, r, err)
	}
}

func (c *Client) reject(e *entry, i int, r *relay, err *Error) {
	err.Outcome = Rejected
	r.outcomes[Rejected]++
	e.settle(i, err, r.name)
}

// settleBroken decides about the entry of the content slot of a connection that
// broke. The one behind it lost nothing but time.
func (c *conn) settleBroken(e *entry, t *smtpsession.Transaction, why error, partial string, now time.Time) {
	failure := c.unfinished(t, why, partial)
	committed := failure.Reply.Code == 0 && c.session.Committed()
	if committed {
		failure.Outcome = InDoubt
	}
	if e.cancelled != nil {
		failure.Err = e.cancelled
	}
	c.noteUnfinished(e, t, failure, now)
	switch {
	case why == errOutOfStep:
		e.complained = e.complained || t.Stage() == smtpsession.StageFinalDot
		return
	case committed:
		c.settleCommitted(e, t, failure, now)
		if e.cancelled == nil {
			c.client.blame(c.relay, now, failure)
		}
		return
	case e.cancelled != nil:
		c.settleRcpts(e, t, now, func(i int) { e.settle(i, failure, failure.Relay) })
		return // requeue gives up those that wait for their round
	case t.Unanswered() && c.session.Used() && lost(why):
		const most = 100
		if e.free++; e.free < most {
			return // stale: the relay closed an idle connection, and never saw this message
		}
	}
	if t.Begun() {
		c.client.blame(c.relay, now, failure)
	}
	c.settleRcpts(e, t, now, func(i int) {
		own := *failure
		c.client.dispose(e, i, verdict{do: elsewhere}, c.relay, &own, now)
	})
}

// settleCommitted: the final dot was handed over, and its reply is not to be had.
// Recipients that RCPT refused are not in doubt: for them, all is as it would be had
// the reply come.
func (c *conn) settleCommitted(e *entry, t *smtpsession.Transaction, failure *Error, now time.Time) {
	client := c.client
	mayResend := client.cfg.InDoubt == InDoubtResend && e.cancelled == nil && client.ctx.Err() == nil
	c.settleRcpts(e, t, now, func(i int) {
		if to := &e.rcpts[i]; mayResend && !to.resent {
			to.last, to.resent = failure, true
		} else {
			e.settle(i, failure, failure.Relay)
		}
	})
}

// settleRcpts goes through the recipients of a transaction without its last reply: those
// that RCPT refused by what it said, the others by settle.
func (c *conn) settleRcpts(e *entry, t *smtpsession.Transaction, now time.Time, settle func(i int)) {
	rcpts := t.Recipients()
	for i := range rcpts {
		if to := &rcpts[i]; t.RefusedRecipient(to) {
			c.settleRefused(e, t, to, now)
		} else {
			settle(to.ID)
		}
	}
}

// unfinished is the error of a transaction that had not got its last reply when
// its connection ended.
func (c *conn) unfinished(t *smtpsession.Transaction, why error, partial string) *Error {
	failure := &Error{Outcome: Deferred, Stage: stageOf(t.Reached()), Relay: c.relay.name, Err: why}
	if closing, ok := why.(*closingError); ok {
		failure.Reply, failure.Err = closing.reply, nil
	} else if partial != "" {
		failure.Reply = Reply{Text: partial}
	}
	return failure
}

// giveUp gives every pending recipient the outcome of one that was not accepted
// in all its time: Deferred if a connection was tried, NotAttempted if not. cause
// is why the time is over; it may be nil.
func (c *Client) giveUp(e *entry, tried bool, cause error, now time.Time) {
	p := c.lane(e.lane).pool
	if !e.awaits.IsZero() {
		for _, r := range p.relays {
			if cn := r.openingLongest(); cn != nil && cn.lane == e.lane {
				c.noteWait(e, cn, cn.stillOpening(now), false, now)
			}
		}
	}
	tried = tried || e.tried || p.failures > e.poolFails
	failing := p.failing(now)
	if !tried && len(failing) == 0 && p.known && !p.usable(now) {
		cause = joinCauses(p.trouble(), cause) // nothing fails, and nothing may be used
	}
	stage := StageLookup
	if tried || p.known {
		stage = StageConnect // relays are known, and none had room
	}
	for i := range e.rcpts {
		if to := &e.rcpts[i]; !to.settled {
			err := e.whyGivenUp(to.last, tried, stage, failing, cause)
			e.settle(i, err, err.Relay)
		}
	}
}

// whyGivenUp is the error of a recipient that was given up. last is why it was
// still pending; nil: no relay was asked; stage is what it waited for then.
func (e *entry) whyGivenUp(last *Error, tried bool, stage Stage, failing []*Error, cause error) *Error {
	err := &Error{Outcome: NotAttempted, Stage: stage}
	if tried {
		err.Outcome = Deferred
	}
	if last == nil && tried && len(failing) > 0 {
		last = failing[0]
	}
	var all []error
	if last != nil {
		err.Stage, err.Relay, err.Reply = last.Stage, last.Relay, last.Reply
		all = append(all, last.Err)
	}
	for _, f := range failing {
		if last == nil || f.Relay != last.Relay {
			all = append(all, relayCause{f})
		}
	}
	err.Err = joinCauses(append(all, cause)...)
	return err
}

// failStuck ends an entry whose rounds ended while no relay was usable.
func (c *Client) failStuck(l *lane, e *entry) {
	p, now := l.pool, time.Now()
	cause := fmt.Errorf("%w is usable", ErrNoRelay)
	if !p.known || len(p.failing(now)) == 0 {
		cause = p.trouble()
	}
	c.giveUp(e, false, cause, now)
	c.finish(e)
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

// hopeless makes an error that waiting does not mend of its cause: SendAll pulls
// nothing more then. Client.mu is held.
func (e *entry) hopeless(cause error) error {
	if e.run == nil {
		return cause
	}
	return e.run.stop(e, cause)
}

// failWith gives an entry that is on no list the outcome of err, which waiting does
// not mend.
func (c *Client) failWith(l *lane, e *entry, err *Error) {
	own := *err
	own.Outcome, own.Err = NotAttempted, e.hopeless(err.Err)
	if e.tried || l.pool.failures > e.poolFails {
		own.Outcome = Deferred
	}
	e.settleRest(&own)
	c.finish(e)
}

// rejectLacking gives the recipients that may be tried now, and that no relay can
// take, their outcome.
func (c *Client) rejectLacking(e *entry, cause error) {
	for i := range e.rcpts {
		if e.rcpts[i].ready() {
			e.settle(i, &Error{Outcome: Rejected, Stage: StageHello, Err: cause}, "")
		}
	}
}

// refuse gives every pending recipient its outcome before any relay: Rejected, or
// NotAttempted where only signing failed, and not for the message's sake.
func (e *entry) refuse(err error) *entry {
	failure := &Error{Outcome: Rejected, Stage: StageLocal, Err: fmt.Errorf("%w: %w", ErrInvalidMessage, err)}
	if s, ok := err.(*signError); ok && !s.Permanent() {
		failure.Outcome, failure.Err = NotAttempted, err
	}
	for i := range e.rcpts {
		e.settle(i, failure, "")
	}
	e.localErr = failure
	return e
}

// settle gives recipient i its outcome, once and for all.
func (e *entry) settle(i int, err *Error, relay string) {
	if e.rcpts[i].settled {
		return
	}
	e.rcpts[i].settled = true
	e.pending--
	r := &e.receipt.Recipients[i]
	r.DuplicatePossible = e.rcpts[i].resent
	if r.DuplicatePossible && err.Outcome != InDoubt {
		doubt := *err
		doubt.Outcome, doubt.Err = InDoubt, errors.Join(errFirstCopy, err.Err)
		err = &doubt
	}
	r.Outcome, r.Err, r.Relay = err.Outcome, err, relay
}

var errFirstCopy = errors.New("sent again after doubt and not accepted; the first copy may have been")

// accept gives recipient i the outcome Accepted.
func (e *entry) accept(i int, relay, queueID string) {
	if e.rcpts[i].settled {
		return
	}
	e.rcpts[i].settled = true
	e.pending--
	r := &e.receipt.Recipients[i]
	r.Outcome, r.Relay, r.QueueID = Accepted, relay, queueID
	r.DuplicatePossible = e.rcpts[i].resent
}

// settleRest gives every pending recipient an outcome of the same error.
func (e *entry) settleRest(err *Error) {
	for i := range e.rcpts {
		e.settle(i, err, err.Relay)
	}
}

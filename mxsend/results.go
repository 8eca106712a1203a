package mxsend

import (
	"errors"
	"math/rand/v2"
	"net"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// conclude settles a transaction that was answered to its end, and frees the
// content slot.
func (c *Client) conclude(cn *conn, t *transaction, now time.Time) {
	c.mu.Lock()
	defer c.unlockFor(cn)
	cn.attended = true // its reader goes on with a turn
	cn.takeContent(cn.next)
	cn.next = nil
	cn.since, cn.idleSince = now, now
	cn.recount()
	e := t.entry
	if e == nil {
		return
	}
	accepted := t.stage == StageFinalDot && t.refusal.code == 0
	if e.complained && outOfStep(t.refusal) {
		cn.relay.lockStepUntil = time.Time{} // it says so of the message, however that comes
	}
	c.settleAnswered(cn, e, t, accepted, now)
	c.noteAttempt(cn, e, t, nil, now)
	if accepted {
		c.noteSuccess(cn.relay, t, now)
	}
	c.requeue(e, now)
}

// settleAnswered gives each recipient of a transaction what its replies mean, and
// the relay its blame.
func (c *Client) settleAnswered(cn *conn, e *entry, t *transaction, accepted bool, now time.Time) {
	r := cn.relay
	var whole verdict
	if t.refusal.code != 0 {
		whole = judge(t.stage, t.refusal, t.reply.Text)
	}
	id := ""
	if accepted {
		id = queueID(t.reply.Text)
	}
	worst, stage, reply := whole, t.stage, t.reply
	for i := range t.rcpts {
		to := &t.rcpts[i]
		switch {
		case to.refused(t):
			v := c.settleRefused(e, t, to, r, now)
			if v.blame == blameRelay && e.rounds != nil && !r.health.out {
				v.blame = blameNobody // what one recipient is told again and again counts once
			}
			// What it says of one recipient while it takes another blames nobody.
			if t.accepted == 0 && worst.blame == blameNobody && (v.blame != blameNobody || to.reply.Temporary()) {
				worst, stage, reply = v, StageRecipient, to.reply
			}
		case accepted:
			r.outcomes[Accepted]++
			e.accept(to.index, r.name, id)
		default:
			c.dispose(e, to.index, whole, r, &Error{Stage: t.stage, Relay: r.name, Reply: t.reply}, now)
		}
	}
	if t.accepted > 0 && worst.blame == blameNobody {
		r.health.takes(now)
	}
	if !accepted {
		c.blameFor(worst, cn, t.lane, now, &Error{Outcome: Deferred, Stage: stage, Relay: r.name, Reply: reply, Err: worst.cause})
	}
}

// settleRefused gives a recipient that was refused at RCPT what its reply means.
func (c *Client) settleRefused(e *entry, t *transaction, to *txRcpt, r *relay, now time.Time) verdict {
	v := judge(StageRecipient, to.code, to.reply.Text)
	if t.accepted > 0 && tooManyRecipients(to.code) {
		v = verdict{do: again}
	}
	c.dispose(e, to.index, v, r, &Error{Stage: StageRecipient, Relay: r.name, Reply: to.reply}, now)
	return v
}

// blameFor does to the relay what follows from a transaction in which it took
// nobody; err says why.
func (c *Client) blameFor(v verdict, cn *conn, lane Lane, now time.Time, err *Error) {
	r := cn.relay
	switch {
	case v.blame == blameRelay:
		c.blame(r, now, err)
	case v.blame == blameRefusal:
		// Where all relays refuse a return path, mail with another must go on: what has
		// this one waits for its rounds, and is in nobody's way.
		keep := v.cause == errSenderRefused && !r.pool.othersBelievable(r, now)
		s := r.health.refuse(now, keep, rand.Float64())
		if s.eject || r.health.refusals == ejectRefusals {
			r.lastErr = err
		}
		if keep && r.health.refusals == ejectRefusals {
			c.log(levelWarn, "relay refuses the return path", "relay", r.name, "reason", err)
		}
		c.carryOut(s, r, now, err)
	case !err.Reply.Temporary() || !c.deferredBy(r, now, err):
		return
	}
	cn.rest(lane, r.pool.rest(r, now))
}

// deferredBy counts a 4yz reply that blames nobody. Many in a row are strain; and
// where another relay takes what comes meanwhile, they are this relay's fault. It says
// whether that shows already: a few may be about their recipients.
func (c *Client) deferredBy(r *relay, now time.Time, err *Error) (its bool) {
	const few = 2
	many := r.health.deferred()
	its = r.health.deferrals > few && r.pool.othersBelievable(r, now)
	if many && r.tighten(now) {
		c.applyWeights(r.pool)
	}
	if many && its {
		r.lastErr = err
		c.carryOut(r.health.eject(now, ejectMost, rand.Float64()), r, now, err)
	}
	return its
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

func (e *entry) avoidRelay(r *relay) {
	id := r.candidate().id
	for _, a := range e.avoid {
		if a == id {
			return
		}
	}
	e.avoid = append(e.avoid, id)
}

// Temporary and Permanent say whether the reply is 4yz or 5yz.
func (r Reply) Temporary() bool { return r.Code/100 == 4 }
func (r Reply) Permanent() bool { return r.Code/100 == 5 }

func (c *Client) noteSuccess(r *relay, t *transaction, now time.Time) {
	k := r.candidate()
	// What was under way when the relay was put out says nothing of it: only a
	// message that it gets afterwards brings it back.
	barred := r.health.out && now.Before(k.notBefore)
	if k.ramp > 0 && !barred {
		if k.ramp++; k.ramp > 2*k.limit { // slow start: doubled by each full round
			k.ramp = 0
		}
	}
	if !barred && r.health.succeed(now) {
		name := r.name
		r.window = 0 // what it could take before says nothing; it starts slowly anyway
		c.applyWeights(r.pool)
		if f := c.cfg.Observer.Restored; f != nil {
			c.after(func() { f(name) })
		}
	}
	if !barred {
		c.noticeWell(r)
	}
	r.timed(now.Sub(t.start), t.lane)
	if t.lane == Bulk && r.climbing() && r.tighten(now) {
		c.applyWeights(r.pool)
		return
	}
	k.pace.take(now, now.Sub(t.start))
	eased := k.crowd.ease(now)
	if r.ease(now) || eased {
		c.applyWeights(r.pool)
	}
}

func (c *Client) noteAttempt(cn *conn, e *entry, t *transaction, err error, now time.Time) {
	a := Attempt{Relay: cn.relay.name, TLS: cn.secured, Stage: t.stage, Reply: t.reply, Err: err, Start: t.start, Duration: now.Sub(t.start)}
	if err == nil && t.reply.Code == 0 {
		for i := range t.rcpts {
			if to := &t.rcpts[i]; to.reply.Code != 0 {
				a.Stage, a.Reply = StageRecipient, to.reply
			}
		}
	}
	if err == nil && !(a.Stage == StageFinalDot && a.Reply.Code/100 == 2) {
		a.Err = &Error{Outcome: Deferred, Stage: a.Stage, Relay: a.Relay, Reply: a.Reply}
	}
	c.note(e, a)
}

// note enters an attempt in the receipt and tells the Observer.
func (c *Client) note(e *entry, a Attempt) {
	e.attempted(a)
	if f := c.cfg.Observer.Attempted; f != nil {
		ref, lane := e.receipt.Ref, e.lane
		c.after(func() { f(ref, lane, a) })
	}
}

// blame counts a failure that is the relay's own.
func (c *Client) blame(r *relay, now time.Time, err *Error) {
	r.lastErr = err
	timedOut := errors.Is(err.Err, errTimeout)
	silent := timedOut && now.Sub(r.candidate().lastOctet) >= stallSilence
	strained := err.Reply.Temporary() || timedOut && !silent // not that it is gone
	if strained && r.tighten(now) {
		c.applyWeights(r.pool)
	}
	if silent {
		// A process that is stopped, or a host that is cut off, says nothing on any of
		// its connections, and takes new ones all the same. What is tried next is a new
		// one, since it is a connection that pays for a probe then, and no message.
		r.health.silent()
		for _, cn := range r.conns {
			if cn.cur == nil {
				cn.leave()
			}
		}
	}
	s := r.health.fail(now, false, !r.pool.othersUsable(r, now), rand.Float64())
	c.carryOut(s, r, now, err)
}

// timed takes in how long a transaction took, MAIL to the reply to the final dot.
func (r *relay) timed(took time.Duration, lane Lane) {
	r.latencies[lane-Transactional].add(took)
	if r.latency == 0 {
		r.latency, r.calm = took, took
	}
	r.latency += (took - r.latency) / 8
	// The calm latency follows downwards at once, and upwards slowly: what lasts
	// for some hundred transactions is what the relay is like.
	r.calm = min(took, r.calm+r.calm/256+1)
}

// climbing says whether the relay takes much longer than it used to, as Postfix
// does on purpose when mail comes in faster than its queue manager takes it
// (in_flow_delay).
func (r *relay) climbing() bool {
	const much = 500 * time.Millisecond
	return r.latency > much && r.latency > 4*r.calm
}

// tighten leaves Bulk fewer connections to a relay that shows strain; ease gives
// one back after a clean while (additive increase, multiplicative decrease).
func (r *relay) tighten(now time.Time) bool {
	const pause = time.Second // what is one event to the relay shall not count twice
	if now.Sub(r.eased) < pause {
		return false
	}
	k := r.candidate()
	r.window, r.eased = max(1, 0.7*float64(k.bulkLimit)), now
	return true
}

func (r *relay) ease(now time.Time) bool {
	const clean = 5 * time.Second
	if r.window == 0 || now.Sub(r.eased) < clean {
		return false
	}
	r.eased = now
	const surely = 1 << 10
	if r.window++; r.window > surely {
		r.window = 0
	}
	return true
}

// broken settles what was on a connection that ended with err.
func (c *Client) broken(cn *conn, err error, partial string, now time.Time) {
	c.mu.Lock()
	defer c.unlockFor(cn)
	if f := c.cfg.Observer.Disconnected; f != nil {
		name, address := cn.relay.name, cn.address
		c.after(func() { f(name, address, err) })
	}
	waiting := [2]*entry{cn.cur, cn.next}
	cn.cur, cn.next = nil, nil
	c.drop(cn)
	if err == errOutOfStep {
		cn.relay.lockStepUntil = now.Add(lockStepFor)
		c.log(levelWarn, "relay answers out of step", "relay", cn.relay.name)
	}
	for i, t := range [2]*transaction{cn.tx, cn.txNext} {
		if !t.busy || t.entry == nil {
			continue
		}
		e := t.entry
		for j := range waiting {
			if waiting[j] == e {
				waiting[j] = nil
			}
		}
		e.conn = nil
		if i == 0 {
			c.settleBroken(cn, e, t, err, partial, now)
		} else {
			c.noteUnfinished(cn, e, t, unfinished(cn, t, err, partial), now)
		}
		c.requeue(e, now)
	}
	for _, e := range waiting {
		if e != nil && e.msg != nil {
			e.conn = nil
			c.requeue(e, now) // nothing of it was written
		}
	}
	c.dispatch(now)
}

// settleBroken decides about the entry of the content slot of a connection that
// broke. The one behind it lost nothing but time.
func (c *Client) settleBroken(cn *conn, e *entry, t *transaction, err error, partial string, now time.Time) {
	failure := unfinished(cn, t, err, partial)
	refused := failure.Reply.Code != 0
	committed := !refused && t.committed(cn.out.handed.octets)
	if committed {
		failure.Outcome = InDoubt
	}
	if e.cancelled != nil {
		failure.Err = e.cancelled
	}
	c.noteUnfinished(cn, e, t, failure, now)
	switch {
	case err == errOutOfStep:
		e.complained = e.complained || t.stage == StageFinalDot
		return
	case committed:
		c.settleCommitted(e, t, cn.relay, failure, now)
		if e.cancelled == nil {
			c.blame(cn.relay, now, failure)
		}
		return
	case e.cancelled != nil:
		for i := range t.rcpts {
			if to := &t.rcpts[i]; to.refused(t) {
				c.settleRefused(e, t, to, cn.relay, now)
			} else {
				e.settle(to.index, failure, failure.Relay)
			}
		}
		return // requeue gives up those that wait for their round
	case t.replied == 0 && !t.dotSent && cn.used > 0 && lost(err):
		const most = 100
		if e.free++; e.free < most {
			return // stale: the relay closed an idle connection, and never saw this message
		}
	}
	if t.sent > 0 {
		c.blame(cn.relay, now, failure)
	}
	for i := range t.rcpts {
		if to := &t.rcpts[i]; to.refused(t) {
			c.settleRefused(e, t, to, cn.relay, now)
		} else {
			c.dispose(e, to.index, verdict{do: elsewhere}, cn.relay, ptr(*failure), now)
		}
	}
}

func ptr[T any](v T) *T { return &v }

// lost says whether a connection with that error is merely gone, closed or reset
// or by a 421. A relay that is silent, or talks nonsense, is not well.
func lost(err error) bool {
	var slow net.Error
	return err != errTimeout && !errors.Is(err, smtpwire.ErrProtocol) && !(errors.As(err, &slow) && slow.Timeout())
}

// unfinished is the error of a transaction that had not got its last reply when
// its connection ended.
func unfinished(cn *conn, t *transaction, err error, partial string) *Error {
	failure := &Error{Outcome: Deferred, Stage: t.reached(), Relay: cn.relay.name, Err: err}
	if closing, ok := err.(*closingError); ok {
		failure.Reply, failure.Err = closing.reply, nil
	} else if partial != "" {
		failure.Reply = Reply{Text: partial}
	}
	return failure
}

// noteUnfinished records a transaction that ended without its last reply, if it
// had begun.
func (c *Client) noteUnfinished(cn *conn, e *entry, t *transaction, failure *Error, now time.Time) {
	if t.busy && t.sent > 0 {
		t.stage, t.reply = failure.Stage, failure.Reply
		c.noteAttempt(cn, e, t, failure, now)
	}
}

// settleCommitted: the final dot was handed over, and its reply is not to be had.
// Recipients that RCPT refused are not in doubt: for them, all is as it would be had
// the reply come.
func (c *Client) settleCommitted(e *entry, t *transaction, r *relay, failure *Error, now time.Time) {
	mayResend := c.cfg.InDoubt == InDoubtResend && e.cancelled == nil && c.ctx.Err() == nil
	for i := range t.rcpts {
		to := &t.rcpts[i]
		switch {
		case to.refused(t):
			c.settleRefused(e, t, to, r, now)
		case !mayResend || e.rcpts[to.index].resent:
			e.settle(to.index, failure, failure.Relay)
		default:
			e.rcpts[to.index].last, e.rcpts[to.index].resent = failure, true
		}
	}
}

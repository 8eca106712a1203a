package mxsend

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// What a connection reports to its Client, and what follows: every function here
// takes Client.mu, settles what the report settles, and dispatches.

// A task is what a connection is to do beyond its transactions.
type task struct {
	leave     bool // close: nothing is on it
	cancelled bool // end: a message on it was cancelled
}

// opened puts a connection into service. It returns false if the Client was
// closed meanwhile.
func (c *Client) opened(cn *conn) bool {
	c.mu.Lock()
	defer c.unlockFor(cn)
	now := time.Now()
	c.dialEnded(cn)
	r := cn.relay
	k := r.candidate()
	if c.ctx.Err() != nil {
		c.drop(cn)
		return false
	}
	x := &cn.extensions
	k.lacks, k.maxSize = lacks(x), x.Size
	if k.ramp == 1 && !r.health.out {
		k.ramp = 0 // it was for the credential's sake
	}
	r.extensions, r.misfit, r.lastErr = x.Names, nil, nil
	c.noticeReached(r)
	c.reached(r.pool)
	cn.lockStep = cn.lockStep || now.Before(r.lockStepUntil)
	cn.state, cn.idleSince = connReady, now
	cn.since = now
	cn.leaving = r.gone
	cn.attended = true // by its reader, in a moment
	cn.recount()
	k.crowd.opened(now)
	c.applyWeights(r.pool)
	if cn.greeted >= crowdedGreeting && k.crowd.sign(now) {
		c.noticeCrowded(r)
	}
	if f := c.cfg.Observer.Connected; f != nil {
		name, address, took := r.name, cn.address, now.Sub(cn.opening)
		c.after(func() { f(name, address, took, nil) })
	}
	c.dispatch(now)
	return true
}

// reached: a relay of the pool is usable, so mailings need not feel their way.
func (c *Client) reached(p *pool) {
	if p.reached {
		return
	}
	p.reached = true
	for _, l := range c.lanes {
		for r := range l.runs {
			r.wakePuller()
		}
	}
}

func lacks(x *smtpwire.Extensions) (n need) {
	if !x.EightBitMIME {
		n |= needEightBitMIME
	}
	if !x.SMTPUTF8 {
		n |= needSMTPUTF8
	}
	if !x.RequireTLS {
		n |= needRequireTLS
	}
	return n
}

// dialEnded: nobody waits for this connection to be opened any more.
func (c *Client) dialEnded(cn *conn) {
	if !cn.slow {
		cn.slow = true
		c.lane(cn.lane).dialing--
	}
}

// noticeSlow stops counting on a connection that takes long to be opened.
func (c *conn) noticeSlow(now time.Time) {
	if c.state == connOpening && now.Sub(c.opening) >= slowDial {
		c.client.dialEnded(c)
		if Stage(c.stage.Load()) == StageGreeting && c.relay.candidate().crowd.sign(now) {
			c.client.noticeCrowded(c.relay)
		}
	}
}

// openFailed: a connection could not be opened.
func (c *Client) openFailed(cn *conn, err *Error) {
	misfit := errors.Is(err, ErrTLSRequired) || errors.Is(err, ErrTLSVerify) || err.Stage == StageAuth && err.Reply.Permanent()
	c.mu.Lock()
	defer c.unlockLast()
	now := time.Now()
	c.dialEnded(cn)
	c.drop(cn)
	r := cn.relay
	if f := c.cfg.Observer.Connected; f != nil {
		name, address, took := r.name, cn.address, now.Sub(cn.opening)
		c.after(func() { f(name, address, took, err) })
	}
	c.noteFailedOpening(cn, err, now)
	if c.ctx.Err() != nil {
		return
	}
	p := r.pool
	p.failures++
	p.lastErr, r.lastErr = err, err
	if err.Stage == StageGreeting && err.Reply.Code == 421 {
		c.refusedSession(r, now)
		c.dispatch(now)
		return
	}
	r.misfit = nil
	if misfit {
		r.misfit = err
	}
	c.noticeUnreached(r, err)
	s := r.health.fail(now, true, !p.othersUsable(r, now), rand.Float64())
	if err.Stage == StageAuth && err.Reply.Permanent() {
		const lockedOut = 5 * time.Minute // no hot loop with a credential that is refused
		s = sentence{eject: true, wait: lockedOut}
	}
	c.carryOut(s, r, now, err)
	c.dispatch(now)
}

// refusedSession: the relay lives, and has enough clients. That blames nobody.
func (c *Client) refusedSession(r *relay, now time.Time) {
	k := r.candidate()
	open := k.conns - k.dialing
	wait, first := k.crowd.refuse(now, open, rand.Float64())
	if wait > 0 {
		k.notBefore = now.Add(wait)
	}
	if first {
		c.noticeCrowded(r)
	}
	c.applyWeights(r.pool)
	surplus := open - k.limit
	for _, cn := range r.conns {
		if surplus > 0 && cn.state == connReady {
			cn.leave()
			surplus--
		}
	}
}

// noticeCrowded: the relay has more clients than sessions, and did not until now.
// Connections that carry nothing are somebody else's then.
func (c *Client) noticeCrowded(r *relay) {
	k := r.candidate()
	c.log(levelInfo, "relay has more clients than sessions", "relay", r.name, "connections", k.conns-k.dialing)
	for _, cn := range r.conns {
		if cn.cur == nil {
			cn.signal()
		}
	}
}

// carryOut does what health says of a relay.
func (c *Client) carryOut(s sentence, r *relay, now time.Time, reason error) {
	if s.wait == 0 {
		return
	}
	k := r.candidate()
	k.notBefore = now.Add(s.wait)
	if !s.eject {
		return
	}
	k.ramp = 1 // one message probes
	r.ejections++
	r.ejectedFor = reason
	name, until := r.name, k.notBefore
	c.noticeOut(r, s.wait, reason)
	if f := c.cfg.Observer.Ejected; f != nil {
		c.after(func() { f(name, until, reason) })
	}
}

// drop takes a connection off the books.
func (c *Client) drop(cn *conn) {
	r := cn.relay
	cn.state = connGone
	cn.recount()
	cn.stopRest()
	for i, other := range r.conns {
		if other == cn {
			r.conns = append(r.conns[:i], r.conns[i+1:]...)
			break
		}
	}
	if r.gone && len(r.conns) == 0 {
		c.forgetGone(r.pool)
	}
}

// turn is a connection's look at the books, once for each step: what is to be
// done, what is new on it, and whether it takes another envelope.
func (c *Client) turn(cn *conn, heard bool, now time.Time) (todo task) {
	c.mu.Lock()
	defer c.unlockFor(cn)
	cn.attended = true // this is the turn: what dispatch places here needs no signal
	defer func() { cn.attended = false }()
	if heard {
		cn.relay.candidate().lastOctet = now
	}
	c.endCancelled(cn, now, &todo)
	if todo.cancelled || c.ctx.Err() != nil && cn.tx.busy {
		todo.cancelled = true
		return todo
	}
	t := cn.tx
	w := &cn.relay.candidate().crowd
	cn.retireAt = w.retireAt(now, cn.entered, c.cfg.Limits.Age, cn.luck)
	cn.idleFor = w.idleFor(now, c.cfg.Limits.Idle)
	cn.leaving = cn.leaving || !now.Before(cn.retireAt) || w.renew(now, cn.luck)
	cn.slotFree = t.busy && t.granted && !t.over && cn.next == nil && !cn.parted && !cn.leaving && !cn.lockStep &&
		!c.cfg.SeparateTransactions && t.entry != nil && t.entry.size <= writeChunk
	cn.recount()
	if cn.cur == nil && cn.leaving {
		c.drop(cn)
		k := cn.relay.candidate()
		k.crowd.left(now, k.conns, rand.Float64())
		todo.leave = true
	}
	c.dispatch(now)
	if todo.leave {
		return todo
	}
	if cn.cur != nil && !cn.tx.busy {
		cn.tx.begin(cn.cur, now, cn.needReset, lacks(&cn.extensions))
		cn.needReset = false
	}
	if cn.next != nil && !cn.txNext.busy {
		cn.txNext.begin(cn.next, now, false, lacks(&cn.extensions))
	}
	return todo
}

// endCancelled gives cancelled entries their outcome. One that nothing was
// written of leaves its slot; else the connection has to end, at once or after
// the reply to the message before.
func (c *Client) endCancelled(cn *conn, now time.Time, todo *task) {
	if e := cn.next; e != nil && e.cancelled != nil {
		cn.next = nil
		if cn.txNext.busy && cn.txNext.sent > 0 {
			c.noteUnfinished(cn, e, cn.txNext, unfinished(cn, cn.txNext, e.cancelled, ""), now)
			cn.txNext.entry = nil
			cn.parted = true
		} else {
			cn.txNext.busy = false
		}
		c.endAbandoned(e, cn)
	}
	e := cn.cur
	if e == nil || e.cancelled == nil {
		return
	}
	switch t := cn.tx; {
	case !t.busy || t.sent == 0:
		t.busy = false
		cn.takeContent(cn.next)
		cn.next = nil
		cn.since, cn.idleSince = now, now
		c.endAbandoned(e, cn)
	case t.committed(cn.out.handed.octets):
		// The connection goes on waiting for the reply; nobody else does.
		failure := unfinished(cn, t, e.cancelled, "")
		failure.Outcome = InDoubt
		c.noteUnfinished(cn, e, t, failure, now)
		c.settleCommitted(e, t, cn.relay, failure, now)
		c.giveUp(e, true, e.cancelled, now) // recipients that wait for their round
		t.entry = nil
		e.conn = nil
		cn.takeContent(&entry{lane: e.lane}) // the slot is taken until the reply comes
		c.finish(e)
	default:
		todo.cancelled = true
	}
}

// endAbandoned ends an entry that was cancelled before its content went out.
func (c *Client) endAbandoned(e *entry, cn *conn) {
	e.conn = nil
	for i := range e.rcpts {
		if to := &e.rcpts[i]; to.last == nil {
			to.last = &Error{Stage: StageMail, Relay: cn.relay.name}
		}
	}
	c.giveUp(e, false, e.cancelled, time.Now())
	c.finish(e)
}

// giveBack takes the entry out of the envelope slot, since it would wait there for
// nothing, or too long; it goes elsewhere at no cost.
func (c *Client) giveBack(cn *conn, t *transaction, why error, now time.Time) {
	c.mu.Lock()
	defer c.unlockFor(cn)
	e := cn.next
	cn.next = nil
	t.entry = nil
	cn.recount()
	if e != nil {
		c.noteUnfinished(cn, e, t, unfinished(cn, t, why, ""), now)
		c.requeue(e, now)
	}
	c.dispatch(now)
}

// lockStepFor is how long a relay that answered out of step is spoken to in
// lock-step. It may have been mended meanwhile, and finding out costs a connection.
const lockStepFor = 10 * time.Minute

// retire has a connection close as soon as nothing is on it.
func (c *Client) retire(cn *conn) {
	c.mu.Lock()
	defer c.unlockFor(cn)
	cn.leave()
}

func (c *conn) leave() {
	if !c.leaving {
		c.leaving = true
		c.recount()
		c.signal()
	}
}

// attend has somebody else act for a connection whose reader must read on.
func (c *Client) attend(cn *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cn.signal()
}

// isCancelled says whether a Write failed only because its message was cancelled.
func (c *Client) isCancelled(cn *conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cn.cur != nil && cn.cur.cancelled != nil
}

// interrupt has an entry that was cancelled seen to, out of a Write of its
// content if need be. Client.mu is held.
func (c *conn) interrupt(e *entry) {
	if c.cur == e {
		// Whoever is about to write sees this; a Write that has begun is ended.
		c.cancelled.Store(true)
		c.client.goroutines.Go(func() { c.out.handed.interrupt(c.cancelled.Load) })
	}
	c.signal()
}

// takeContent has an entry, or nil, take the content slot. Client.mu is held.
func (c *conn) takeContent(e *entry) {
	c.cur = e
	c.cancelled.Store(e != nil && e.cancelled != nil)
}

package mxsend

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// What a connection reports to its Client, and what follows: every function here
// takes Client.mu, settles what the report settles, and dispatches.

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
	if now.Before(r.lockStepUntil) {
		cn.session.UseLockStep()
	}
	cn.state, cn.idleSince = connReady, now
	cn.leaving = r.gone
	cn.turnDue = true // by its reader, in a moment
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

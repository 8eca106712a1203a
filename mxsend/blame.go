package mxsend

import (
	"math/rand/v2"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpsession"
)

// What an answer or a breakage says of the relay, and what follows for it.

// noteSuccess takes in a message that the relay accepted, and how long that took it.
func (c *Client) noteSuccess(r *relay, lane Lane, took time.Duration, now time.Time) {
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
	r.timed(took, lane)
	k.pace.take(now, took)
	if lane == Bulk && r.climbing() && r.tighten(now) {
		c.applyWeights(r.pool)
		return
	}
	eased := k.crowd.ease(now)
	if r.ease(now) || eased {
		c.applyWeights(r.pool)
	}
}

// blameFor does to the relay what follows from a transaction in which it took
// nobody; err says why.
func (c *conn) blameFor(v verdict, lane Lane, now time.Time, err *Error) {
	client, r := c.client, c.relay
	switch {
	case v.blame == blameRelay:
		client.blame(r, now, err)
	case v.blame == blameRefusal:
		// Where all relays refuse a return path, mail with another must go on: what has
		// this one waits for its rounds, and is in nobody's way.
		keep := v.cause == errSenderRefused && !r.pool.othersBelievable(r, now)
		s := r.health.refuse(now, keep, rand.Float64())
		if s.eject || r.health.refusals == ejectRefusals {
			r.lastErr = err
		}
		if keep && r.health.refusals == ejectRefusals {
			client.log(levelWarn, "relay refuses the return path", "relay", r.name, "reason", err)
		}
		client.carryOut(s, r, now, err)
	case !err.Reply.Temporary() || !client.deferredBy(r, now, err):
		return
	}
	c.rest(lane, r.pool.rest(r, now))
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

// blame counts a failure that is the relay's own.
func (c *Client) blame(r *relay, now time.Time, err *Error) {
	r.lastErr = err
	timedOut := err.Err == smtpsession.ErrTimeout
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

package mxsend

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// New validates cfg and returns a Client. It does no I/O: relays are looked up
// and connected to when there is something to send. The error joins everything
// that is wrong with cfg.
func New(cfg Config) (*Client, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, pools: map[poolKey]*pool{}, drained: make(chan struct{}), draw: rand.Uint32, entries: sync.Pool{New: newEntry}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if r, ok := cfg.Resolver.(*dnsResolver); ok {
		r.use()
	}
	c.lanes = [2]*lane{c.newLane(Transactional, cfg.Transactional), c.newLane(Bulk, cfg.Bulk)}
	if found := unqualified(cfg.LocalName); found != "" {
		c.protect(func() { c.cfg.Logger.Warn(found, "advice", unqualifiedAdvice) })
	}
	return c, nil
}

// String names the Client by its mail domain, so that it may be printed while it
// works, and nothing of its Config is.
func (c *Client) String() string { return "mxsend.Client(" + c.cfg.Domain + ")" }

// GoString is String, for %#v.
func (c *Client) GoString() string { return c.String() }

func (c *Client) newLane(id Lane, cfg LaneConfig) *lane {
	domain := cfg.Domain
	if domain == "" {
		domain = c.cfg.Domain
	}
	key := poolKey{domain, cfg.Port}
	p := c.pools[key]
	if p == nil {
		p = &pool{poolKey: key}
		c.pools[key] = p
	}
	l := &lane{id: id, pool: p, runs: map[*run]struct{}{}}
	if cfg.Rate > 0 {
		l.limiter = rate.NewLimiter(rate.Limit(cfg.Rate), max(1, int(cfg.Rate/10)))
	}
	return l
}

// Send submits one message and waits for its outcome. Its error is nil exactly
// when every recipient was Accepted; else it unwraps to the *Error of each that
// was not, so that errors.Is(err, ErrInDoubt) says whether any is in doubt. The
// Receipt is complete in any case.
//
// When ctx ends, recipients that no connection was tried for are NotAttempted,
// those whose final dot was handed over are InDoubt, and others Deferred. While
// no relay is usable, Send waits until Config.Retry stops, two minutes by default.
func (c *Client) Send(ctx context.Context, m *Message) (Receipt, error) {
	e := c.prepare(ctx, m, Transactional)
	e.ctx = ctx
	c.submit(ctx, e)
	receipt, err := e.outcome()
	c.release(e)
	return receipt, err
}

func (c *Client) submit(ctx context.Context, e *entry) {
	ended := context.Cause(ctx)
	c.mu.Lock()
	c.enqueue(ended, e, time.Now())
	c.unlock()
	select {
	case <-e.done:
	case <-ctx.Done():
		ended = context.Cause(ctx)
		c.mu.Lock()
		c.abandon(e, ended)
		c.unlock()
		<-e.done
	}
}

// enqueue takes an entry in and looks for a place for it. ended is why its context
// ended before that, if it did.
func (c *Client) enqueue(ended error, e *entry, now time.Time) {
	l := c.lane(e.lane)
	c.live++
	l.live++
	switch {
	case e.pending == 0 && len(e.receipt.Recipients) > 0:
	case ended != nil:
		e.settleRest(&Error{Outcome: NotAttempted, Stage: StageLocal, Err: ended})
	case c.closed:
		err := &Error{Outcome: NotAttempted, Stage: StageLocal, Err: e.hopeless(ErrClosed)}
		e.settleRest(err)
		if len(e.receipt.Recipients) == 0 {
			e.localErr = err
		}
	}
	if e.pending == 0 {
		c.finish(e)
		return
	}
	e.poolFails = l.pool.failures
	l.queue.pushBack(e)
	if l.stuck && e.run == nil {
		c.startRound(e)
	}
	c.dispatch(now)
}

// finish hands an entry whose recipients all have their outcome back to whoever
// submitted it.
func (c *Client) finish(e *entry) {
	e.stopTimer()
	l := c.lane(e.lane)
	for i := range e.receipt.Recipients {
		o := e.receipt.Recipients[i].Outcome
		l.outcomes[o]++
		if e.tried && (o == Accepted || o == Rejected) {
			c.noticeProgress(l)
		}
	}
	if f := c.cfg.Observer.Finished; f != nil {
		ctx, receipt, lane := e.ctx, e.receipt.clone(), e.lane // the caller's own may be changed meanwhile
		c.after(func() { f(ctx, receipt, lane) })
	}
	c.live--
	l.live--
	c.noticeDrained()
	if e.run != nil {
		e.run.push(e)
		return
	}
	e.done <- struct{}{}
}

// noticeDrained notices that a closed Client has nothing left to do. Messages
// that come later get their outcome at once.
func (c *Client) noticeDrained() {
	if c.closed && c.live == 0 && !c.isDrained {
		c.isDrained = true
		close(c.drained)
	}
}

package mxsend

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A Client submits messages through the relays of a mail domain. It is safe for
// concurrent use; one Client serves a whole program. It connects when there is
// something to send, and keeps no connection open for long without need.
type Client struct {
	cfg    Config
	ctx    context.Context // ends when the Client is cut
	cancel context.CancelFunc
	// goroutines are the connections' and the lookups'; Close waits for them.
	goroutines sync.WaitGroup
	entries    sync.Pool // of *entry, out of use
	// leaveResolver does so when the Client is cut for the first time.
	leaveResolver sync.Once

	// mu guards all that follows, every pool, relay, lane and entry, and of a
	// conn the fields said to be. Nothing is read, written, slept or called back
	// under it. Lock order: conn.mu, Client.mu, then run.mu.
	mu             sync.Mutex
	pools          map[poolKey]*pool
	unknownWeights map[string]bool // hosts of Config.Weights that the log was told of
	lanes          [2]*lane        // Transactional, Bulk
	relayIDs       int
	draw           func() uint32 // a lot, for a new relay
	live           int           // entries between submission and outcome
	closed         bool
	drained        chan struct{} // closed when closed and live is zero for the first time
	isDrained      bool
	afterUnlock    []func()
	alarm          *time.Timer
	alarmAt        time.Time
}

// A lane is one of the two queues. Client.mu guards it.
type lane struct {
	id      Lane
	pool    *pool
	queue   entryList // ready to be placed
	waiting entryList // for their next round
	dialing int       // connections being opened for its entries, not yet slow
	limiter *rate.Limiter
	runs    map[*run]struct{}
	live    int  // entries between submission and outcome
	stuck   bool // no relay was usable when it was last looked at
	// stuckSince is when it was, with something to send, for the first time since a
	// relay answered a message; held: Logger and Observer were told.
	stuckSince time.Time
	held       bool
	outcomes   [5]uint64
}

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

func (c *Client) lane(id Lane) *lane {
	if id == Bulk {
		return c.lanes[1]
	}
	return c.lanes[0]
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
	c.submit(ctx, e)
	receipt, err := e.outcome()
	c.release(e)
	return receipt, err
}

// outcome is what Send and SendAll return of an entry.
func (e *entry) outcome() (Receipt, error) {
	if len(e.receipt.Recipients) == 0 {
		return e.receipt, noRecipients(e)
	}
	return e.receipt, e.receipt.err()
}

// noRecipients is the error of a message that nobody was to get.
func noRecipients(e *entry) error {
	if e.localErr != nil {
		return e.localErr
	}
	return &Error{Outcome: Rejected, Stage: StageLocal, Err: fmt.Errorf("%w: Message.Recipients is empty", ErrInvalidMessage)}
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
		receipt, lane := e.receipt.clone(), e.lane // the caller's own may be changed meanwhile
		c.after(func() { f(receipt, lane) })
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

const levelWarn, levelInfo = slog.LevelWarn, slog.LevelInfo

// log logs once mu is released.
func (c *Client) log(level slog.Level, msg string, args ...any) {
	c.after(func() { c.cfg.Logger.Log(context.Background(), level, msg, args...) })
}

// after has f called once mu is released, and a conn's where that is held, too.
func (c *Client) after(f func()) { c.afterUnlock = append(c.afterUnlock, f) }

// unlock releases mu and makes the calls that were put off.
func (c *Client) unlock() { c.tell(c.letGo()) }

// letGo releases mu and returns the calls that were put off.
func (c *Client) letGo() []func() {
	calls := c.afterUnlock
	c.afterUnlock = nil
	c.mu.Unlock()
	return calls
}

// unlockLast is unlock at the end of a goroutine that Close waits for. The calls
// come when it is off the books: they may call Close.
func (c *Client) unlockLast() {
	calls := c.letGo()
	c.goroutines.Done()
	c.tell(calls)
}

// unlockFor is unlock for who holds the mu of a conn: its calls are made when
// that is released.
func (c *Client) unlockFor(cn *conn) { cn.calls = append(cn.calls, c.letGo()...) }

// tell makes calls into the user's code, with no lock held.
func (c *Client) tell(calls []func()) {
	for _, f := range calls {
		c.protect(f)
	}
}

// recovered makes an error of a panic in the user's code.
func recovered(what string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s panicked: %T", what, p)
	}
}

// protect calls into the user's code; a panic there is logged and ends nothing.
func (c *Client) protect(f func()) {
	defer func() {
		if p := recover(); p != nil {
			defer func() { _ = recover() }() // it may have been the Logger's
			c.cfg.Logger.Error("a callback of Config panicked", "panic", fmt.Sprintf("%T", p))
		}
	}()
	f()
}

package mxsend

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// SendAll submits a mailing: it pulls messages on a goroutine of its own, only
// as many as Config.Limits lets be in flight, and yields a Result for each, in
// whatever order they end. Messages go to the Bulk lane unless they name another.
//
// While no relay is usable it pulls nothing and holds what it has, until one
// returns or ctx ends: a mailing is not burnt by an outage. When ctx ends, every
// message that was pulled is still yielded; when the Client is closed, one more
// is, NotAttempted with ErrClosed, and none after it. Breaking out of the loop stops the
// pulling and cancels what is not yet committed; the outcomes go to
// Config.Observer. In either case SendAll returns when the sequence has returned
// from the pull under way, so a sequence that waits should end with ctx, too.
//
// The sequence is iterated once; the returned one must be, too.
func (c *Client) SendAll(ctx context.Context, messages iter.Seq[*Message]) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		r := &run{client: c, news: make(chan struct{}, 1), room: make(chan struct{}, 1)}
		c.mu.Lock()
		l := c.lane(Bulk)
		l.runs[r] = struct{}{}
		if !l.pool.known && !c.closed {
			c.refresh(l.pool, time.Now())
		}
		c.unlock()
		stop := context.AfterFunc(ctx, func() { r.abandonAll(context.Cause(ctx)) })
		defer stop()
		go r.pull(ctx, messages)
		defer func() {
			c.mu.Lock()
			delete(l.runs, r)
			c.unlock()
		}()

		going := true
		for {
			batch, ended := r.take()
			for _, e := range batch {
				if going && !yield(e.result()) {
					going = false
					cancel(errBroken)
				}
				r.leave(e)
			}
			if ended && len(batch) == 0 {
				if r.panicked != nil {
					panic(r.panicked) // in the caller's goroutine, as if it ran the sequence
				}
				return
			}
			if len(batch) == 0 {
				<-r.news
			}
		}
	}
}

var errBroken = errors.New("the loop over SendAll was left")

// A run is one call of SendAll.
type run struct {
	client *Client
	news   chan struct{} // of capacity one: results, or the end of pulling
	room   chan struct{} // of capacity one: the puller may look again

	inFlight atomic.Int64 // messages pulled and not yet yielded
	octets   atomic.Int64 // of theirs
	wants    atomic.Bool  // the puller waits for room

	mu       sync.Mutex // guards what follows; taken under Client.mu
	results  []*entry   // with all their outcomes
	spare    []*entry
	pulled   bool // all there is
	panicked any  // the sequence's panic
}

func (e *entry) result() Result {
	receipt, err := e.outcome()
	return Result{Message: e.msg, Receipt: receipt, Err: err}
}

// push takes an entry that has its outcome. Client.mu is held.
func (r *run) push(e *entry) {
	r.mu.Lock()
	r.results = append(r.results, e)
	r.mu.Unlock()
	notify(r.news)
}

// take returns what is to be yielded, and whether nothing more will come.
func (r *run) take() (batch []*entry, ended bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	batch, r.results, r.spare = r.results, r.spare[:0], r.results
	return batch, r.pulled && r.inFlight.Load() == int64(len(batch))
}

// leave takes a yielded entry off the books.
func (r *run) leave(e *entry) {
	r.octets.Add(-e.size)
	r.inFlight.Add(-1)
	r.client.release(e)
	if r.wants.Load() {
		r.wakePuller()
	}
}

// wakePuller has the puller look again whether it may go on.
func (r *run) wakePuller() { notify(r.room) }

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pull is the goroutine that iterates over the messages. Signing takes cores: it
// is spread over all but one, which is left for Transactional and the
// connections.
func (r *run) pull(ctx context.Context, messages iter.Seq[*Message]) {
	defer func() {
		p := recover()
		r.mu.Lock()
		r.pulled, r.panicked = true, p
		r.mu.Unlock()
		notify(r.news)
	}()
	if !r.mayPull(ctx) {
		return
	}
	work := make(chan *Message)
	var signers sync.WaitGroup
	for range max(1, runtime.GOMAXPROCS(0)-1) {
		signers.Go(func() {
			for m := range work {
				r.submit(ctx, m)
			}
		})
	}
	defer signers.Wait()
	defer close(work)
	for m := range messages {
		closed := r.client.isClosed() // then this message says so, and is the last
		r.inFlight.Add(1)
		if m != nil && (m.Signer != nil || r.client.cfg.Signer != nil) {
			work <- m
		} else {
			r.submit(ctx, m)
		}
		if closed || !r.mayPull(ctx) {
			return
		}
	}
}

func (c *Client) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// submit takes in a message that was pulled.
func (r *run) submit(ctx context.Context, m *Message) {
	e := r.client.prepare(ctx, m, Bulk)
	e.run = r
	r.octets.Add(e.size)
	c := r.client
	ended := context.Cause(ctx)
	c.mu.Lock()
	defer c.unlock()
	c.enqueue(ended, e, time.Now())
}

// mayPull waits until there is room for another message and a relay to send it
// to. It returns false when nothing more is to be pulled.
func (r *run) mayPull(ctx context.Context) bool {
	defer r.wants.Store(false)
	for {
		if ctx.Err() != nil {
			return false
		}
		if r.hasRoom() {
			return true
		}
		if !r.wants.Swap(true) {
			continue // what was left meanwhile did not wake it
		}
		select {
		case <-r.room:
		case <-ctx.Done():
			return false
		}
	}
}

func (r *run) hasRoom() bool {
	c := r.client
	limits := &c.cfg.Limits
	c.mu.Lock()
	p := c.lane(Bulk).pool
	// The first message scouts: until a relay was reached, nothing is known.
	hold := !c.closed && !p.final() && p.known && (c.lane(Bulk).stuck && p.failures > 0)
	scout := !p.reached
	c.mu.Unlock()
	inFlight := r.inFlight.Load()
	switch {
	case hold:
		return false
	case inFlight == 0:
		return true
	case scout:
		return false
	}
	return inFlight < int64(limits.InFlight) && r.octets.Load() < limits.InFlightBytes
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

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
// returns or ctx ends: a mailing is not burnt by an outage. Until a relay was
// reached it pulls one message at a time.
//
// It stops before the end of the sequence
//   - when ctx ends: every message that was pulled is still yielded;
//   - when the Client is closed: so it is, and one message more, NotAttempted with
//     ErrClosed;
//   - where there is no hope: the domain does not exist or takes no mail, or, before
//     any relay was reached, none can be used as Config has it (ErrTLSRequired, a
//     refused credential). What was pulled is yielded with that error.
//
// In the last two cases the last Result wraps ErrStopped, and nothing more of the
// sequence was pulled: what it still holds was not submitted.
//
// Breaking out of the loop, or a panic in it, stops the pulling and cancels what is
// not yet committed; the outcomes go to Config.Observer. In every case SendAll
// returns when the sequence has returned from the pull under way, so a sequence
// that waits should end with ctx, too.
//
// The sequence is iterated once; the returned one must be, too.
func (c *Client) SendAll(ctx context.Context, messages iter.Seq[*Message]) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		r := &run{client: c, news: make(chan struct{}, 1), room: make(chan struct{}, 1)}
		c.mu.Lock()
		r.use(Bulk)
		if p := c.lane(Bulk).pool; !p.known {
			c.refresh(p, time.Now())
		}
		c.unlock()
		defer r.leaveLanes()
		abandoned := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			defer close(abandoned)
			r.abandonAll(context.Cause(ctx))
		})
		defer func() {
			if !stop() {
				<-abandoned // and the Observer was told
			}
		}()
		go r.pull(ctx, messages)

		going, ended := true, false
		defer func() {
			if ended {
				return
			}
			cancel(errBroken) // a panic in the loop, or the end of its goroutine
			for ok := true; ok; {
				_, ok = r.next()
			}
		}()
		for result, ok := r.next(); ok; result, ok = r.next() {
			if going && !yield(result) {
				going = false
				cancel(errBroken)
			}
		}
		ended = true
		if r.panicked != nil {
			panic(r.panicked) // in the caller's goroutine, as if it ran the sequence
		}
	}
}

var errBroken = errors.New("the loop over SendAll was left")

// A run is one call of SendAll.
type run struct {
	client *Client
	news   chan struct{} // of capacity one: results, or the end of pulling
	room   chan struct{} // of capacity one: the puller may look again
	batch  []*entry      // the loop's: to be yielded

	inFlight atomic.Int64 // messages pulled and not yet yielded
	octets   atomic.Int64 // of theirs
	wants    atomic.Bool  // the puller waits for room
	stopped  atomic.Bool  // nothing more is to be pulled: a Result says why

	mu       sync.Mutex // guards what follows; taken under Client.mu
	results  []*entry   // with all their outcomes
	spare    []*entry
	stopper  *entry // the one that says why pulling stopped
	last     *entry // the same once it has its outcome: it is yielded last
	pulled   bool   // all there is
	panicked any    // the sequence's panic
}

// use has the lane count on messages of the run. Client.mu is held.
func (r *run) use(lane Lane) { r.client.lane(lane).runs[r] = struct{}{} }

func (r *run) leaveLanes() {
	c := r.client
	c.mu.Lock()
	defer c.unlock()
	for _, l := range c.lanes {
		delete(l.runs, r)
	}
}

func (e *entry) result() Result {
	receipt, err := e.outcome()
	return Result{Message: e.msg, Receipt: receipt, Err: err}
}

// stop makes an error that ends the pulling of one that ends e. Client.mu is held.
func (r *run) stop(e *entry, cause error) error {
	r.mu.Lock()
	if r.stopper == nil {
		r.stopper = e
	}
	r.mu.Unlock()
	r.stopped.Store(true)
	r.wakePuller()
	return joinCauses(cause, ErrStopped)
}

// push takes an entry that has its outcome. Client.mu is held.
func (r *run) push(e *entry) {
	r.mu.Lock()
	if e == r.stopper {
		r.last = e
	} else {
		r.results = append(r.results, e)
	}
	r.mu.Unlock()
	notify(r.news)
}

// next waits for the next result; ok is false where none comes any more.
func (r *run) next() (result Result, ok bool) {
	for len(r.batch) == 0 {
		var ended bool
		if r.batch, ended = r.take(); ended {
			return Result{}, false
		}
		if len(r.batch) == 0 {
			<-r.news
		}
	}
	e := r.batch[0]
	r.batch = r.batch[1:]
	result = e.result()
	r.leave(e)
	return result, true
}

// take returns what is to be yielded, or that nothing more will come.
func (r *run) take() (batch []*entry, ended bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	inFlight := r.inFlight.Load()
	if r.pulled && inFlight == 1 && r.last != nil {
		r.results, r.last = append(r.results, r.last), nil
	}
	batch, r.results, r.spare = r.results, r.spare[:0], r.results
	return batch, r.pulled && inFlight == 0
}

// leave takes an entry off the books that is about to be yielded.
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

// pull is the goroutine that iterates over the messages. They are signed on all
// cores.
func (r *run) pull(ctx context.Context, messages iter.Seq[*Message]) {
	defer func() {
		p := recover()
		r.mu.Lock()
		r.pulled, r.panicked = true, p
		r.mu.Unlock()
		notify(r.news)
	}()
	if !r.mayPull(ctx, Bulk) {
		return
	}
	work := make(chan pulled)
	var signers sync.WaitGroup
	for i := range runtime.GOMAXPROCS(0) {
		signers.Go(func() { r.sign(ctx, work, i > 0) })
	}
	defer signers.Wait()
	defer close(work)
	lane := Bulk // of the message before: likely that of the next one, too
	for m := range messages {
		p := r.begin(m)
		if to := m.lane(Bulk); to != lane {
			lane = to
			r.changeLane(ctx, lane)
		}
		r.inFlight.Add(1)
		switch {
		case p.closed:
			r.submit(ctx, p)
			return
		case m != nil && (m.Signer != nil || r.client.cfg.Signer != nil):
			work <- p
		default:
			r.submit(ctx, p)
		}
		if !r.mayPull(ctx, lane) {
			return
		}
	}
}

// A pulled message is to be submitted.
type pulled struct {
	message *Message
	closed  bool // the Client is: then this message says so, and is the last
	awaited bool // Close waits until it was submitted
}

// begin takes note of a message that was pulled: Close does not return before it
// was submitted. A sequence that is still asked for the next one is not waited for.
func (r *run) begin(m *Message) pulled {
	c := r.client
	c.mu.Lock()
	defer c.mu.Unlock()
	p := pulled{message: m, closed: c.closed, awaited: c.ctx.Err() == nil}
	if p.awaited {
		c.goroutines.Add(1)
	}
	return p
}

// submit takes in a message that was pulled.
func (r *run) submit(ctx context.Context, p pulled) {
	c := r.client
	if p.awaited {
		defer c.goroutines.Done()
	}
	var e *entry
	if p.closed {
		e = c.newEntry(p.message, Bulk) // it goes nowhere, so it is not signed
	} else {
		e = c.prepare(ctx, p.message, Bulk)
	}
	e.run = r
	r.octets.Add(e.size)
	ended := context.Cause(ctx)
	c.mu.Lock()
	defer c.unlock()
	c.enqueue(ended, e, time.Now())
}

// sign submits messages that have to be signed. After each, others that can run go
// first: signing leaves no core idle, so nobody else's turn would come before the
// scheduler's time slice has passed. While transactional mail is under way one core
// is left to it and to the connections: it is the network that is looked at only
// where a core has nothing else to do.
func (r *run) sign(ctx context.Context, work <-chan pulled, always bool) {
	for p := range work {
		r.submit(ctx, p)
		const shortest, longest = time.Millisecond, 64 * time.Millisecond
		for nap := shortest; !always && ctx.Err() == nil && r.client.hurries(); nap = min(2*nap, longest) {
			time.Sleep(nap)
		}
		runtime.Gosched()
	}
}

// hurries says whether transactional mail is under way, and not only waiting.
func (c *Client) hurries() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lane(Transactional)
	return !l.stuck && l.live > l.waiting.n
}

// changeLane waits for the lane of a message that was pulled, if it is not that of
// the message before.
func (r *run) changeLane(ctx context.Context, lane Lane) {
	c := r.client
	c.mu.Lock()
	r.use(lane)
	if p := c.lane(lane).pool; !p.known {
		c.refresh(p, time.Now())
	}
	c.unlock()
	r.mayPull(ctx, lane)
}

// mayPull waits until there is room for another message and a relay to send it
// to. It returns false when nothing more is to be pulled.
func (r *run) mayPull(ctx context.Context, lane Lane) bool {
	defer r.wants.Store(false)
	for {
		if ctx.Err() != nil || r.stopped.Load() {
			return false
		}
		if r.hasRoom(lane) {
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

func (r *run) hasRoom(lane Lane) bool {
	c := r.client
	limits := &c.cfg.Limits
	c.mu.Lock()
	closed := c.closed
	l := c.lane(lane)
	p := l.pool
	hold := l.stuck && !p.final() && (p.failures > 0 || p.reached)
	scout := !p.reached // its first message scouts: until a relay was reached, nothing is known
	c.mu.Unlock()
	inFlight := r.inFlight.Load()
	switch {
	case closed:
		return true
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

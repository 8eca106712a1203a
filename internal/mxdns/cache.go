package mxdns

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Times of the cache.
const (
	// RFC 8767 §5: a client should not wait longer than this where there is a stale answer to give.
	clientResponse = 1800 * time.Millisecond
	// RFC 8767 §5: after a failure, how long a stale answer is given without asking again.
	failureRecheck = 30 * time.Second
	// RFC 9520 §3.2: a failure is kept for a second at least.
	failureTTL = time.Second
	// One part of so many of an answer's time to live, at its end, is when it is asked for again.
	refreshPart = 5

	maxEntries  = 4096
	maxParallel = 16 // questions on their way at a time
)

// result is what a lookup gives: an answer, until when it holds, and whether it is past its time.
type result struct {
	answer
	expires time.Time
	refresh time.Time // from when on a lookup asks again in the background; zero: at expires
	stale   bool
	cause   error   // why it is stale
	good    *answer // for a negative answer: the last one with records, while it may still be used
}

// entry is what is known about one question.
type entry struct {
	current answer    // the last answer
	expires time.Time // of current; zero: there was none
	refresh time.Time // when a lookup asks again ahead of expiry

	last     answer // the last answer that was no NXDOMAIN
	lastKept time.Time
	good     *answer // the last answer with records; what it points to never changes
	goodKept time.Time

	failure error // of the last attempt; nil: it gave an answer
	retry   time.Time
	flight  *flight
}

// flight is a question on its way. Its fields are set before done is closed.
type flight struct {
	done chan struct{}
	result
	err error
}

// cache keeps answers and sees to it that each question is on its way once. It is safe for concurrent use.
type cache struct {
	resolve  func(context.Context, question) (answer, error)
	staleFor time.Duration
	logger   *slog.Logger
	stats    *counters

	slots chan struct{}

	mu      sync.Mutex // guards the rest and every entry; nothing waits under it
	entries map[question]*entry
	work    *work
	closed  bool
}

// work is what is on its way until it is ended. Questions run under its context and not under that of who
// asked first, because others wait for the same answer.
type work struct {
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func newWork() *work {
	w := new(work)
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// begin looks a question up, and sends it on its way if need be, without waiting.
func (c *cache) begin(q question) pending {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := pending{cache: c, q: q}
	if c.closed {
		p.err = q.fail(ErrClosed, nil)
		return p
	}
	now := time.Now()
	e := c.entryLocked(q, now)
	if now.Before(e.expires) {
		c.stats.hits.Add(1)
		if !now.Before(e.refresh) && !now.Before(e.retry) && e.flight == nil {
			c.stats.refreshes.Add(1)
			c.sendLocked(q, e)
		}
		p.result = e.resultAt(now)
		return p
	}
	old, ok := e.staleAt(now)
	if e.failure != nil && now.Before(e.retry) {
		if p.result = old; ok {
			c.stats.stale.Add(1)
		} else {
			p.err = e.failure
		}
		return p
	}
	if e.flight == nil {
		c.stats.misses.Add(1)
		c.sendLocked(q, e)
	}
	p.result = old
	if ok && e.failure != nil {
		c.stats.stale.Add(1) // servers failed before: nobody waits for them to do so again
		return p
	}
	p.flight, p.patience = e.flight, now.Add(clientResponse)
	if e.failure != nil {
		p.failing = e.failure
	}
	return p
}

// sendLocked sends a question on its way.
func (c *cache) sendLocked(q question, e *entry) {
	f := &flight{done: make(chan struct{})}
	e.flight = f
	w := c.work
	w.running.Add(1)
	go func() {
		defer w.running.Done()
		c.slots <- struct{}{}
		ctx, cancel := context.WithTimeout(w.ctx, longest)
		a, err := c.resolve(ctx, q)
		cancel()
		<-c.slots
		c.land(q, e, f, a, err, w.ctx.Err() != nil)
	}()
}

// land records what came of a question and lets those who wait for it go on. That it was interrupted says
// nothing about name servers.
func (c *cache) land(q question, e *entry, f *flight, a answer, err error, interrupted bool) {
	c.mu.Lock()
	now := time.Now()
	failedBefore := e.failure != nil
	goneBefore := e.current.status == noDomain && !e.expires.IsZero()
	interrupted = interrupted && err != nil && !c.closed
	if interrupted {
		f.err = q.fail(ErrTemporary, err)
	} else if err != nil {
		kind := ErrTemporary
		if c.closed {
			kind = ErrClosed
		}
		e.failure = q.fail(kind, err)
		if old, ok := e.staleAt(now); ok {
			e.retry = now.Add(failureRecheck)
			if now.Before(e.expires) { // it was asked ahead: once more when the answer has expired
				e.retry = earliest(e.retry, e.expires)
			}
			f.result = old
			f.expires = e.retry
		} else {
			e.retry = now.Add(failureTTL)
			f.err = e.failure
		}
	} else {
		e.failure, e.retry = nil, time.Time{}
		e.keep(a, now, c.staleFor)
		f.result = e.resultAt(now)
	}
	e.flight = nil
	closed := c.closed
	c.mu.Unlock()
	close(f.done)

	switch {
	case closed || interrupted:
	case err != nil:
		c.stats.failures.Add(1)
		if !failedBefore {
			c.logger.Warn("DNS lookup failed", "type", q.typeName(), "name", bare(q.name), "error", err, "last_good_answer_kept", f.stale)
		}
	case a.status == noDomain && f.good != nil && !goneBefore:
		c.logger.Warn("name has vanished from DNS", "type", q.typeName(), "name", bare(q.name))
	case failedBefore:
		c.logger.Info("DNS lookup works again", "type", q.typeName(), "name", bare(q.name))
	}
}

// entryLocked returns the entry of q, and makes room for a new one.
func (c *cache) entryLocked(q question, now time.Time) *entry {
	if e := c.entries[q]; e != nil {
		return e
	}
	if len(c.entries) >= maxEntries {
		c.evictLocked(now)
	}
	e := new(entry)
	c.entries[q] = e
	return e
}

// evictLocked drops what is of no more use, and failing that, anything.
func (c *cache) evictLocked(now time.Time) {
	for q, e := range c.entries {
		if e.flight == nil && !now.Before(e.expires) && !now.Before(e.lastKept) && !now.Before(e.goodKept) {
			delete(c.entries, q)
		}
	}
	for q, e := range c.entries {
		if len(c.entries) < maxEntries {
			return
		}
		if e.flight == nil {
			delete(c.entries, q)
		}
	}
}

// close ends all that is on its way and waits for it.
func (c *cache) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.interrupt()
}

// interrupt ends what is on its way and waits for it. What comes later is not touched.
func (c *cache) interrupt() {
	c.mu.Lock()
	w := c.work
	c.work = newWork()
	c.mu.Unlock()
	w.cancel()
	w.running.Wait()
}

// keep records a new answer.
func (e *entry) keep(a answer, now time.Time, staleFor time.Duration) {
	e.current, e.expires = a, now.Add(a.ttl)
	e.refresh = e.expires.Add(-a.ttl / refreshPart)
	kept := e.expires.Add(staleFor)
	if a.status != noDomain {
		e.last, e.lastKept = a, kept
	}
	if a.status == found {
		e.good, e.goodKept = &a, kept
	}
}

// resultAt is the current answer.
func (e *entry) resultAt(now time.Time) result {
	r := result{answer: e.current, expires: e.expires, refresh: e.refresh}
	if e.current.status != found && now.Before(e.goodKept) {
		r.good = e.good
	}
	return r
}

// staleAt is the last answer that was no NXDOMAIN, if it may still be given.
func (e *entry) staleAt(now time.Time) (result, bool) {
	if !now.Before(e.lastKept) {
		return result{}, false
	}
	r := result{answer: e.last, expires: e.retry, stale: true, cause: e.failure}
	if !now.Before(r.expires) {
		r.expires = now.Add(minTTL)
	}
	if e.last.status != found && now.Before(e.goodKept) {
		r.good = e.good
	}
	return r, true
}

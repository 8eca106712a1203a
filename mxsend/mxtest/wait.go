package mxtest

import (
	"context"
	"fmt"
	"strings"
)

// WaitIdle waits until no relay has work at hand: nothing in an incoming or active queue, no notification
// being handed over, no transaction open. Deferred mail may remain, and so may what stopped relays have. Its error is
// ctx's, with what was still to do, or ErrClosed.
func (c *Cluster) WaitIdle(ctx context.Context) error {
	return c.engine.wait(ctx, c.engine.idle, c.engine.describe)
}

// idle reports whether nothing is being done. e.mu is held.
func (e *engine) idle() bool {
	if e.open.Load() > 0 || e.external > 0 {
		return false
	}
	for _, r := range e.relays {
		if c := r.queue.Counts(); !r.halted && c.Incoming+c.Active > 0 {
			return false
		}
	}
	return true
}

// WaitFor waits until cond holds for the ledger's counts. It is called without locks, each time something has changed. Its
// error is ctx's, with the counts, or ErrClosed.
func (c *Cluster) WaitFor(ctx context.Context, cond func(Counts) bool) error {
	e := c.engine
	return e.wait(ctx, func() bool {
		counts := e.tally()
		e.mu.Unlock()
		defer e.mu.Lock()
		return cond(counts)
	}, func() string { return fmt.Sprintf("%+v", e.tally()) })
}

// WaitDelivered waits until each recipient got a mail. Its error is ctx's, with the recipients' number, or ErrClosed.
func (l *Ledger) WaitDelivered(ctx context.Context, recipients ...string) error {
	var missing int
	return l.e.wait(ctx, func() bool {
		got := l.e.recipients(Delivered)
		missing = 0
		for _, address := range recipients {
			if got[strings.ToLower(address)] == 0 {
				missing++
			}
		}
		return missing == 0
	}, func() string { return fmt.Sprintf("%d of %d recipients got nothing yet", missing, len(recipients)) })
}

// recipients counts the mails in a place by recipient. e.mu is held.
func (e *engine) recipients(place Place) map[string]int {
	count := map[string]int{}
	for i := range e.rcpts {
		if to := &e.rcpts[i]; to.place == place && e.mails[to.mail].note == nil {
			count[strings.ToLower(to.address)]++
		}
	}
	return count
}

// WaitBounces waits until n recipients have bounced, and all notifications have been handed over. Its error is ctx's, with
// the counts, or ErrClosed.
func (l *Ledger) WaitBounces(ctx context.Context, n int) error {
	return l.c.WaitFor(ctx, func(c Counts) bool { return c.Bounced >= n && c.NotificationsWaiting == 0 })
}

// wait waits until done, which is called with e.mu held.
func (e *engine) wait(ctx context.Context, done func() bool, describe func() string) error {
	e.waiters.Add(1)
	defer e.waiters.Add(-1)
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		changed := e.changed // taken before done, which may let go of mu: a change in between is not missed
		if done() {
			return nil
		}
		if e.closed {
			return ErrClosed
		}
		e.mu.Unlock()
		select {
		case <-changed:
			e.mu.Lock()
		case <-ctx.Done():
			e.mu.Lock()
			return fmt.Errorf("mxtest: waited in vain (%s): %w", describe(), context.Cause(ctx))
		}
	}
}

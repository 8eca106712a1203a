package mxsend

import (
	"context"
	"time"
)

// Observers returns an Observer that tells all of the observers, in their order; any
// of them may be nil. Where a func of one panics, those of the others are called all
// the same. A Receipt that several are told of is a copy for each.
func Observers(observers ...*Observer) *Observer {
	all := &Observer{}
	for _, o := range observers {
		if o != nil {
			all = all.and(o)
		}
	}
	return all
}

// and tells a, then b. The call of b is deferred, so that a panic in a's does not
// keep it from being made.
func (a *Observer) and(b *Observer) *Observer {
	all := *a
	switch f, g := a.LookedUp, b.LookedUp; {
	case f == nil:
		all.LookedUp = g
	case g != nil:
		all.LookedUp = func(domain string, relays Relays, err error) {
			defer g(domain, relays, err)
			f(domain, relays, err)
		}
	}
	switch f, g := a.Connected, b.Connected; {
	case f == nil:
		all.Connected = g
	case g != nil:
		all.Connected = func(relay, address string, took time.Duration, err error) {
			defer g(relay, address, took, err)
			f(relay, address, took, err)
		}
	}
	switch f, g := a.Disconnected, b.Disconnected; {
	case f == nil:
		all.Disconnected = g
	case g != nil:
		all.Disconnected = func(relay, address string, err error) {
			defer g(relay, address, err)
			f(relay, address, err)
		}
	}
	switch f, g := a.Ejected, b.Ejected; {
	case f == nil:
		all.Ejected = g
	case g != nil:
		all.Ejected = func(relay string, until time.Time, reason error) {
			defer g(relay, until, reason)
			f(relay, until, reason)
		}
	}
	switch f, g := a.Restored, b.Restored; {
	case f == nil:
		all.Restored = g
	case g != nil:
		all.Restored = func(relay string) {
			defer g(relay)
			f(relay)
		}
	}
	switch f, g := a.Held, b.Held; {
	case f == nil:
		all.Held = g
	case g != nil:
		all.Held = func(lane Lane, reason error) {
			defer g(lane, reason)
			f(lane, reason)
		}
	}
	switch f, g := a.Resumed, b.Resumed; {
	case f == nil:
		all.Resumed = g
	case g != nil:
		all.Resumed = func(lane Lane) {
			defer g(lane)
			f(lane)
		}
	}
	switch f, g := a.Attempted, b.Attempted; {
	case f == nil:
		all.Attempted = g
	case g != nil:
		all.Attempted = func(ctx context.Context, ref string, lane Lane, attempt Attempt) {
			defer g(ctx, ref, lane, attempt)
			f(ctx, ref, lane, attempt)
		}
	}
	switch f, g := a.Finished, b.Finished; {
	case f == nil:
		all.Finished = g
	case g != nil:
		all.Finished = func(ctx context.Context, receipt Receipt, lane Lane) {
			defer g(ctx, receipt, lane)
			f(ctx, receipt.clone(), lane)
		}
	}
	return &all
}

package mxdns

import (
	"context"
	"errors"
	"time"
)

// pending is a lookup: an answer that was there, or a flight to wait for.
type pending struct {
	cache  *cache
	q      question
	flight *flight // nil: result and err say it
	result         // with a flight: the last good answer, if stale is set
	err    error

	patience time.Time // until when a last good answer is kept back
	failing  error     // with a flight: how the attempt before it failed, if it did
}

// ready says whether wait will return at once.
func (p pending) ready() bool {
	if p.flight == nil {
		return true
	}
	select {
	case <-p.flight.done:
		return true
	default:
		return false
	}
}

// wait returns what came of the lookup. Where there is a last good answer it waits for a better one only
// a short time.
func (p pending) wait(ctx context.Context) (result, error) {
	if p.flight == nil {
		return p.result, p.err
	}
	if p.ready() { // even if ctx has ended
		return p.landed()
	}
	var impatient <-chan time.Time
	if p.stale {
		t := time.NewTimer(time.Until(p.patience))
		defer t.Stop()
		impatient = t.C
	}
	select {
	case <-p.flight.done:
		return p.landed()
	case <-impatient:
		return p.lastGood(), nil
	case <-ctx.Done():
		if context.Cause(ctx) != errTooSlow {
			return result{}, p.q.fail(ErrTemporary, ctx.Err())
		}
		if p.stale {
			return p.lastGood(), nil
		}
		return result{}, p.q.fail(ErrTemporary, errTooSlow)
	}
}

// lastGood is the last good answer, given because a new one takes long.
func (p pending) lastGood() result {
	p.cache.stats.stale.Add(1)
	if p.cause == nil {
		p.cause = p.q.fail(ErrTemporary, errTooSlow)
	}
	return p.result
}

// errTooSlow is why an answer was not waited for.
var errTooSlow = errors.New("name servers take long: gone on without their answer")

// landed returns what came of a flight that is done.
func (p pending) landed() (result, error) {
	if p.flight.stale {
		p.cache.stats.stale.Add(1)
	}
	return p.flight.result, p.flight.err
}

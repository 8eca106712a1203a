package memnet

import (
	"sync"
	"time"
)

// gate is a condition that can also be waited on until a point in time. Its timer is set only by those
// who wait, so that a deadline that nobody waits for costs nothing. The zero gate needs its lock set.
type gate struct {
	cond  sync.Cond
	timer *time.Timer // nil until first needed
	at    time.Time   // when timer fires; zero: it is not set
}

// wait releases the lock until wake is called or the time comes; the zero time never does. It may return
// early: callers look again.
func (g *gate) wait(until time.Time) {
	if !until.IsZero() && !until.Equal(g.at) {
		g.at = until
		if g.timer == nil {
			g.timer = time.AfterFunc(time.Until(until), g.ring)
		} else {
			g.timer.Reset(time.Until(until))
		}
	}
	g.cond.Wait()
}

// ring wakes everyone at the set time. A ring that was under way while the timer was set anew clears at;
// those it wakes set the timer again.
func (g *gate) ring() {
	g.cond.L.Lock()
	g.at = time.Time{}
	g.cond.L.Unlock()
	g.cond.Broadcast()
}

func (g *gate) wake() { g.cond.Broadcast() }

// stop releases the timer.
func (g *gate) stop() {
	if g.timer != nil {
		g.timer.Stop()
	}
	g.at = time.Time{}
}

// earlier returns the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

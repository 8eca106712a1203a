package outbox

import (
	"sync"
	"time"
)

// A lease is a process's right to send. It ends at its time by the monotonic clock, which nobody sets, or by the wall
// clock, which goes on while the machine is suspended, whichever comes first.
type lease struct {
	mu    sync.Mutex
	until time.Time // guarded by mu; with both clocks' readings
}

func (l *lease) extend(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = until
}

func (l *lease) holds(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return leaseHolds(now, l.until)
}

// leaseHolds compares the monotonic readings, if both have one, and then the wall clocks'.
func leaseHolds(now, until time.Time) bool {
	return now.Before(until) && now.Round(0).Before(until.Round(0))
}

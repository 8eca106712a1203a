package mxsend

import (
	"context"
	"sync"
	"sync/atomic"
)

// A run is one call of SendAll.
type run struct {
	ctx    context.Context // the caller's, for the Observer
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

package mxtest

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mxsend/go-mxsend/internal/relaymodel"
)

// An engine runs the model of all relays against the clock, and keeps the ledger's records.
//
// Lock order: engine.mu, then Destination.mu or Relay.mu. Nothing blocks under engine.mu.
type engine struct {
	cfg    Config
	start  time.Time
	ahead  atomic.Int64                     // nanoseconds that Advance has let pass
	fail   func(format string, args ...any) // reports a mistake in a script
	verify func([]byte) []Signature         // with keys from the cluster's DNS
	out    func(job *running)               // hands a notification over, on a goroutine of its own; nil: they count as delivered

	mu         sync.Mutex // guards all below
	closed     bool
	relays     []*Relay
	dests      map[string]int32
	outside    []*Destination      // by dest; 0 is nil: notifications
	places     []DestinationCounts // by dest
	tries      []tryRec            // 0 is none
	mails      []mailRec
	rcpts      []rcptRec
	copies     []copyRec
	deliveries []deliveryRec
	reasons    []reason
	reasonOf   map[reason]int32
	suspended  map[siteKey]int32 // why a destination was last found dead
	seen       seen
	counts     Counts
	kept       []int32 // mails that are done and still have content, oldest first
	keptOctets int64
	serial     uint64
	events     eventHeap
	external   int           // handovers under way
	open       atomic.Int64  // client transactions under way; not under mu
	timer      *time.Timer   // fires tick
	wake       time.Duration // when; 0: not set
	changed    chan struct{} // closed and replaced at every change somebody waits for
	waiters    atomic.Int32  // not under mu
}

// noteDest is the destination of notifications.
const noteDest = 0

func newEngine(cfg Config) *engine {
	e := &engine{
		cfg: cfg, start: time.Now(), dests: map[string]int32{}, outside: []*Destination{nil}, places: make([]DestinationCounts, 1), tries: make([]tryRec, 1),
		reasonOf: map[reason]int32{}, suspended: map[siteKey]int32{}, seen: seen{maphash.MakeSeed(), map[uint64]struct{}{}},
		changed: make(chan struct{}), reasons: []reason{{}},
	}
	e.serial = uint64(e.start.UnixMicro()) & 0xfffffff
	e.counts.ByRelay = map[string]int{}
	return e
}

// now is the time since the cluster's start, on its own clock.
func (e *engine) now() time.Duration { return time.Since(e.start) + time.Duration(e.ahead.Load()) }

// stamp is the wall time of a time since the start.
func (e *engine) stamp(at time.Duration) time.Time { return e.start.Add(at) }

// An event is the end of a delivery.
type event struct {
	at  time.Duration
	seq uint64
	run *running
}

// An eventHeap is a min-heap by time, then order.
type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// dest interns a destination domain. e.mu is held.
func (e *engine) dest(domain string) int32 {
	if id, ok := e.dests[domain]; ok {
		return id
	}
	id := int32(len(e.outside))
	d := &Destination{domain: domain, where: map[string]string{}, grey: map[string]time.Duration{}}
	d.fail = e.fail
	e.outside = append(e.outside, d)
	e.places = append(e.places, DestinationCounts{})
	e.dests[domain] = id
	for _, r := range e.relays {
		if t := r.transport(domain); t > 0 {
			r.queue.Route(id, t)
		}
	}
	return id
}

// reason interns a reason. e.mu is held.
func (e *engine) reason(r reason) int32 {
	if id, ok := e.reasonOf[r]; ok {
		return id
	}
	id := int32(len(e.reasons))
	e.reasons = append(e.reasons, r)
	e.reasonOf[r] = id
	return id
}

// tick is the timer's: it does what is due.
func (e *engine) tick() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wake = 0
	e.pump(e.now())
}

// pump does what is due by now, all that follows from it at once, and sets the timer for what comes next. e.mu is held.
func (e *engine) pump(now time.Duration) {
	if e.closed {
		return
	}
	for {
		for len(e.events) > 0 && e.events[0].at <= now {
			if run := heapPop(&e.events).run; run.relay.halted {
				run.relay.suspended = append(run.relay.suspended, run) // a machine that is off delivers nothing
			} else {
				e.finish(now, run)
			}
		}
		for _, r := range e.relays {
			if r.halted {
				continue
			}
			if at, ok := r.queue.Wake(); ok && at <= now {
				r.queue.Advance(now)
			}
		}
		if !e.act(now) {
			break
		}
	}
	e.arm(now)
	e.notify()
}

// act carries out the actions of all relays, and reports whether there were any.
func (e *engine) act(now time.Duration) bool {
	any := false
	for _, r := range e.relays {
		for !r.halted {
			a, ok := r.queue.Next()
			if !ok {
				break
			}
			any = true
			switch a.Kind {
			case relaymodel.Attempt:
				e.attempt(now, r, a)
			case relaymodel.Bounce:
				e.bounced(now, r, a.Ref)
			case relaymodel.Expire:
				e.expired(now, r, a.Ref)
			case relaymodel.Warn:
				e.report(now, r, a.Ref, "delayed", notifyDelay, e.waiting(a.Ref))
			case relaymodel.Defer:
				for _, id := range e.waiting(a.Ref) {
					e.move(&e.rcpts[id], Deferred)
					e.rcpts[id].next = a.At
				}
			case relaymodel.Remove:
			}
		}
	}
	return any
}

// next is when something comes to be by itself.
func (e *engine) next() (time.Duration, bool) {
	next, ok := time.Duration(0), false
	if len(e.events) > 0 {
		next, ok = e.events[0].at, true
	}
	for _, r := range e.relays {
		if at, has := r.queue.Wake(); has && !r.halted && (!ok || at < next) {
			next, ok = at, true
		}
	}
	return next, ok
}

// arm sets the timer for what comes next.
func (e *engine) arm(now time.Duration) {
	next, ok := e.next()
	if !ok || e.wake != 0 && e.wake <= next {
		return
	}
	e.wake = max(next, now+1)
	if e.timer == nil {
		e.timer = time.AfterFunc(e.wake-now, e.tick)
	} else {
		e.timer.Reset(e.wake - now)
	}
}

// notify wakes those who wait for a change.
func (e *engine) notify() {
	if e.waiters.Load() > 0 {
		close(e.changed)
		e.changed = make(chan struct{})
	}
}

// inCopy lists a copy's recipients that are in a place.
func (e *engine) inCopy(c int32, place Place) []int32 {
	var ids []int32
	for _, id := range e.copies[c].rcpts {
		if to := &e.rcpts[id]; to.copy == c && to.place == place {
			ids = append(ids, id)
		}
	}
	return ids
}

// waiting lists a copy's recipients that a pass through the active queue has left. Those that no delivery was
// tried for, their destination being dead, get the reason why it is.
func (e *engine) waiting(c int32) []int32 {
	ids := e.inCopy(c, Deferred)
	for _, id := range e.inCopy(c, Queued) {
		to := &e.rcpts[id]
		to.reason = e.suspended[siteKey{e.copies[c].relay, to.dest}]
		e.move(to, Deferred)
		ids = append(ids, id)
	}
	return ids
}

// A siteKey is a destination as one relay knows it.
type siteKey struct{ relay, dest int32 }

// move puts a recipient into a place, and keeps the totals. e.mu is held.
func (e *engine) move(to *rcptRec, place Place) {
	e.tallyPlace(to, -1)
	to.place = place
	e.tallyPlace(to, +1)
}

// tallyPlace adds n to the totals of the place a recipient is in.
func (e *engine) tallyPlace(to *rcptRec, n int) {
	if e.mails[to.mail].note != nil {
		switch to.place {
		case Queued, Deferred:
			e.counts.NotificationsWaiting += n
		case Delivered:
			e.counts.NotificationsDelivered += n
		}
		return
	}
	e.places[to.dest].add(to.place, n)
	switch to.place {
	case Queued:
		e.counts.Queued += n
	case Deferred:
		e.counts.Deferred += n
	case Delivered:
		e.counts.Delivered += n
	case Bounced:
		e.counts.Bounced += n
	case Lost:
		e.counts.Lost += n
	}
	if (to.place == Queued || to.place == Deferred) && e.relays[e.copies[to.copy].relay].graveyard {
		e.counts.AtGraveyard += n
	}
}

// release lets go of content that is no longer needed, down to Config.KeepContent.
func (e *engine) release(m int32) {
	box := &e.mails[m]
	if box.open > 0 {
		return
	}
	if e.cfg.KeepContent < 0 {
		box.content = nil
		return
	}
	e.kept = append(e.kept, m)
	e.keptOctets += int64(box.size)
	for e.keptOctets > e.cfg.KeepContent && len(e.kept) > 0 {
		old := &e.mails[e.kept[0]]
		e.keptOctets -= int64(old.size)
		old.content = nil
		e.kept = e.kept[1:]
	}
}

// describe says what work a relay has left.
func (e *engine) describe() string {
	var s strings.Builder
	for _, r := range e.relays {
		if c := r.queue.Counts(); c.Incoming+c.Active > 0 {
			fmt.Fprintf(&s, "%s: %d incoming, %d active; ", r.name, c.Incoming, c.Active)
		}
	}
	fmt.Fprintf(&s, "%d transactions open, %d notifications being handed over", e.open.Load(), e.external)
	return s.String()
}

// close stops the clock.
func (e *engine) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	if e.timer != nil {
		e.timer.Stop()
	}
	e.notify()
}

// transactionEnded takes note of a transaction that ended, with a mail or without.
func (e *engine) transactionEnded(r *Relay) {
	e.open.Add(-1)
	r.open.Add(-1)
	if e.waiters.Load() > 0 {
		e.mu.Lock()
		e.notify()
		e.mu.Unlock()
	}
}

// lose marks what a relay's queues held as lost. e.mu is held.
func (e *engine) lose(r *Relay) {
	now := e.now()
	for id := range e.rcpts {
		to := &e.rcpts[id]
		if to.place != Queued && to.place != Deferred || e.copies[to.copy].relay != r.index {
			continue
		}
		e.move(to, Lost)
		e.settle(now, to)
	}
}

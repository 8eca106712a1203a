package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// A life is the time from when a Box enters itself among the processes until it leaves, or until its lease has ended: it
// was suspended, or could not reach the database. The Box then begins a new one, under a new id: whatever the old one had
// in hand is the sweep's by then.
type life struct {
	b       *Box
	id      string
	started time.Time
	ctx     context.Context // ends with the life
	cancel  context.CancelCauseFunc
	lease   lease
	seq     int64          // of the last transaction that is known to be committed; the writer's
	unsure  bool           // whether the one after it is; the writer's
	wg      sync.WaitGroup // claims that are at work

	mu      sync.Mutex
	closing bool            // guarded by mu: claims stop as soon as they begin
	claims  map[*claim]bool // guarded by mu
	paces   map[int64]*pace // guarded by mu: by mailing
	peers   int             // guarded by mu: processes that send, this one included
}

var (
	errLapsed = errors.New("outbox: the lease has ended")
	errClosed = errors.New("outbox: closed")
)

// newProcessID is one that was never used before.
func newProcessID() string {
	host, _ := os.Hostname()
	if len(host) > 30 {
		host = host[:30]
	}
	return fmt.Sprintf("%s-%d-%s", storable(host), os.Getpid(), rand.Text()[:12])
}

// alive is the Box's life, or nil.
func (b *Box) alive() *life {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.life
}

func (b *Box) setLife(l *life) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.life = l
}

// live runs a life, and begins another when it is over, until ctx ends.
func (b *Box) live(ctx context.Context, l *life) {
	for {
		l.run(ctx)
		b.setLife(nil)
		next := b.beginAgain(ctx)
		if next == nil {
			return
		}
		b.setLife(next)
		b.writer.poke()
		old := l
		b.stopping.Go(func() { b.finish(next, old) })
		l = next
	}
}

// finish has a later life write down what one that is over still knows, and then buries it: what nobody knows is in doubt
// from then on. It does not wait long, since others bury it anyway.
func (b *Box) finish(l, old *life) {
	ctx, cancel := context.WithTimeout(l.ctx, b.cfg.Lease)
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); old.wg.Wait() }()
	select {
	case <-done:
		b.writer.flush(ctx)
	case <-ctx.Done():
	}
	b.bury(l.ctx, old.id)
	<-done
}

// beginAgain begins a life as soon as the database answers; nil where ctx ends first.
func (b *Box) beginAgain(ctx context.Context) *life {
	for waited := false; ctx.Err() == nil; {
		l, err := b.begin(ctx)
		if err == nil {
			return l
		}
		if !waited {
			b.log().Warn("outbox: the database does not answer; nothing is sent until it does", "error", err)
			waited = true
		}
		sleep(ctx, b.lookEvery())
	}
	return nil
}

// begin enters a new process.
func (b *Box) begin(ctx context.Context) (*life, error) {
	l := &life{b: b, id: newProcessID(), started: time.Now(), claims: map[*claim]bool{}, paces: map[int64]*pace{}, peers: 1}
	begun, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	err := b.store.begin(begun, func(t *tx) error {
		host, _ := os.Hostname()
		_, err := t.ExecContext(begun, `INSERT INTO outbox_process (id, host, sends, started, until, seq) VALUES ($1, $2, $3, $4, `+b.store.now()+` + $5, 0)`,
			l.id, storable(host), number(b.cfg.Client != nil), l.started.UnixMilli(), b.cfg.Lease.Milliseconds())
		return err
	})
	if err != nil {
		return nil, err
	}
	l.lease.extend(l.started.Add(b.cfg.Lease))
	// What is under way when the Box closes is to end properly: the life ends after that.
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return l, nil
}

// run works until the Box closes or the lease ends.
func (l *life) run(closing context.Context) {
	defer l.end(errClosed)
	var e *engine
	if l.b.cfg.Client != nil {
		var err error
		e, err = newEngine(l.b.store, l.engineConfig())
		if err == nil {
			err = e.start(l.ctx)
		}
		if err != nil {
			l.b.log().Error("outbox: River does not start", "error", err)
			l.end(err)
			e = nil
		} else if err := l.b.insert.sweep(l.ctx); err != nil {
			l.b.log().Warn("outbox: no sweep at the start", "error", err)
		}
	}
	tick := time.NewTicker(max(l.b.cfg.Lease/50, 5*time.Millisecond))
	defer tick.Stop()
	next := time.Now()
	for l.ctx.Err() == nil && closing.Err() == nil {
		select {
		case <-l.ctx.Done():
		case <-closing.Done():
		case now := <-tick.C:
			if !l.lease.holds(now) || !l.lease.holds(time.Now()) {
				l.end(errLapsed)
			} else if now.After(next) {
				next = now.Add(min(l.b.cfg.Lease/10, time.Second))
				l.b.writer.poke() // extends the lease
				l.look(l.ctx)
			}
		}
	}
	l.close(e)
}

// close ends what is under way: properly where the Box closes, at once where the life is over.
func (l *life) close(e *engine) {
	renewing, cancel := context.WithCancel(l.ctx)
	renewed := make(chan struct{})
	go func() { // the lease must hold until the end
		defer close(renewed)
		for renewing.Err() == nil {
			l.b.writer.poke()
			sleep(renewing, l.b.cfg.Lease/10)
		}
	}()
	l.mu.Lock()
	l.closing = true
	l.mu.Unlock()
	l.stopClaims(func(*claim) bool { return true })
	if e != nil {
		grace, cancel := context.WithTimeout(l.ctx, l.b.cfg.StopGrace)
		stopped := make(chan struct{})
		l.b.stopping.Go(func() {
			defer close(stopped)
			e.stop(grace)
			cancel()
		})
		select {
		case <-stopped:
		case <-l.ctx.Done(): // with the database away it takes long, and the next life need not wait
		}
	}
	worked := make(chan struct{})
	go func() { defer close(worked); l.wg.Wait() }()
	select {
	case <-worked:
	case <-l.ctx.Done(): // finish waits for them
	}
	cancel()
	<-renewed
	if l.ctx.Err() == nil && l.b.writer.idle() {
		l.b.bury(l.ctx, l.id) // nothing is left to take over, and nobody need wait to find out
	}
}

// end ends the life at once: what is being sent is cut off.
func (l *life) end(cause error) {
	if l.ctx.Err() == nil && !errors.Is(cause, errClosed) {
		l.b.log().Warn("outbox: stops sending and begins anew", "error", cause)
	}
	l.cancel(cause)
}

// holds says whether something may be handed over now.
func (l *life) holds() bool { return l.ctx.Err() == nil && l.lease.holds(time.Now()) }

func (l *life) engineConfig() engineConfig {
	return engineConfig{
		process: l.id, workers: l.b.cfg.Workers, mailings: l.b.cfg.Render != nil, pollOnly: l.b.cfg.PollOnly, logger: l.b.riverLog(),
		handlers: handlers{mail: l.mail, ticket: l.ticket, sweep: l.sweep, purge: l.purge},
	}
}

// feeders is how many slices a process draws messages from at a time. One that is drawn empty makes room for the next while
// its last messages are still under way.
const feeders = 4

// enter and leave keep the claims that are at work.
func (l *life) enter(c *claim) {
	l.mu.Lock()
	l.claims[c] = true
	closing := l.closing
	l.mu.Unlock()
	if closing {
		l.stopClaims(func(other *claim) bool { return other == c })
	}
}

func (l *life) leave(c *claim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.claims, c)
}

func (l *life) stopClaims(which func(*claim) bool) {
	l.mu.Lock()
	var stop []*claim
	for c := range l.claims {
		if which(c) {
			stop = append(stop, c)
		}
	}
	l.mu.Unlock()
	l.b.writer.mu.Lock()
	defer l.b.writer.mu.Unlock()
	for _, c := range stop {
		c.stop(errStopped)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// retried calls f until it succeeds or ctx ends.
func (b *Box) retried(ctx context.Context, what string, f func(ctx context.Context) error) error {
	for wait, first := 20*time.Millisecond, true; ; wait, first = min(2*wait, time.Second), false {
		try, cancel := context.WithTimeout(ctx, commitTimeout)
		err := f(try)
		cancel()
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		if first {
			b.log().Warn("outbox: "+what+" is tried again and again", "error", err)
		}
		sleep(ctx, wait)
	}
}

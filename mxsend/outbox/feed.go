package outbox

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
)

// A feed is a claim at work: it turns members into messages as their intents become durable, and results into records.
type feed struct {
	*claim
	w   *writer
	ctx context.Context // ends when what is under way is to be cut off
	end chan struct{}   // closed when nothing more will be drawn

	mu      sync.Mutex
	sending map[*mxsend.Message]member // guarded by mu
}

// ticket works on some slice of a mailing. It returns when the slice is drawn empty, while its last messages may still be
// under way; so a few that wait for the relays' next round do not keep the next slice waiting.
func (l *life) ticket(ctx context.Context, mailing int64) {
	m, err := l.b.mailing(ctx, mailing)
	if err != nil {
		return // the sweep sees to another ticket
	}
	c, err := l.claim(ctx, m)
	if err != nil {
		l.b.log().Warn("outbox: no slice could be claimed", "error", err)
		sleep(ctx, 100*time.Millisecond)
		return
	}
	if c == nil {
		return // what there is to do is in hand, or not due
	}
	f := &feed{claim: c, w: l.b.writer, end: make(chan struct{}), sending: map[*mxsend.Message]member{}}
	f.ctx, c.cut = context.WithCancel(l.ctx)
	l.wg.Go(f.run)
	select {
	case <-f.end:
	case <-ctx.Done():
		return
	}
	_ = l.b.store.begin(ctx, func(t *tx) error { return l.b.insert.tickets(ctx, t, mailing, 1) }) // else the sweep does
}

func (f *feed) run() {
	l := f.life
	defer f.cut()
	l.enter(f.claim)
	defer l.leave(f.claim)
	f.w.feed(f.claim)
	for result := range l.b.cfg.Client.SendAll(f.ctx, f.messages()) {
		f.mu.Lock()
		m, known := f.sending[result.Message]
		delete(f.sending, result.Message)
		f.mu.Unlock()
		if known {
			r := judge(result.Receipt.Recipients[0], time.Now(), m.tries, m.duplicate, l.b.retryAfter(f.ctx))
			f.w.record(record{f.claim, m, r})
		}
	}
	whole, lost := f.settle()
	if lost {
		return
	}
	opened := f.watermark(f.used)
	// The token says whether the slice is still the claim's, even when the life is over. Without a release it is taken over.
	_ = l.b.retried(l.b.ctx, "the release of a slice", func(ctx context.Context) error {
		return l.b.store.begin(ctx, func(t *tx) error { return t.release(ctx, f.claim, whole, opened) })
	})
}

// settle waits until all results are durable, in a later life if need be. Lost is whether the slice must be left as it is: it
// is another's, the Box closes, or a mail's outcome was not told.
func (f *feed) settle() (whole, lost bool) {
	f.mu.Lock()
	untold := len(f.sending)
	f.mu.Unlock()
	f.w.mu.Lock()
	f.w.open -= untold
	f.w.mu.Unlock()
	for {
		f.w.mu.Lock()
		settled := f.durable+untold >= f.used
		whole, lost = f.used == len(f.todo), untold > 0 || errors.Is(f.stopped, errLost)
		f.w.mu.Unlock()
		if settled {
			return whole, lost
		}
		select {
		case <-f.signal:
		case <-f.life.b.ctx.Done():
			return false, true
		}
	}
}

// readAhead is how many recipients are read at a time.
const readAhead = 250

// messages yields those whose intents are durable.
func (f *feed) messages() iter.Seq[*mxsend.Message] {
	return func(yield func(*mxsend.Message) bool) {
		defer f.finish()
		pace := f.life.pace(f.mailing)
		for start := 0; start < len(f.todo); start += readAhead {
			part := f.todo[start:min(start+readAhead, len(f.todo))]
			people, err := f.people(part)
			if err != nil {
				return
			}
			for i, m := range part {
				if !f.await(start+i) || pace.wait(f.ctx) != nil || !f.more() {
					return
				}
				message, done := f.life.compose(f.ctx, f.mailing, m, people[i])
				if f.ctx.Err() != nil {
					return
				}
				f.use()
				if message == nil {
					f.w.record(record{f.claim, m, done})
					continue
				}
				f.mu.Lock()
				f.sending[message] = m
				f.mu.Unlock()
				if !yield(message) {
					return
				}
			}
		}
	}
}

// await waits until there is an intent for the nth member; false where there will be none.
func (f *feed) await(n int) bool {
	for {
		f.w.mu.Lock()
		granted, stopped := f.granted > n, f.stopped != nil
		f.hungry = !granted && !stopped
		f.w.mu.Unlock()
		if granted || stopped {
			return granted
		}
		f.w.poke()
		select {
		case <-f.signal:
		case <-f.ctx.Done():
			return false
		}
	}
}

// more says whether the next message may go out.
func (f *feed) more() bool {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	return f.stopped == nil && f.life.holds()
}

// use takes up an intent. The next are asked for before the last is used.
func (f *feed) use() {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	f.used++
	if f.wants(f.w.window) > f.w.window/2 {
		f.w.poke()
	}
}

// finish gives back what was not used, and leave for the next slice.
func (f *feed) finish() {
	f.w.fed(f.claim)
	close(f.end)
}

// people reads the recipients of some members, and says of each why it is not to be sent to, if so.
func (f *feed) people(part []member) (people []person, err error) {
	err = f.life.b.retried(f.ctx, "the reading of recipients", func(ctx context.Context) error {
		people, err = f.life.b.people(ctx, f.mailing, part)
		return err
	})
	return people, err
}

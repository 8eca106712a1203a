package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A writer is the one goroutine of a process that writes while mail is sent. What many want written at the same time goes
// into one transaction: the results that have come, their sums, the intents that are asked for, and the lease. A
// commit costs the same however much it holds, so the slower it is, the more it carries.
type writer struct {
	b    *Box
	wake chan struct{} // holds one

	mu      sync.Mutex
	batch   batch    // guarded by mu: what the next transaction will hold
	feeding []*claim // guarded by mu: those that may want intents
	open    int      // guarded by mu: intents of claims without a durable result
	window  int      // guarded by mu: see nextWindow
	most    int      // guarded by mu: the largest open has been
}

// A batch is what one transaction holds besides intents of claims.
type batch struct {
	records []record
	starts  []*mailStart
	ends    []*mailEnd
	flushes []chan struct{} // closed when all before is durable
}

func (b *batch) empty() bool {
	return len(b.records)+len(b.starts)+len(b.ends)+len(b.flushes) == 0
}

// A record is the result of a claim's member.
type record struct {
	claim  *claim
	member member
	result result
}

// A grant is what a claim gets in a transaction: intents for its members up to a number.
type grant struct {
	claim *claim
	upTo  int
	// refused and lost say what the transaction found: the mailing does not run, or somebody else has the slice.
	refused, lost bool
}

func newWriter(b *Box) *writer {
	return &writer{b: b, wake: make(chan struct{}, 1), window: leastWindow}
}

func (w *writer) poke() { poke(w.wake) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run writes until ctx ends.
func (w *writer) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		if l := w.b.alive(); l != nil {
			w.turn(ctx, l)
		}
	}
}

// turn writes one transaction, again and again until it is known to be committed, or the life is over. What it could not
// write stays for the next life.
func (w *writer) turn(ctx context.Context, l *life) {
	w.gather(ctx)
	batch, grants := w.take()
	backoff, waited := 20*time.Millisecond, false
	for {
		err := w.commit(ctx, l, &batch, grants)
		if err == nil {
			if waited {
				l.b.log().Info("outbox: the database takes transactions again")
			}
			w.committed(batch, grants)
			return
		}
		if errors.Is(err, errBuried) {
			l.end(errBuried)
		}
		if l.ctx.Err() != nil || ctx.Err() != nil {
			w.putBack(batch)
			return
		}
		if !waited {
			l.b.log().Warn("outbox: the database refuses a transaction; nothing more is sent until it takes one", "error", err)
			waited = true
		}
		select {
		case <-l.ctx.Done():
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, time.Second)
	}
}

// gatherFor is how long results wait for company, unless somebody waits for what the transaction would give.
const gatherFor = 2 * time.Millisecond

func (w *writer) gather(ctx context.Context) {
	if w.urgent() {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(gatherFor):
	}
}

func (w *writer) urgent() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.batch.records) > 100 || len(w.batch.starts) > 0 {
		return true
	}
	for _, c := range w.feeding {
		if c.hungry && w.open < w.b.cfg.Gate {
			return true
		}
	}
	return false
}

// take takes what there is to write, and the intents that the gate has room for.
func (w *writer) take() (batch, []*grant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.batch
	w.batch = batch{}
	starved := false
	for _, c := range w.feeding {
		starved = starved || c.hungry && c.used > 0 // all wait at first
	}
	w.window = nextWindow(w.window, starved, w.b.cfg.Gate)
	wants := make([]int, len(w.feeding))
	for i, c := range w.feeding {
		wants[i] = c.wants(w.window)
	}
	var grants []*grant
	for i, n := range share(w.b.cfg.Gate-w.open, wants) {
		if n > 0 {
			grants = append(grants, &grant{claim: w.feeding[i], upTo: w.feeding[i].granted + n})
		}
	}
	return taken, grants
}

// idle says whether everything is written.
func (w *writer) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.batch.empty() && w.open == 0
}

// putBack keeps what a life that is over could not write.
func (w *writer) putBack(b batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batch.records = append(b.records, w.batch.records...)
	w.batch.starts = append(b.starts, w.batch.starts...)
	w.batch.ends = append(b.ends, w.batch.ends...)
	w.batch.flushes = append(b.flushes, w.batch.flushes...)
}

// flush returns when everything that there is to write is durable, or ctx ends.
func (w *writer) flush(ctx context.Context) {
	done := make(chan struct{})
	w.mu.Lock()
	w.batch.flushes = append(w.batch.flushes, done)
	w.mu.Unlock()
	w.poke()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

var (
	errBuried  = errors.New("outbox: this process was taken for dead")
	errStopped = errors.New("outbox: the mailing does not run")
	errLost    = errors.New("outbox: another process has taken over the slice")
)

// commit writes a batch, unless an earlier try has done so without our hearing of it. The first line of the
// transaction proves that the process is alive for others, and holds its number, which tells.
func (w *writer) commit(ctx context.Context, l *life, b *batch, grants []*grant) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	if l.unsure {
		seq, err := w.b.store.seq(ctx, l.id)
		if err != nil {
			return err
		}
		if l.unsure = false; seq == l.seq+1 {
			l.seq++
			return nil
		}
	}
	err := w.try(ctx, l, b, grants, false)
	if isDuplicate(err) {
		err = w.try(ctx, l, b, grants, true)
	}
	return err
}

// commitTimeout ends a transaction that a database does not answer.
const commitTimeout = 30 * time.Second

// try is one transaction. Careful, it looks for each result whether there is one already.
func (w *writer) try(ctx context.Context, l *life, b *batch, grants []*grant, careful bool) error {
	until := time.Now().Add(w.b.cfg.Lease)
	reached := false // the commit: from then on its fate is not known until it is answered
	err := w.b.store.begin(ctx, func(t *tx) error {
		alive, err := t.exec(ctx, `UPDATE outbox_process SET seq = $1, until = `+w.b.store.now()+` + $2 WHERE id = $3`,
			l.seq+1, w.b.cfg.Lease.Milliseconds(), l.id)
		if err != nil {
			return err
		}
		if alive == 0 {
			return errBuried
		}
		sums := tally{}
		if err := t.writeClaims(ctx, b.records, grants, sums, careful); err != nil {
			return fmt.Errorf("results: %w", err)
		}
		if err := t.writeMails(ctx, w.b, l, b, sums); err != nil {
			return fmt.Errorf("transactional results: %w", err)
		}
		if err := t.add(ctx, l.id, sums); err != nil {
			return fmt.Errorf("tally: %w", err)
		}
		reached = true
		return nil
	})
	if err != nil {
		l.unsure = l.unsure || reached
		return err
	}
	l.seq++
	l.lease.extend(until)
	return nil
}

func (s *store) seq(ctx context.Context, process string) (seq int64, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT seq FROM outbox_process WHERE id = $1", process).Scan(&seq)
	return seq, noRowsIs(err, errBuried)
}

// committed tells everybody what has become durable.
func (w *writer) committed(b batch, grants []*grant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range grants {
		switch {
		case g.lost:
			g.claim.stop(errLost)
		case g.refused:
			g.claim.stop(errStopped)
		case g.claim.fed: // while the transaction was under way; the release takes the watermark back
		default:
			w.open += g.upTo - g.claim.granted
			w.most = max(w.most, w.open)
			g.claim.granted = g.upTo
			poke(g.claim.signal)
		}
	}
	for _, r := range b.records {
		r.claim.durable++
		w.open--
		poke(r.claim.signal)
	}
	for _, s := range b.starts {
		s.answered <- s.begun
	}
	for _, e := range b.ends {
		close(e.durable)
	}
	for _, f := range b.flushes {
		close(f)
	}
	w.pokeIfWanted()
}

// pokeIfWanted has another turn follow where there is something for it. w.mu is held.
func (w *writer) pokeIfWanted() {
	wanted := !w.batch.empty()
	for _, c := range w.feeding {
		wanted = wanted || w.open < w.b.cfg.Gate && c.wants(w.window) > w.window/2
	}
	if wanted {
		w.poke()
	}
}

// record hands over a result; it counts as open until it is durable.
func (w *writer) record(r record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batch.records = append(w.batch.records, r)
	w.poke()
}

// feed has a claim get intents from now on; fed ends that, and gives back those that were not used.
func (w *writer) feed(c *claim) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.feeding = append(w.feeding, c)
	w.poke()
}

func (w *writer) fed(c *claim) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, other := range w.feeding {
		if other == c {
			w.feeding = append(w.feeding[:i:i], w.feeding[i+1:]...)
			break
		}
	}
	w.open -= c.granted - c.used
	c.granted = c.used
	c.fed = true
	w.poke()
}

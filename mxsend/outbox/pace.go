package outbox

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// A pace is a mailing's rate as far as it is this process's: the mailing's rate divided by the processes that send.
type pace struct {
	limiter *rate.Limiter
	from    time.Time // a new process waits until the others know of it
}

func (l *life) pace(m *mailing) *pace {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.paces[m.id]
	if p == nil {
		p = &pace{limiter: rate.NewLimiter(rate.Inf, 1), from: l.started.Add(3 * l.b.lookEvery())}
		l.paces[m.id] = p
	}
	p.set(m.rate, l.peers)
	return p
}

// set has a burst of a tenth of a second, so that rates beyond the timer's resolution are kept.
func (p *pace) set(perSecond float64, peers int) {
	limit := rate.Inf
	if perSecond > 0 {
		limit = rate.Limit(perSecond / float64(max(peers, 1)))
	}
	p.limiter.SetLimit(limit)
	p.limiter.SetBurst(max(1, int(float64(min(limit, 1e6))/10)))
}

func (p *pace) wait(ctx context.Context) error {
	if p.limiter.Limit() == rate.Inf {
		return ctx.Err()
	}
	if wait := time.Until(p.from); wait > 0 {
		sleep(ctx, wait)
	}
	return p.limiter.Wait(ctx)
}

// lookEvery is how often a process looks at what others have decided.
func (b *Box) lookEvery() time.Duration { return min(b.cfg.Lease/10, time.Second) }

// look takes over what others have decided: rates, who else is alive, and which mailings do not run any more.
func (l *life) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	var peers, expired int
	err := l.b.store.read.QueryRowContext(ctx, `SELECT count(CASE WHEN sends = 1 AND until > `+l.b.store.now()+` THEN 1 END),
		count(CASE WHEN until + $1 < `+l.b.store.now()+` THEN 1 END) FROM outbox_process`, l.b.cfg.Lease.Milliseconds()).Scan(&peers, &expired)
	if err != nil {
		return // the writer says so
	}
	type running struct {
		id   int64
		rate float64
	}
	rows, err := l.b.store.read.QueryContext(ctx, "SELECT id, rate FROM outbox_mailing WHERE state = 'running'")
	all, err := collect(rows, err, func(r *running) []any { return []any{&r.id, &r.rate} })
	if err != nil {
		return
	}
	runs := map[int64]bool{}
	l.mu.Lock()
	l.peers = peers
	for _, r := range all {
		runs[r.id] = true
		if p := l.paces[r.id]; p != nil {
			p.set(r.rate, peers)
		}
	}
	l.mu.Unlock()
	l.stopClaims(func(c *claim) bool { return !runs[c.mailing.id] })
	if expired > 0 {
		_ = l.b.insert.sweep(ctx) // it is not the periodic one's turn yet, or its leader has died
	}
}

package outbox

import (
	"context"
	"errors"
	"time"
)

// Retention says how long the outbox keeps personal data. Sums are kept, they name nobody.
type Retention struct {
	// Recipients is how long after a mailing has ended, or a transactional mail has its outcome, the recipient's address
	// and data are kept, by outcome. An outcome that is not in the map: 90 days.
	Recipients map[Outcome]time.Duration
	// Events is how long the key of an event is kept, by which one that comes twice counts once. Zero: 90 days.
	Events time.Duration
	// KeepContent keeps the content of transactional mail as long as its recipient. False: content is removed in the
	// transaction that records its end.
	KeepContent bool
}

const defaultRetention = 90 * 24 * time.Hour

func (r Retention) validate() error {
	var wrong []error
	for o, d := range r.Recipients {
		if d < 0 {
			wrong = append(wrong, errors.New("outbox: Retention.Recipients of "+o.String()+" is negative"))
		}
	}
	if r.Events < 0 {
		wrong = append(wrong, errors.New("outbox: Retention.Events is negative"))
	}
	return errors.Join(wrong...)
}

func (r Retention) withDefaults() Retention {
	all := map[Outcome]time.Duration{}
	for o := range outcomeNames {
		d, ok := r.Recipients[Outcome(o)]
		if !ok {
			d = defaultRetention
		}
		all[Outcome(o)] = d
	}
	r.Recipients = all
	if r.Events == 0 {
		r.Events = defaultRetention
	}
	return r
}

// purge removes what is older than the retention.
func (l *life) purge(ctx context.Context) {
	b := l.b
	for _, step := range []func(context.Context) error{b.purgeMailings, b.purgeMails, b.purgeEvents} {
		if err := step(ctx); err != nil && ctx.Err() == nil {
			b.log().Warn("outbox: purge", "error", err)
		}
	}
}

// purgeStep is how many rows are removed in a transaction.
const purgeStep = 2000

// purgeMailings removes recipients of mailings that have ended. A bit of "purged" says that an outcome's are gone.
func (b *Box) purgeMailings(ctx context.Context) error {
	type ended struct{ id, finished, purged, recipients int64 }
	rows, err := b.store.read.QueryContext(ctx, `SELECT id, finished, purged, recipients FROM outbox_mailing
		WHERE state IN ('done', 'cancelled') AND finished <> 0 AND purged <> $1`, int64(1)<<len(outcomeNames)-1)
	all, err := collect(rows, err, func(e *ended) []any { return []any{&e.id, &e.finished, &e.purged, &e.recipients} })
	if err != nil {
		return err
	}
	for _, e := range all {
		due := map[Outcome]bool{}
		for o, keep := range b.cfg.Retention.Recipients {
			if e.purged&(1<<o) == 0 && e.finished+keep.Milliseconds() < nowMillis() {
				due[o] = true
			}
		}
		if len(due) > 0 {
			if err := b.purgeMailing(ctx, e.id, e.recipients, due); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *Box) purgeMailing(ctx context.Context, id, recipients int64, due map[Outcome]bool) error {
	order := newShuffle(recipients, id)
	bits := int64(0)
	for o := range due {
		bits |= 1 << o
	}
	for lo := int64(0); lo < recipients; lo += purgeStep {
		hi := min(lo+purgeStep, recipients)
		err := b.store.begin(ctx, func(t *tx) error {
			rows, err := t.rows(ctx, id, lo, hi)
			if err != nil {
				return err
			}
			had := map[int64]Outcome{}
			for _, r := range rows {
				had[r.n] = r.outcome
			}
			var lines []int64
			for n := lo; n < hi; n++ {
				if due[had[n]] { // without a row it is Pending
					lines = append(lines, order.line(n))
				}
			}
			return t.forgetLines(ctx, b, id, lines)
		})
		if err != nil {
			return err
		}
	}
	return b.store.begin(ctx, func(t *tx) error {
		_, err := t.exec(ctx, "UPDATE outbox_mailing SET purged = purged | $1 WHERE id = $2", bits, id)
		return err
	})
}

// forgetLines removes the recipients of some lines, and what finds them.
func (t *tx) forgetLines(ctx context.Context, b *Box, mailing int64, lines []int64) error {
	if len(lines) == 0 {
		return nil
	}
	const these = " WHERE mailing = $1 AND line IN ("
	rows, err := t.QueryContext(ctx, "SELECT address FROM outbox_recipient"+these+list(lines)+")", mailing)
	addresses, err := collect(rows, err, func(a *string) []any { return []any{a} })
	if err != nil || len(addresses) == 0 {
		return err
	}
	hash := b.hasher()
	hashes := make([]int64, len(addresses))
	for i, address := range addresses {
		hashes[i], _ = hash(address)
	}
	if _, err := t.exec(ctx, "DELETE FROM outbox_recipient"+these+list(lines)+")", mailing); err != nil {
		return err
	}
	_, err = t.exec(ctx, "DELETE FROM outbox_address"+these+list(lines)+") AND hash IN ("+list(hashes)+")", mailing)
	return err
}

func (b *Box) purgeMails(ctx context.Context) error {
	for o, keep := range b.cfg.Retention.Recipients {
		for more := true; more; {
			err := b.store.begin(ctx, func(t *tx) error {
				n, err := t.exec(ctx, `DELETE FROM outbox_mail WHERE id IN (SELECT id FROM outbox_mail
					WHERE outcome = $1 AND due = 0 AND at < $2 LIMIT $3)`, int64(o), nowMillis()-keep.Milliseconds(), purgeStep)
				more = n == purgeStep
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *Box) purgeEvents(ctx context.Context) error {
	return b.store.begin(ctx, func(t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM outbox_event WHERE at < $1", nowMillis()-b.cfg.Retention.Events.Milliseconds())
		return err
	})
}

// Forget removes an address everywhere: from recipients, from transactional mail, and from what waits to be sent, which is then
// Skipped. What remains names nobody: outcomes and sums, and the keyed hash in a suppression, without which the next import
// would have the address written to again. It returns how many mails were the address's.
func (b *Box) Forget(ctx context.Context, address string) (int64, error) {
	found, err := b.locate(ctx, address)
	if err != nil {
		return 0, err
	}
	return int64(len(found)), b.store.begin(ctx, func(t *tx) error {
		for _, f := range found {
			if f.mailing == 0 {
				if err := t.forgetMail(ctx, f.n); err != nil {
					return err
				}
				continue
			}
			if err := t.forgetLines(ctx, b, f.mailing, []int64{f.line}); err != nil {
				return err
			}
		}
		return nil
	})
}

// forgetMail removes what a transactional mail says of its recipient. One that is not begun is not sent any more.
func (t *tx) forgetMail(ctx context.Context, id int64) error {
	sums := tally{}
	var had Outcome
	var due int64
	var relay, process string
	if err := t.QueryRowContext(ctx, "SELECT outcome, due, relay, process FROM outbox_mail WHERE id = $1", id).
		Scan(&had, &due, &relay, &process); err != nil {
		return noRowsIs(err, nil)
	}
	outcome, note := had, ""
	if due != 0 && process == "" {
		sums.move(0, relay, had, "", Skipped)
		outcome, relay, note = Skipped, "", "the recipient was forgotten"
	}
	_, err := t.exec(ctx, `UPDATE outbox_mail SET ref = $1, address = '', hash = 0, return_path = '', options = '{}', content = NULL,
		outcome = $2, relay = $3, note = $4, due = CASE WHEN process = '' THEN 0 ELSE due END WHERE id = $5`,
		ownRef+"forgotten "+mailRef(0, id), int64(outcome), relay, note, id)
	if err != nil {
		return err
	}
	return t.add(ctx, "", sums)
}

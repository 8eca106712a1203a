package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
)

// sweep finds what is due, over, left behind or missing. Any process may sweep at any time: each step is one transaction that
// does nothing where another has done it.
func (l *life) sweep(ctx context.Context) {
	b := l.b
	for _, step := range []func(context.Context) error{b.buryDead, b.timesUp, b.autoPause, b.fillTickets, b.fillMails} {
		if err := step(ctx); err != nil && ctx.Err() == nil {
			b.log().Warn("outbox: sweep", "error", err)
		}
	}
}

// buryDead buries every process whose lease ended a lease ago. A process stops by itself when its lease ends; the time
// between is for one that was cut off from the database and writes down what it knows when it is back.
func (b *Box) buryDead(ctx context.Context) error {
	rows, err := b.store.read.QueryContext(ctx, "SELECT id FROM outbox_process WHERE until + $1 < "+b.store.now(), b.cfg.Lease.Milliseconds())
	ids, err := collect(rows, err, func(id *string) []any { return []any{id} })
	for _, id := range ids {
		err = errors.Join(err, b.buryIf(ctx, id, " AND until + $2 < "+b.store.now(), b.cfg.Lease.Milliseconds()))
	}
	return err
}

// bury ends a process that is known to have ended.
func (b *Box) bury(ctx context.Context, id string) {
	if err := b.buryIf(ctx, id, ""); err != nil {
		b.log().Warn("outbox: a process that has ended stays entered for now", "error", err)
	}
}

// buryIf removes a process. What it had in hand is free from then on: slices, whose open intents their next claim finds,
// and mails that it had begun, which are in doubt.
func (b *Box) buryIf(ctx context.Context, id, condition string, args ...any) error {
	return b.store.begin(ctx, func(t *tx) error {
		n, err := t.exec(ctx, "DELETE FROM outbox_process WHERE id = $1"+condition, append([]any{id}, args...)...)
		if err != nil || n == 0 {
			return err
		}
		if _, err := t.exec(ctx, "UPDATE outbox_slice SET token = 0, process = '' WHERE process = $1", id); err != nil {
			return err
		}
		rows, err := t.QueryContext(ctx, "SELECT id, outcome, relay FROM outbox_mail WHERE process = $1", id)
		type begun struct {
			id      int64
			outcome Outcome
			relay   string
		}
		mails, err := collect(rows, err, func(m *begun) []any { return []any{&m.id, &m.outcome, &m.relay} })
		if err != nil {
			return err
		}
		due, duplicate := int64(0), false
		if b.cfg.InDoubt == mxsend.InDoubtResend {
			due, duplicate = nowMillis(), true
		}
		sums := tally{}
		for _, m := range mails {
			_, err := t.exec(ctx, `UPDATE outbox_mail SET process = '', outcome = $1, relay = '', queue_id = '', at = $2, due = $3,
				duplicate = CASE WHEN duplicate > $4 THEN duplicate ELSE $4 END, note = $5 WHERE id = $6`,
				int64(InDoubt), nowMillis(), due, number(duplicate), doubtNote, m.id)
			if err != nil {
				return err
			}
			sums.move(0, m.relay, m.outcome, "", InDoubt)
			if due != 0 {
				if err := b.insert.mails(ctx, t.Tx, time.Time{}, m.id); err != nil {
					return err
				}
			}
		}
		// The dead process's sums stay, under its name: they are sums.
		return t.add(ctx, id, sums)
	})
}

// timesUp has mailings go on, or end, whose time has come, and those be done that are.
func (b *Box) timesUp(ctx context.Context) error {
	now := nowMillis()
	return b.store.begin(ctx, func(t *tx) error {
		if _, err := t.exec(ctx, `UPDATE outbox_mailing SET state = 'running', why = '', go_at = 0,
			open_slices = CASE WHEN why = $2 THEN (SELECT count(*) FROM outbox_slice s WHERE s.mailing = outbox_mailing.id) ELSE open_slices END
			WHERE state = 'waiting' AND go_at <> 0 AND go_at <= $1`, now, whyCanary); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE outbox_mailing SET state = 'cancelled', why = 'its time is over', finished = $1
			WHERE state IN ('waiting', 'running', 'paused') AND not_after <> 0 AND not_after <= $1`, now); err != nil {
			return err
		}
		rows, err := t.QueryContext(ctx, "SELECT id FROM outbox_mailing WHERE state = 'running'")
		ids, err := collect(rows, err, func(id *int64) []any { return []any{id} })
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := t.advance(ctx, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// fillTickets adds tickets where fewer wait than there are free slices: those that are due again, those of the dead, and
// those whose tickets were lost. One too many does no harm.
func (b *Box) fillTickets(ctx context.Context) error {
	type need struct {
		mailing int64
		slices  int
	}
	rows, err := b.store.read.QueryContext(ctx, `SELECT m.id, count(*) FROM outbox_mailing m JOIN outbox_slice s ON s.mailing = m.id
		WHERE m.state = 'running' AND s.done = 0 AND s.token = 0 AND s.due <= $1 AND s.k < m.open_slices GROUP BY m.id`, nowMillis())
	needs, err := collect(rows, err, func(n *need) []any { return []any{&n.mailing, &n.slices} })
	if err != nil || len(needs) == 0 {
		return err
	}
	waiting, err := b.insert.ticketsWaiting(ctx)
	if err != nil {
		return err
	}
	return b.store.begin(ctx, func(t *tx) error {
		for _, n := range needs {
			if missing := min(n.slices, ticketsEach) - waiting[n.mailing]; missing > 0 {
				if err := b.insert.tickets(ctx, t, n.mailing, missing); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// overdue is how long a mail may be due, while few jobs wait, until its job is taken for lost.
const overdue = 15 * time.Second

// fillMails gives a new job to mails whose own was lost: with a process that had fetched it and died before it began, or
// in a commit that was answered to nobody. An old job that turns up after all finds the mail begun.
func (b *Box) fillMails(ctx context.Context) error {
	waiting, err := b.insert.mailsWaiting(ctx)
	if err != nil || waiting >= 500 {
		return err // there are many, and they have their turn
	}
	rows, err := b.store.read.QueryContext(ctx, "SELECT id FROM outbox_mail WHERE due <> 0 AND due < $1 AND process = '' LIMIT 1000",
		nowMillis()-min(overdue, b.cfg.Lease*2).Milliseconds())
	ids, err := collect(rows, err, func(id *int64) []any { return []any{id} })
	if err != nil || len(ids) == 0 {
		return err
	}
	return b.store.begin(ctx, func(t *tx) error {
		n, err := t.exec(ctx, "UPDATE outbox_mail SET due = $1 WHERE due <> 0 AND process = '' AND id IN ("+list(ids)+")", nowMillis())
		if err != nil || n == 0 {
			return err
		}
		return b.insert.mails(ctx, t.Tx, time.Time{}, ids...)
	})
}

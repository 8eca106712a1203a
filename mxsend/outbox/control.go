package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrState: the mailing is not in a state for what was asked.
var ErrState = errors.New("outbox: the mailing's state does not allow that")

// Pause stops a mailing. When it returns, no process gets leave for another recipient. Those that a process has leave for, at most
// Config.Gate of them, are begun for another second at most; then what is under way has Config.StopGrace to end, and is cut
// off. Resume goes on.
func (b *Box) Pause(ctx context.Context, name, why string) error {
	return b.change(ctx, name, []State{Running, Waiting, Paused}, func(t *tx, m *mailing) error {
		_, err := t.exec(ctx, "UPDATE outbox_mailing SET state = 'paused', why = $1, go_at = 0 WHERE id = $2", storable(why), m.id)
		return err
	})
}

// Resume has a paused or waiting mailing go on, at once: it is also the go after a canary, and begins one whose StartAt has not
// come.
func (b *Box) Resume(ctx context.Context, name string) error {
	return b.change(ctx, name, []State{Paused, Waiting, Running}, func(t *tx, m *mailing) error {
		if m.state == Running {
			return nil
		}
		return t.goOn(ctx, b, m.id)
	})
}

// goOn lets a mailing run. What has been counted so far does not count for AutoPause again.
func (t *tx) goOn(ctx context.Context, b *Box, id int64) error {
	c, err := t.counted(ctx, id)
	if err != nil {
		return err
	}
	// The canary is over once one of its slices was worked on and none is left in the first round.
	_, err = t.exec(ctx, `UPDATE outbox_mailing SET state = 'running', why = '', go_at = 0, finished = 0, base_sent = $1, base_bad = $2,
		open_slices = CASE WHEN EXISTS (SELECT 1 FROM outbox_slice WHERE mailing = $3 AND done = 0 AND round = 1 AND k < open_slices)
			THEN open_slices ELSE (SELECT count(*) FROM outbox_slice WHERE mailing = $3) END WHERE id = $3`, c.sent, c.bad, id)
	if err != nil {
		return err
	}
	if err := t.advance(ctx, id); err != nil {
		return err
	}
	return b.insert.tickets(ctx, t, id, ticketsEach)
}

// Cancel ends a mailing for good. It stops as Pause does.
func (b *Box) Cancel(ctx context.Context, name, why string) error {
	return b.change(ctx, name, []State{Running, Waiting, Paused, Cancelled}, func(t *tx, m *mailing) error {
		_, err := t.exec(ctx, "UPDATE outbox_mailing SET state = 'cancelled', why = $1, go_at = 0, finished = $2 WHERE id = $3",
			storable(why), nowMillis(), m.id)
		return err
	})
}

// SetRate changes a mailing's rate, in recipients a second of all processes together; zero is unlimited. Processes take it over
// within a second.
func (b *Box) SetRate(ctx context.Context, name string, rate float64) error {
	if rate < 0 {
		return fmt.Errorf("outbox: a rate of %v: give a positive number, or 0 for unlimited", rate)
	}
	return b.change(ctx, name, nil, func(t *tx, m *mailing) error {
		_, err := t.exec(ctx, "UPDATE outbox_mailing SET rate = $1 WHERE id = $2", rate, m.id)
		return err
	})
}

// Resend sends once more to recipients of a mailing that has ended who have one of the outcomes: Deferred and NotAttempted
// if none is named. Those InDoubt are marked as possible duplicates. It returns how many there are.
func (b *Box) Resend(ctx context.Context, name string, outcomes ...Outcome) (n int64, err error) {
	if len(outcomes) == 0 {
		outcomes = []Outcome{Deferred, NotAttempted}
	}
	which := make([]int64, len(outcomes))
	for i, o := range outcomes {
		if o != Deferred && o != NotAttempted && o != Rejected && o != InDoubt {
			return 0, fmt.Errorf("outbox: Resend to recipients with outcome %q: only to rejected, deferred, in doubt and not attempted ones", o)
		}
		which[i] = int64(o)
	}
	err = b.change(ctx, name, []State{Done}, func(t *tx, m *mailing) error {
		now := nowMillis()
		n, err = t.exec(ctx, `UPDATE outbox_result SET due = $1, tries = 0, duplicate = CASE WHEN outcome = 4 THEN 1 ELSE duplicate END
			WHERE mailing = $2 AND due = 0 AND outcome IN (`+list(which)+")", now, m.id)
		if err != nil || n == 0 {
			return err
		}
		_, err := t.exec(ctx, `UPDATE outbox_slice SET done = 0, opened = lo, due = $1 WHERE mailing = $2 AND EXISTS
			(SELECT 1 FROM outbox_result r WHERE r.mailing = $2 AND r.n >= lo AND r.n < hi AND r.due <> 0)`, now, m.id)
		if err != nil {
			return err
		}
		return t.goOn(ctx, b, m.id)
	})
	return n, err
}

// change runs f on a mailing that is in one of the states, or in any if none is given, while nobody else changes it.
func (b *Box) change(ctx context.Context, name string, states []State, f func(*tx, *mailing) error) error {
	return b.store.begin(ctx, func(t *tx) error {
		// The update locks the row until the end of the transaction.
		m, err := scanMailing(t.QueryRowContext(ctx, "UPDATE outbox_mailing SET name = name WHERE name = $1 RETURNING "+mailingColumns, name))
		if err != nil {
			return noRowsIs(err, fmt.Errorf("%w: there is no mailing %q", ErrUnknown, name))
		}
		for _, s := range states {
			if m.state == s {
				return f(t, m)
			}
		}
		if states == nil {
			return f(t, m)
		}
		return fmt.Errorf("%w: %q is %s", ErrState, name, m.state)
	})
}

// A count is what AutoPause looks at.
type count struct {
	sent int64 // recipients that a relay, or rendering, has decided about
	bad  int64 // of those, rejected, or bounced for good later
}

func (t *tx) counted(ctx context.Context, mailing int64) (c count, err error) {
	err = t.QueryRowContext(ctx, `SELECT
		COALESCE((SELECT sum(count) FROM outbox_tally WHERE mailing = $1 AND outcome IN (1, 2)), 0),
		COALESCE((SELECT sum(count) FROM outbox_tally WHERE mailing = $1 AND outcome = 2), 0)
		+ COALESCE((SELECT sum(count) FROM outbox_returned WHERE mailing = $1 AND bad = 1), 0)`, mailing).Scan(&c.sent, &c.bad)
	return c, err
}

// tooMany decides about a pause: c is what was counted since the mailing last went on.
func (a AutoPause) tooMany(c count) bool {
	share, least := a.Share, a.Least
	if share == 0 {
		share = 0.1
	}
	if least == 0 {
		least = 500
	}
	return c.sent >= int64(least) && float64(c.bad) > share*float64(c.sent)
}

// autoPause pauses running mailings with too many bad outcomes.
func (b *Box) autoPause(ctx context.Context) error {
	rows, err := b.store.read.QueryContext(ctx, "SELECT "+mailingColumns+" FROM outbox_mailing WHERE state = 'running'")
	if err != nil {
		return err
	}
	var running []*mailing
	for rows.Next() {
		m, err := scanMailing(rows)
		if err != nil {
			_ = rows.Close()
			return err
		}
		running = append(running, m)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, m := range running {
		if err := b.store.begin(ctx, func(t *tx) error {
			c, err := t.counted(ctx, m.id)
			if err != nil {
				return err
			}
			var base count
			if err := t.QueryRowContext(ctx, "SELECT base_sent, base_bad FROM outbox_mailing WHERE id = $1", m.id).Scan(&base.sent, &base.bad); err != nil {
				return err
			}
			c.sent, c.bad = c.sent-base.sent, c.bad-base.bad
			if !m.spec.AutoPause.tooMany(c) {
				return nil
			}
			why := fmt.Sprintf("paused by itself at %s: %d of %d recipients were rejected or bounced for good",
				time.Now().UTC().Format(time.RFC3339), c.bad, c.sent)
			n, err := t.exec(ctx, "UPDATE outbox_mailing SET state = 'paused', why = $1 WHERE id = $2 AND state = 'running'", why, m.id)
			if n > 0 {
				b.log().Warn("outbox: a mailing was paused", "mailing", m.spec.Name, "why", why)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

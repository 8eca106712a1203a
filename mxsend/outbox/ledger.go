package outbox

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
)

// A tally is how many outcomes were gained or lost, by mailing, relay and outcome. Mailing 0 is transactional mail.
type tally map[tallyKey]int64

type tallyKey struct {
	mailing int64
	relay   string
	outcome Outcome
}

// move counts a result that replaces another: Pending is none.
func (s tally) move(mailing int64, hadRelay string, had Outcome, relay string, now Outcome) {
	if had != Pending {
		s[tallyKey{mailing, hadRelay, had}]--
	}
	if now != Pending {
		s[tallyKey{mailing, relay, now}]++
	}
}

// add writes the sums into the process's own rows, so that no two processes wait for each other.
func (t *tx) add(ctx context.Context, process string, sums tally) error {
	keys := make([]tallyKey, 0, len(sums))
	for key, n := range sums {
		if n != 0 {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b tallyKey) int { // in one order always: no deadlock
		return cmp.Or(cmp.Compare(a.mailing, b.mailing), cmp.Compare(a.relay, b.relay), cmp.Compare(a.outcome, b.outcome))
	})
	for _, key := range keys {
		_, err := t.ExecContext(ctx, `INSERT INTO outbox_tally (mailing, process, relay, outcome, count) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (mailing, process, relay, outcome) DO UPDATE SET count = outbox_tally.count + excluded.count`,
			key.mailing, process, key.relay, int64(key.outcome), sums[key])
		if err != nil {
			return err
		}
	}
	return nil
}

// writeClaims writes grants and results of claims. Each claim's slice is updated under its token first: that locks it, and
// who has lost it has its results taken only as news about what is in doubt.
func (t *tx) writeClaims(ctx context.Context, records []record, grants []*grant, sums tally, careful bool) error {
	granted := map[*claim]*grant{}
	claims := map[*claim][]record{}
	for _, g := range grants {
		granted[g.claim] = g
		claims[g.claim] = nil
	}
	for _, r := range records {
		claims[r.claim] = append(claims[r.claim], r)
	}
	order := make([]*claim, 0, len(claims))
	for c := range claims {
		order = append(order, c)
	}
	slices.SortFunc(order, func(a, b *claim) int {
		return cmp.Or(cmp.Compare(a.mailing.id, b.mailing.id), cmp.Compare(a.span.k, b.span.k), cmp.Compare(a.token, b.token))
	})
	var fresh [][]any
	for _, c := range order {
		mine, err := t.fence(ctx, c, granted[c])
		if err != nil {
			return err
		}
		for _, r := range claims[c] {
			if mine && r.member.had == Pending && !careful {
				fresh = append(fresh, r.row())
				sums.move(c.mailing.id, "", Pending, r.result.relay, r.result.outcome)
				continue
			}
			if err := t.writeResult(ctx, r, mine, sums); err != nil {
				return err
			}
		}
	}
	return t.insert(ctx, "outbox_result", resultColumns, fresh)
}

// fence says whether the claim's slice is still its own, and writes the intents of a grant. A grant is refused where the
// mailing does not run any more.
func (t *tx) fence(ctx context.Context, c *claim, g *grant) (mine bool, err error) {
	opened := int64(-1) // none
	if g != nil {
		g.lost, g.refused = false, false
		opened = c.watermark(g.upTo)
	}
	var got int64
	err = t.QueryRowContext(ctx, `UPDATE outbox_slice SET opened = CASE
			WHEN $1 > opened AND EXISTS (SELECT 1 FROM outbox_mailing WHERE id = $2 AND state = 'running' AND (not_after = 0 OR not_after > $3))
			THEN $1 ELSE opened END
		WHERE mailing = $2 AND k = $4 AND token = $5 RETURNING opened`,
		opened, c.mailing.id, nowMillis(), c.span.k, c.token).Scan(&got)
	mine = err == nil
	if g != nil {
		g.lost, g.refused = !mine, mine && got < opened
	}
	return mine, noRowsIs(err, nil)
}

var resultColumns = []string{"mailing", "n", "outcome", "relay", "queue_id", "at", "round", "tries", "due", "duplicate", "note"}

func (r record) row() []any {
	return []any{r.claim.mailing.id, r.member.n, int64(r.result.outcome), r.result.relay, r.result.queueID, r.result.at,
		r.claim.span.round, r.result.tries, r.result.due, number(r.result.duplicate), r.result.note}
}

// writeResult writes one result where there may be another already.
func (t *tx) writeResult(ctx context.Context, r record, mine bool, sums tally) error {
	args := r.row()
	if mine && r.member.had == Pending {
		n, err := t.exec(ctx, `INSERT INTO outbox_result (mailing, n, outcome, relay, queue_id, at, round, tries, due, duplicate, note)
			VALUES (`+placeholders(1, len(args))+`) ON CONFLICT (mailing, n) DO NOTHING`, args...)
		if err != nil {
			return err
		}
		if n > 0 {
			sums.move(r.claim.mailing.id, "", Pending, r.result.relay, r.result.outcome)
			return nil
		}
	}
	// A next round's result replaces what was due. One that comes late, after somebody else took the slice over,
	// tells what became of a mail in doubt, if it is final.
	if !mine && r.result.outcome != Accepted && r.result.outcome != Rejected {
		return nil
	}
	var had, due, round int64
	var relay string
	err := t.QueryRowContext(ctx, "SELECT outcome, due, round, relay FROM outbox_result WHERE mailing = $1 AND n = $2", args[0], args[1]).
		Scan(&had, &due, &round, &relay)
	if err != nil {
		return noRowsIs(err, nil)
	}
	if inRound := mine && due != 0 && round < r.claim.span.round; !inRound && Outcome(had) != InDoubt {
		return nil
	}
	_, err = t.ExecContext(ctx, `UPDATE outbox_result SET outcome = $3, relay = $4, queue_id = $5, at = $6, round = $7, tries = $8,
		due = $9, duplicate = CASE WHEN duplicate > $10 THEN duplicate ELSE $10 END, note = $11 WHERE mailing = $1 AND n = $2`, args...)
	sums.move(r.claim.mailing.id, relay, Outcome(had), r.result.relay, r.result.outcome)
	return err
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// noRowsIs replaces the error of a query that has found nothing.
func noRowsIs(err, instead error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return instead
	}
	return err
}

package outbox

import "context"

// ReturnedTotals returns what came back to each of the newest mailings, at most limit of them, by name: all hours summed up. It is
// what Mailings leaves out.
func (b *Box) ReturnedTotals(ctx context.Context, limit int) (map[string][]ReturnedTally, error) {
	type row struct {
		name string
		t    ReturnedTally
	}
	rows, err := b.store.read.QueryContext(ctx, `SELECT m.name, r.back, r.category, r.bad, sum(r.count)
		FROM (SELECT id, name FROM outbox_mailing ORDER BY id DESC LIMIT $1) m JOIN outbox_returned r ON r.mailing = m.id
		GROUP BY m.name, r.back, r.category, r.bad ORDER BY m.name, r.back, r.category, r.bad`, limit)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.name, &r.t.Kind, &r.t.Category, &r.t.Permanent, &r.t.Count} })
	totals := map[string][]ReturnedTally{}
	for _, r := range found {
		totals[r.name] = append(totals[r.name], r.t)
	}
	return totals, err
}

// A SuppressionTally is how many addresses a list has suppressed for one reason.
type SuppressionTally struct {
	List   string // empty: every list
	Reason string
	Active int64 // have an effect now
	Held   int64 // wait for review
	Rest   int64 // are below the threshold, or have expired
}

// SuppressionTallies returns how many addresses are suppressed, by list and reason. It counts them one by one, so it is nothing to be
// asked every second.
func (b *Box) SuppressionTallies(ctx context.Context) ([]SuppressionTally, error) {
	rows, err := b.store.read.QueryContext(ctx, `SELECT list, reason,
		count(CASE WHEN held = 0 AND active = 1 AND (until = 0 OR until > $1) THEN 1 END), count(CASE WHEN held = 1 THEN 1 END), count(*)
		FROM outbox_suppression GROUP BY list, reason ORDER BY list, reason`, nowMillis())
	all, err := collect(rows, err, func(t *SuppressionTally) []any { return []any{&t.List, &t.Reason, &t.Active, &t.Held, &t.Rest} })
	for i := range all {
		all[i].Rest -= all[i].Active + all[i].Held
	}
	return all, err
}

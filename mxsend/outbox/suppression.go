package outbox

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// A SuppressionPolicy says what stops mail to an address. Transactional mail is never stopped.
type SuppressionPolicy struct {
	// Threshold is how many bounces that say that there is no such mailbox suppress the address, in all lists. Complaints
	// and unsubscribing suppress it at once, in their list. Zero: 1.
	Threshold int
	// Expiry is after how long a suppression by bounces ends: addresses are given to somebody else. Zero: never.
	Expiry time.Duration
	// Burst is how many addresses of one domain may be suppressed by bounces within an hour. When there are more, a
	// provider's fault is likelier than the end of so many mailboxes: all of that hour's are held, without effect, until
	// Release or Discard. Zero: 100; negative: they are never held.
	Burst int
}

func (p SuppressionPolicy) validate() error {
	if p.Threshold < 0 || p.Expiry < 0 {
		return fmt.Errorf("outbox: Suppression.Threshold and Expiry are not negative")
	}
	return nil
}

func (p SuppressionPolicy) withDefaults() SuppressionPolicy {
	if p.Threshold == 0 {
		p.Threshold = 1
	}
	if p.Burst == 0 {
		p.Burst = 100
	}
	return p
}

// Reasons of suppression.
const (
	ReasonBounce      = "bounce"
	ReasonComplaint   = "complaint"
	ReasonUnsubscribe = "unsubscribed"
	ReasonImport      = "import"
)

// everyList is the list of what holds for every list.
const everyList = ""

// markSuppressed looks up which people must not be written to.
func (b *Box) markSuppressed(ctx context.Context, listName string, people []person) error {
	if len(people) == 0 {
		return nil
	}
	hash := b.hasher()
	type key struct{ first, rest int64 }
	keys := make([]key, len(people))
	firsts := make([]int64, len(people))
	for i := range people {
		keys[i].first, keys[i].rest = hash(people[i].Address)
		firsts[i] = keys[i].first
	}
	rows, err := b.store.read.QueryContext(ctx, `SELECT hash, rest, reason FROM outbox_suppression WHERE list IN ('', $1)
		AND active = 1 AND held = 0 AND (until = 0 OR until > $2) AND hash IN (`+list(firsts)+")", listName, nowMillis())
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	found := map[key]string{}
	for rows.Next() {
		var k key
		var reason string
		if err := rows.Scan(&k.first, &k.rest, &reason); err != nil {
			return err
		}
		found[k] = reason
	}
	for i := range people {
		people[i].suppressed = found[keys[i]]
	}
	return rows.Err()
}

// suppress notes a reason against an address, by its hash.
func (t *tx) suppress(ctx context.Context, p SuppressionPolicy, listName string, first, rest int64, domain, reason string) error {
	now := time.Now()
	until, threshold := time.Time{}, 1
	if reason == ReasonBounce {
		threshold = p.Threshold
		if p.Expiry > 0 {
			until = now.Add(p.Expiry)
		}
	}
	_, err := t.ExecContext(ctx, `INSERT INTO outbox_suppression (list, hash, rest, reason, provider, at, until, count, active, held)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, 0)
		ON CONFLICT (list, hash, rest) DO UPDATE SET count = outbox_suppression.count + 1, reason = excluded.reason, at = excluded.at,
			until = CASE WHEN outbox_suppression.active = 1 AND outbox_suppression.until = 0 THEN 0 ELSE excluded.until END,
			held = CASE WHEN excluded.reason = 'bounce' THEN outbox_suppression.held ELSE 0 END, active = CASE WHEN outbox_suppression.active = 1 OR outbox_suppression.count + 1 >= $9 THEN 1 ELSE 0 END`,
		listName, first, rest, reason, domain, now.UnixMilli(), millis(until), number(threshold <= 1), threshold)
	if err != nil || reason != ReasonBounce || p.Burst < 0 || domain == "" {
		return err
	}
	hour := now.Add(-time.Hour).UnixMilli()
	var lately int
	err = t.QueryRowContext(ctx, "SELECT count(*) FROM outbox_suppression WHERE provider = $1 AND at > $2 AND reason = $3 AND active = 1",
		domain, hour, ReasonBounce).Scan(&lately)
	if err != nil || lately <= p.Burst {
		return err
	}
	_, err = t.ExecContext(ctx, "UPDATE outbox_suppression SET held = 1 WHERE provider = $1 AND at > $2 AND reason = $3 AND held = 0",
		domain, hour, ReasonBounce)
	return err
}

// Suppress stops mail of a list to an address, from an import for instance; an empty list stands for every list. It does not
// expire.
func (b *Box) Suppress(ctx context.Context, listName string, addresses iter.Seq[string]) error {
	hash := b.hasher()
	next, stop := iter.Pull(addresses)
	defer stop()
	for more := true; more; {
		err := b.store.begin(ctx, func(t *tx) error {
			for range 500 { // so that others get their turn
				address, ok := next()
				if !ok {
					more = false
					return nil
				}
				first, rest := hash(address)
				if err := t.suppress(ctx, b.cfg.Suppression, listName, first, rest, provider(address), ReasonImport); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Unsuppress removes an address's suppression in a list, "" being what holds for every list, whatever the reason.
func (b *Box) Unsuppress(ctx context.Context, listName, address string) error {
	first, rest := b.hasher()(address)
	return b.store.begin(ctx, func(t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM outbox_suppression WHERE list = $1 AND hash = $2 AND rest = $3", listName, first, rest)
		return err
	})
}

// A Suppression is why no mailing goes to an address.
type Suppression struct {
	List   string // empty: every list
	Reason string
	At     time.Time
	Until  time.Time // zero: for good
	Count  int       // of bounces, so far
	Active bool      // the threshold is reached
	Held   bool      // has no effect until it is reviewed
}

// Suppressed returns what is noted against an address.
func (b *Box) Suppressed(ctx context.Context, address string) ([]Suppression, error) {
	first, rest := b.hasher()(address)
	rows, err := b.store.read.QueryContext(ctx, `SELECT list, reason, at, until, count, active, held FROM outbox_suppression
		WHERE hash = $1 AND rest = $2 ORDER BY list`, first, rest)
	type row struct {
		s         Suppression
		at, until int64
	}
	found, err := collect(rows, err, func(r *row) []any {
		return []any{&r.s.List, &r.s.Reason, &r.at, &r.until, &r.s.Count, &r.s.Active, &r.s.Held}
	})
	all := make([]Suppression, len(found))
	for i, r := range found {
		r.s.At, r.s.Until = moment(r.at), moment(r.until)
		all[i] = r.s
	}
	return all, err
}

// A HeldBurst is suppressions of one domain that came in a burst and wait for review.
type HeldBurst struct {
	Domain      string
	Count       int64
	First, Last time.Time
}

// Held returns the domains whose suppressions wait for Release or Discard.
func (b *Box) Held(ctx context.Context) ([]HeldBurst, error) {
	rows, err := b.store.read.QueryContext(ctx, `SELECT provider, count(*), min(at), max(at) FROM outbox_suppression WHERE held = 1
		GROUP BY provider ORDER BY provider`)
	type row struct {
		h           HeldBurst
		first, last int64
	}
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.h.Domain, &r.h.Count, &r.first, &r.last} })
	all := make([]HeldBurst, len(found))
	for i, r := range found {
		r.h.First, r.h.Last = moment(r.first), moment(r.last)
		all[i] = r.h
	}
	return all, err
}

// Release gives a domain's held suppressions their effect: the mailboxes do not exist.
func (b *Box) Release(ctx context.Context, domain string) error {
	return b.review(ctx, "UPDATE outbox_suppression SET held = 0 WHERE held = 1 AND provider = $1", domain)
}

// Discard forgets a domain's held suppressions: its system had a fault.
func (b *Box) Discard(ctx context.Context, domain string) error {
	return b.review(ctx, "DELETE FROM outbox_suppression WHERE held = 1 AND provider = $1", domain)
}

func (b *Box) review(ctx context.Context, query, domain string) error {
	return b.store.begin(ctx, func(t *tx) error {
		n, err := t.exec(ctx, query, domain)
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: nothing of %q is held", ErrUnknown, domain)
		}
		return err
	})
}

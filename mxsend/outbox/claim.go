package outbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
)

// A claim is a process's hold on a slice for a round, by its token.
type claim struct {
	life    *life
	mailing *mailing
	span    span
	token   int64
	todo    []member

	// Guarded by writer.mu. Of todo, the first granted have durable intents, the first used were handed to the client
	// or have a result without it, and durable is how many results are written.
	granted, used, durable int
	hungry                 bool  // waits for intents
	fed                    bool  // wants no more: what is granted from now on is given back at once
	stopped                error // why there will be no more
	signal                 chan struct{}
	cut                    context.CancelFunc // ends what is under way
}

// stop ends the granting of intents; the first reason counts. What is under way has some time to end, unless the slice is
// another's. writer.mu is held.
func (c *claim) stop(reason error) {
	if c.stopped != nil {
		return
	}
	c.stopped = reason
	grace := c.life.b.cfg.StopGrace
	if reason == errLost {
		grace = 0
	}
	time.AfterFunc(grace, c.cut)
	poke(c.signal)
}

// wants is how many more intents the claim may use now. writer.mu is held.
func (c *claim) wants(window int) int {
	if c.stopped != nil {
		return 0
	}
	return max(0, min(len(c.todo), c.used+window)-c.granted)
}

// watermark is what "opened" must be for the first n members to be open.
func (c *claim) watermark(n int) int64 {
	if n == len(c.todo) {
		return c.span.hi
	}
	return c.todo[n].n
}

func newToken() int64 {
	var octets [8]byte
	_, _ = rand.Read(octets[:]) // never fails
	return int64(binary.BigEndian.Uint64(octets[:])>>1) | 1
}

// claim takes some free slice of a mailing, nil if there is none. In the transaction that takes the token, every open intent
// of whoever had the slice before becomes a mail in doubt: for one that ended properly there is none.
func (l *life) claim(ctx context.Context, m *mailing) (c *claim, err error) {
	err = l.b.store.begin(ctx, func(t *tx) error {
		c = &claim{life: l, mailing: m, token: newToken(), signal: make(chan struct{}, 1)}
		// The process must not be buried before its name is on the slice.
		alive, err := t.exec(ctx, "UPDATE outbox_process SET started = started WHERE id = $1", l.id)
		if err != nil {
			return err
		}
		if alive == 0 {
			return errBuried
		}
		s := &c.span
		err = t.QueryRowContext(ctx, `UPDATE outbox_slice SET token = $1, process = $2 WHERE mailing = $3 AND k = (
				SELECT s.k FROM outbox_slice s WHERE s.mailing = $3 AND s.done = 0 AND s.token = 0 AND s.due <= $4
				AND s.k < (SELECT open_slices FROM outbox_mailing WHERE id = $3 AND state = 'running')
				ORDER BY s.k LIMIT 1`+l.b.store.free()+`)
			RETURNING k, lo, hi, opened, round, due`, c.token, l.id, m.id, nowMillis()).
			Scan(&s.k, &s.lo, &s.hi, &s.opened, &s.round, &s.due)
		if err != nil {
			c = nil
			return noRowsIs(err, nil)
		}
		rows, err := t.rows(ctx, m.id, s.lo, s.hi)
		if err != nil {
			return err
		}
		open, todo := s.members(rows)
		c.todo = todo
		return t.doubt(ctx, l, c, open)
	})
	return c, err
}

func (t *tx) rows(ctx context.Context, mailing, lo, hi int64) ([]row, error) {
	found, err := t.QueryContext(ctx, `SELECT n, round, tries, due, outcome, duplicate FROM outbox_result
		WHERE mailing = $1 AND n >= $2 AND n < $3 ORDER BY n`, mailing, lo, hi)
	return collect(found, err, func(r *row) []any { return []any{&r.n, &r.round, &r.tries, &r.due, &r.outcome, &r.duplicate} })
}

// collect reads all rows of a query; into says where the columns of one go.
func collect[T any](rows *sql.Rows, err error, into func(*T) []any) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []T
	for rows.Next() {
		var one T
		if err := rows.Scan(into(&one)...); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

const doubtNote = "the process that sent it ended before the outcome was recorded"

// doubt gives open intents their outcome, by the policy for mail in doubt.
func (t *tx) doubt(ctx context.Context, l *life, c *claim, open []member) error {
	sums := tally{}
	var fresh []record
	for _, m := range open {
		r := record{c, m, result{outcome: InDoubt, at: nowMillis(), tries: m.tries, duplicate: m.duplicate, note: doubtNote}}
		if l.b.cfg.InDoubt == mxsend.InDoubtResend {
			r.result.due, r.result.duplicate = nowMillis(), true
		}
		fresh = append(fresh, r)
	}
	for _, r := range fresh {
		if err := t.writeResult(ctx, r, true, sums); err != nil {
			return err
		}
	}
	return t.add(ctx, l.id, sums)
}

// release gives the slice back. Where the round is over, the next begins when the first of its results is due, and
// where none is, the slice is done.
func (t *tx) release(ctx context.Context, c *claim, whole bool, opened int64) error {
	id, k := c.mailing.id, c.span.k
	if !whole {
		_, err := t.exec(ctx, "UPDATE outbox_slice SET token = 0, process = '', opened = $1 WHERE mailing = $2 AND k = $3 AND token = $4",
			opened, id, k, c.token)
		return err
	}
	var due sql.NullInt64
	err := t.QueryRowContext(ctx, "SELECT min(due) FROM outbox_result WHERE mailing = $1 AND n >= $2 AND n < $3 AND due <> 0",
		id, c.span.lo, c.span.hi).Scan(&due)
	if err != nil {
		return err
	}
	mine, err := t.exec(ctx, `UPDATE outbox_slice SET token = 0, process = '', opened = lo, round = round + 1, due = $1, done = $2
		WHERE mailing = $3 AND k = $4 AND token = $5`, due.Int64, number(!due.Valid), id, k, c.token)
	if err != nil || mine == 0 {
		return err
	}
	return t.advance(ctx, id)
}

// advance moves a running mailing on: where its canary is through, it waits; where everything is, it is done. The sweep
// does it, too, since two last slices may be released at the same time and not see each other.
func (t *tx) advance(ctx context.Context, mailing int64) error {
	_, err := t.exec(ctx, `UPDATE outbox_mailing SET state = 'done', why = '', finished = $2 WHERE id = $1 AND state = 'running'
		AND NOT EXISTS (SELECT 1 FROM outbox_slice WHERE mailing = $1 AND done = 0)`, mailing, nowMillis())
	if err != nil {
		return err
	}
	_, err = t.exec(ctx, `UPDATE outbox_mailing SET state = 'waiting', why = $2,
			go_at = CASE WHEN canary_for = 0 THEN 0 ELSE $3 + canary_for END
		WHERE id = $1 AND state = 'running' AND open_slices < (SELECT count(*) FROM outbox_slice WHERE mailing = $1)
		AND NOT EXISTS (SELECT 1 FROM outbox_slice WHERE mailing = $1 AND done = 0 AND round = 1 AND k < open_slices)`,
		mailing, whyCanary, nowMillis())
	return err
}

const whyCanary = "the canary is through"

func nowMillis() int64 { return time.Now().UnixMilli() }

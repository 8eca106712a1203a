package outbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mxsend/go-mxsend/mxsend"
)

// A Mail is a transactional mail to one recipient: what goes to several is enqueued for each, so that what comes back can be
// told apart.
type Mail struct {
	// Ref makes it idempotent: a Mail whose Ref was enqueued before, whatever else it says, is that mail. "order-4711".
	// Empty: it is another mail each time.
	Ref string
	// To is the recipient's address.
	To string
	// Content is the complete message, header and body.
	Content []byte
	// ReturnPath is the address of MAIL FROM. Empty: one of Config.VERP, by which Record knows the mail.
	ReturnPath string
	// NotAfter is when it is of no use any more, such as a code that has expired. Zero: never.
	NotAfter time.Time
	// RequireTLS and DSN are as in mxsend.Message.
	RequireTLS bool
	DSN        mxsend.DSN
}

// options are the parts of a Mail that are stored as they are.
type options struct {
	RequireTLS bool       `json:"requireTLS,omitempty"`
	DSN        mxsend.DSN `json:"dsn,omitzero"`
}

// ErrTx: what was given to Enqueue is no transaction on the Box's database.
var ErrTx = errors.New("outbox: tx must be a *sql.Tx, or on Postgres a pgx.Tx")

// Enqueue stores a transactional mail in the application's own transaction: it is sent exactly if that is committed, at once and
// never behind a mailing. It returns the mail's id.
//
// The tx is a *sql.Tx or, on Postgres, a pgx.Tx, on the Box's database. bun.Tx and sqlx.Tx embed a *sql.Tx; with GORM it is
// db.Statement.ConnPool.(*sql.Tx). On Postgres use pgx's driver for database/sql; on SQLite begin it on DB.
func (b *Box) Enqueue(ctx context.Context, tx any, m Mail) (int64, error) {
	ids, err := b.EnqueueAll(ctx, tx, []Mail{m})
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// ownRef begins the Ref of a mail that was given none.
const ownRef = "\u00a0"

// enqueueChunk keeps a statement small: SQLite looks up the names of its placeholders one by one, in quadratic time.
const enqueueChunk = 40

// EnqueueAll is Enqueue for many mails, in far fewer statements. It stores all or, where it fails, none: the transaction is then
// to be rolled back.
func (b *Box) EnqueueAll(ctx context.Context, tx any, mails []Mail) (ids []int64, err error) {
	run, err := b.runner(tx)
	if err != nil {
		return nil, err
	}
	for i := range mails {
		if err := mails[i].validate(b.cfg.VERP != nil); err != nil {
			return nil, fmt.Errorf("outbox: mail %d: %w", i, err)
		}
	}
	for len(mails) > 0 {
		part := mails[:min(len(mails), enqueueChunk)]
		mails = mails[len(part):]
		some, err := b.enqueue(ctx, tx, run, part)
		if err != nil {
			return nil, err
		}
		ids = append(ids, some...)
	}
	return ids, nil
}

func (m *Mail) validate(verp bool) error {
	switch {
	case m.To == "":
		return errors.New("To is empty")
	case len(m.To) > 320 || m.To != storable(m.To):
		return errors.New("To is not valid UTF-8, holds NUL, or is longer than 320 octets")
	case m.Ref != storable(m.Ref):
		return errors.New("Ref is not valid UTF-8, holds NUL, or is longer than 500 octets")
	case len(m.Content) == 0:
		return errors.New("Content is empty")
	case m.ReturnPath == "" && !verp:
		return errors.New("it has no ReturnPath, and there is no Config.VERP to make one")
	case m.ReturnPath != storable(m.ReturnPath):
		return errors.New("ReturnPath is not valid UTF-8")
	}
	return nil
}

func (b *Box) enqueue(ctx context.Context, tx any, run runner, mails []Mail) ([]int64, error) {
	const columns = 10
	hash := b.hasher()
	now := nowMillis()
	values := ""
	args := make([]any, 0, columns*len(mails))
	refs := make([]string, len(mails))
	first := map[string]bool{} // of this statement, which must not name a key twice
	for i, m := range mails {
		if refs[i] = m.Ref; m.Ref == "" {
			refs[i] = ownRef + rand.Text()
		}
		if first[refs[i]] {
			continue
		}
		first[refs[i]] = true
		text, err := json.Marshal(options{m.RequireTLS, m.DSN})
		if err != nil {
			return nil, err
		}
		h, _ := hash(m.To)
		if values != "" {
			values += ", "
		}
		values += "(" + placeholders(len(args)+1, columns) + ", '', 0, '', '', 0, 0, 0, '')"
		args = append(args, refs[i], m.To, h, m.ReturnPath, string(text), m.Content, now, millis(m.NotAfter), now, 0)
	}
	known := map[string]int64{}
	fresh := make([]int64, 0, len(mails))
	err := run.query(ctx, func(scan func(...any) error) error {
		var id int64
		var ref string
		err := scan(&id, &ref)
		known[ref] = id
		fresh = append(fresh, id)
		return err
	}, `INSERT INTO outbox_mail (ref, address, hash, return_path, options, content, created, not_after, due, tries,
		process, outcome, relay, queue_id, at, duplicate, back, note) VALUES `+values+` ON CONFLICT (ref) DO NOTHING RETURNING id, ref`, args...)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(mails))
	for i, ref := range refs {
		id, ok := known[ref]
		if !ok { // it was enqueued before
			err := run.query(ctx, func(scan func(...any) error) error { return scan(&id) }, "SELECT id FROM outbox_mail WHERE ref = $1", ref)
			if err != nil {
				return nil, err
			}
			known[ref] = id
		}
		ids[i] = id
	}
	return ids, b.insert.mails(ctx, tx, time.Time{}, fresh...)
}

// A runner asks a query of a transaction of whatever kind.
type runner interface {
	query(ctx context.Context, row func(scan func(...any) error) error, query string, args ...any) error
}

func (b *Box) runner(tx any) (runner, error) {
	switch t := tx.(type) {
	case *sql.Tx:
		if t != nil {
			return sqlRunner{t}, nil
		}
	case pgx.Tx:
		if b.store.postgres() {
			return pgxRunner{t}, nil
		}
	}
	return nil, fmt.Errorf("%w, and is a %T", ErrTx, tx)
}

type sqlRunner struct{ tx *sql.Tx }

func (r sqlRunner) query(ctx context.Context, row func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := r.tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

type pgxRunner struct{ tx pgx.Tx }

func (r pgxRunner) query(ctx context.Context, row func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := r.tx.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

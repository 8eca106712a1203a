package outbox

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A store is the database. All that differs between SQLite and Postgres, but for what is River's, is in this file:
// everything else is one SQL text for both.
type store struct {
	// write is for transactions that write. On SQLite it has a single connection, since there is one writer at a time
	// anyway, and one that waits in Go gets its turn where one that waits in SQLite may starve.
	write *sql.DB
	read  *sql.DB
	pool  *pgxpool.Pool // nil: SQLite
}

func (s *store) postgres() bool { return s.pool != nil }

// openStore opens an SQLite file, or a Postgres database by its URL.
func openStore(ctx context.Context, database string, lease time.Duration) (*store, error) {
	if strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://") {
		return openPostgres(ctx, database, lease)
	}
	// WAL lets readers read beside the writer; FULL has every commit on the disk before it returns.
	options := url.Values{
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)"},
		"_txlock": {"immediate"},
	}
	write, err := sql.Open("sqlite", "file:"+escapePath(database)+"?"+options.Encode())
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	if err := pingSQLite(ctx, write); err != nil {
		_ = write.Close()
		return nil, fmt.Errorf("open %s: %w", database, err)
	}
	options = url.Values{"_pragma": {"busy_timeout(10000)", "query_only(true)"}}
	read, err := sql.Open("sqlite", "file:"+escapePath(database)+"?"+options.Encode())
	if err != nil {
		_ = write.Close()
		return nil, err
	}
	read.SetMaxOpenConns(4)
	return &store{write: write, read: read}, nil
}

// pingSQLite opens the file. Two processes that do so for the first time at once both set its WAL mode, for which SQLite
// does not wait.
func pingSQLite(ctx context.Context, db *sql.DB) error {
	for attempt := 0; ; attempt++ {
		err := db.PingContext(ctx)
		var lite *sqlite.Error
		if err == nil || attempt == 100 || !errors.As(err, &lite) || lite.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// escapePath keeps what would end the path of a file: URL.
func escapePath(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

// openPostgres has the server end a transaction that stands idle for longer than a lease: a process that was suspended
// amid one would hold its locks, and nobody could take over what it had in hand.
func openPostgres(ctx context.Context, database string, lease time.Duration) (*store, error) {
	cfg, err := pgxpool.ParseConfig(database)
	if err != nil {
		return nil, err // pgx masks the password
	}
	cfg.MaxConns = max(cfg.MaxConns, 16)
	cfg.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = strconv.FormatInt(lease.Milliseconds(), 10)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	db := stdlib.OpenDBFromPool(pool)
	return &store{write: db, read: db, pool: pool}, nil
}

func (s *store) close() {
	_ = s.write.Close()
	if s.postgres() {
		s.pool.Close()
		return
	}
	_ = s.read.Close()
}

// A tx is a transaction with the connection it is on.
type tx struct {
	*sql.Tx
	conn *sql.Conn
	pg   bool
}

// begin runs f in a transaction. An error of f rolls it back.
func (s *store) begin(ctx context.Context, f func(*tx) error) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	t, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = t.Rollback() }() // after Commit it does nothing
	if err := f(&tx{t, conn, s.postgres()}); err != nil {
		return err
	}
	return t.Commit()
}

// exec returns how many rows were changed.
func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := t.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// insert adds many rows, by COPY on Postgres. It fails as a whole where a key exists.
func (t *tx) insert(ctx context.Context, table string, columns []string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	if t.pg {
		return t.conn.Raw(func(c any) error {
			_, err := c.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows))
			return err
		})
	}
	return t.insertLite(ctx, table, columns, rows)
}

// insertLite puts many rows into one call, which costs as much as three or four rows do.
func (t *tx) insertLite(ctx context.Context, table string, columns []string, rows [][]any) error {
	const most = 400 // placeholders
	one := "(?" + strings.Repeat(", ?", len(columns)-1) + ")"
	args := make([]any, 0, most)
	for _, each := range []int{max(most/len(columns), 1), 1} {
		if len(rows) < each {
			continue
		}
		statement, err := t.PrepareContext(ctx, "INSERT INTO "+table+" ("+strings.Join(columns, ", ")+") VALUES "+one+strings.Repeat(", "+one, each-1))
		if err != nil {
			return err
		}
		for ; err == nil && len(rows) >= each; rows = rows[each:] {
			args = args[:0]
			for _, row := range rows[:each] {
				args = append(args, row...)
			}
			_, err = statement.ExecContext(ctx, args...)
		}
		if err = errors.Join(err, statement.Close()); err != nil {
			return err
		}
	}
	return nil
}

// placeholders are n of them from $first on.
func placeholders(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", first+i)
	}
	return b.String()
}

// now is the database's clock in SQL, which is the same for every machine.
func (s *store) now() string {
	if s.postgres() {
		return "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
	}
	return "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
}

// free passes over rows that another transaction holds. SQLite has no two writers.
func (s *store) free() string {
	if s.postgres() {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}

// lockSchema has migrations wait for each other. On SQLite a transaction that writes is alone already.
func (s *store) lockSchema(ctx context.Context) (unlock func(), err error) {
	if !s.postgres() {
		return func() {}, nil
	}
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(7835213009)"); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return func() {
		if _, err := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(7835213009)"); err != nil {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // closes it, and with it goes the lock
		}
		_ = conn.Close()
	}, nil
}

// hasTable says whether a table exists where names without a schema are looked up.
func (t *tx) hasTable(ctx context.Context, name string) (bool, error) {
	query := "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = $1"
	if t.pg {
		query = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1"
	}
	var n int
	err := t.QueryRowContext(ctx, query, name).Scan(&n)
	return n > 0, err
}

// ddl fills in what the two systems write differently.
func (t *tx) ddl(text string) string {
	id, packed := "INTEGER PRIMARY KEY AUTOINCREMENT", "WITHOUT ROWID"
	if t.pg {
		id, packed = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", ""
	}
	return strings.NewReplacer("{id}", id, "{packed}", packed).Replace(text)
}

// isDuplicate says whether err is that a key exists.
func isDuplicate(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "23505"
	}
	var lite *sqlite.Error
	return errors.As(err, &lite) && (lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE)
}

// millis and moment turn times into what is stored and back; the zero Time is zero.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// storable is text that both systems take: valid UTF-8 without NUL, at most 500 octets.
func storable(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "�"), "\x00", "�")
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "")
	}
	return text
}

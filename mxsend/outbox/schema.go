package outbox

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// migrations are the versions of the schema, in order. A version that was ever released does not change.
var migrations = []string{schema1}

//go:embed schema.sql
var schema1 string

// ErrNewerSchema: the database was written by a newer version of this package.
var ErrNewerSchema = errors.New("outbox: the database is of a newer version")

// migrate brings the schema, River's first, to this program's version. Any number of processes may do so at once.
func (s *store) migrate(ctx context.Context) error {
	unlock, err := s.lockSchema(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if s.postgres() {
		// Some of River's migrations need those before them to be committed; the lock makes up for the transaction.
		err := s.begin(ctx, func(t *tx) error { _, err := t.version(ctx); return err })
		if err == nil {
			err = migrateRiver(ctx, s, nil)
		}
		if err != nil {
			return err
		}
	}
	return s.begin(ctx, func(t *tx) error {
		version, err := t.version(ctx)
		if err != nil {
			return err
		}
		if !s.postgres() {
			if err := migrateRiver(ctx, s, t); err != nil {
				return err
			}
		}
		for _, migration := range migrations[version:] {
			for statement := range strings.SplitSeq(t.ddl(stripComments(migration)), ";") {
				if strings.TrimSpace(statement) == "" {
					continue
				}
				if _, err := t.ExecContext(ctx, statement); err != nil {
					return fmt.Errorf("outbox: schema: %w", err)
				}
			}
		}
		if version == 0 {
			if _, err := t.ExecContext(ctx, "INSERT INTO outbox_meta (name, value) VALUES ('key', $1)", randomKey()); err != nil {
				return err
			}
		}
		_, err = t.ExecContext(ctx, `INSERT INTO outbox_meta (name, value) VALUES ('version', $1)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, []byte(strconv.Itoa(len(migrations))))
		return err
	})
}

// version is that of the database, 0 where it has no tables of ours. A newer one than this program's is an error.
func (t *tx) version(ctx context.Context) (int, error) {
	exists, err := t.hasTable(ctx, "outbox_meta")
	if err != nil || !exists {
		return 0, err
	}
	var value []byte
	if err := t.QueryRowContext(ctx, "SELECT value FROM outbox_meta WHERE name = 'version'").Scan(&value); err != nil {
		return 0, err
	}
	version, err := strconv.Atoi(string(value))
	if err == nil && version > len(migrations) {
		err = fmt.Errorf("%w: its schema is version %d, this program knows versions up to %d: run a newer program", ErrNewerSchema, version, len(migrations))
	}
	return version, err
}

// stripComments removes what is behind "--", which may hold a semicolon.
func stripComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "--")
		b.WriteString(strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}

// key is the database's own, made with it, for those who set no Config.Key.
func (s *store) key(ctx context.Context) (key []byte, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT value FROM outbox_meta WHERE name = 'key'").Scan(&key)
	return key, err
}

func randomKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
}

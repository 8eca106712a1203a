package outbox

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestConfigThatIsWrong(t *testing.T) {
	cfg := Config{
		Database: t.TempDir() + "/o.db", Gate: -1, Workers: -1, Lease: time.Millisecond, StopGrace: -1, Retry: []time.Duration{0}, Key: []byte("short"),
		UnsubscribeURL: "http://shop.test/u", Suppression: SuppressionPolicy{Threshold: -1}, Retention: Retention{Events: -1, Recipients: map[Outcome]time.Duration{Accepted: -1}},
	}
	_, err := New(t.Context(), cfg)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Gate", "Workers", "Lease", "StopGrace", "Retry", "Key", "UnsubscribeURL", "Suppression", "Events", "accepted"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "short") {
		t.Error("the error shows the key")
	}
	for _, database := range []string{"/no/such/directory/o.db", t.TempDir(), "postgres://nobody:secret@127.0.0.1:1/x?connect_timeout=1", "postgres://%zz"} {
		b, err := New(t.Context(), Config{Database: database})
		if err == nil {
			_ = b.Close()
			t.Errorf("%s: no error", database)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		b := newBox(t, testConfig(t, database, nil))
		if err := b.store.begin(t.Context(), func(x *tx) error {
			_, err := x.exec(t.Context(), "UPDATE outbox_meta SET value = $1 WHERE name = 'version'", []byte("99"))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		_, err := New(t.Context(), Config{Database: database})
		if !errors.Is(err, ErrNewerSchema) || !strings.Contains(err.Error(), "version 99") {
			t.Errorf("got %v", err)
		}
	})
}

func TestLeaseEndsByEitherClock(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name  string
		now   time.Time
		until time.Time
		want  bool
	}{
		{"runs", now, now.Add(time.Second), true},
		{"over", now.Add(time.Second), now.Add(time.Second), false},
		// Without a monotonic reading only the wall clock tells: it went on while the machine was suspended.
		{"suspended", now.Add(time.Hour).Round(0), now.Add(time.Second), false},
		{"wall clock set back", now.Round(0).Add(-time.Hour), now.Add(time.Second), true},
	} {
		if got := leaseHolds(test.now, test.until); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestEnqueueInWhateverTransaction(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		b := newBox(t, testConfig(t, database, nil))
		good := Mail{Ref: "r", To: "jane@example.test", Content: []byte("x")}
		for _, wrong := range []any{nil, "tx", b.DB(), (*struct{})(nil)} {
			if _, err := b.Enqueue(t.Context(), wrong, good); !errors.Is(err, ErrTx) {
				t.Errorf("%T: %v", wrong, err)
			}
		}
		transaction, err := b.DB().BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []Mail{
			{}, {To: "a@b.test"}, {Content: []byte("x")}, {To: "a\x00@b.test", Content: []byte("x")}, {To: "\xff@b.test", Content: []byte("x")},
			{To: "a@b.test", Content: []byte("x"), Ref: strings.Repeat("x", 501)}, {To: "a@b.test", Content: []byte("x"), ReturnPath: "\xff"},
		} {
			if _, err := b.Enqueue(t.Context(), transaction, bad); err == nil {
				t.Errorf("%+v is taken", bad)
			}
		}
		// Many, some of which are one, some are known, with 8-bit content.
		mails := make([]Mail, 100)
		for i := range mails {
			mails[i] = Mail{To: "jane@example.test", Content: []byte("\x00\xff 8-bit")}
		}
		mails[7].Ref, mails[77].Ref = "twice", "twice"
		ids, err := b.EnqueueAll(t.Context(), transaction, mails)
		if err != nil || len(ids) != 100 || ids[7] != ids[77] || ids[7] == ids[8] {
			t.Fatalf("got %v, %v", ids, err)
		}
		if err := transaction.Commit(); err != nil {
			t.Fatal(err)
		}
		if s, err := b.Transactional(t.Context()); err != nil || s.Queued != 99 {
			t.Errorf("got %+v, %v", s, err)
		}
		if !b.store.postgres() {
			return
		}
		conn, err := pgx.Connect(t.Context(), database) // the application's own
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(t.Context()) }()
		for _, commit := range []bool{false, true} {
			native, err := conn.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Enqueue(t.Context(), native, good); err != nil {
				t.Fatal(err)
			}
			if commit {
				err = native.Commit(t.Context())
			} else {
				err = native.Rollback(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.MailByRef(t.Context(), "r"); (err == nil) != commit {
				t.Errorf("committed: %v; found: %v", commit, err)
			}
		}
	})
}

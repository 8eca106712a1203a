package outbox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

var (
	// ErrOtherMailing: the name belongs to a mailing with other values.
	ErrOtherMailing = errors.New("outbox: a mailing of this name exists, with other values")
	// ErrLoading: another process is loading the mailing.
	ErrLoading = errors.New("outbox: the mailing is being loaded by another process")
	// ErrBroken: the list of recipients has broken entries, and Mailing.SkipBroken is not set.
	ErrBroken = errors.New("outbox: the list of recipients has broken entries")
)

// Loaded is what Start has found.
type Loaded struct {
	Recipients int64   // rows of the mailing
	Duplicates int64   // of those, addresses that came before: they are Skipped
	Broken     int64   // entries of the list that are no recipient
	Errors     []error // of those, the first hundred
	// Resumed: the mailing had been started before, and recipients were not read.
	Resumed bool
}

// Start stores a mailing with its recipients and has it sent by whatever process is there for it; it returns when the
// recipients are stored. An error in the sequence is a broken entry, see Mailing.SkipBroken.
//
// A name with the same values that was started before is no error: the mailing goes on as it does. If its loading was
// interrupted, it is loaded anew. With other values it is ErrOtherMailing.
func (b *Box) Start(ctx context.Context, m Mailing, recipients iter.Seq2[Recipient, error]) (Loaded, error) {
	if err := m.validate(); err != nil {
		return Loaded{}, err
	}
	id, fresh, err := b.enter(ctx, m)
	if err != nil {
		return Loaded{}, err
	}
	if !fresh {
		stored, err := b.mailing(ctx, id)
		if err != nil {
			return Loaded{}, err
		}
		return Loaded{Recipients: stored.recipients, Resumed: true}, nil
	}
	l := &loader{b: b, id: id, spec: m, me: b.loaderName()}
	loaded, err := l.load(ctx, recipients)
	if err != nil {
		cleanUp, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
		defer cancel()
		err = errors.Join(err, l.drop(cleanUp))
	}
	return loaded, err
}

func (m *Mailing) validate() error {
	var wrong []error
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf("outbox: "+format, args...)) }
	if m.Name == "" || m.Name != storable(m.Name) || len(m.Name) > 200 {
		bad("Mailing.Name %q: give 1 to 200 octets of text", m.Name)
	}
	if m.List != storable(m.List) {
		bad("Mailing.List %q: give text", m.List)
	}
	if m.Rate < 0 || m.Canary < 0 || m.CanaryFor < 0 || m.AutoPause.Share < 0 || m.AutoPause.Least < 0 {
		bad("Mailing %q: Rate, Canary, CanaryFor and AutoPause are not negative", m.Name)
	}
	if !m.NotAfter.IsZero() && !m.NotAfter.After(m.StartAt) {
		bad("Mailing %q: NotAfter is not after StartAt", m.Name)
	}
	return errors.Join(wrong...)
}

// loaderName is the process that loads, while it lives.
func (b *Box) loaderName() string {
	if l := b.alive(); l != nil {
		return l.id
	}
	return ""
}

// enter makes the mailing's row, or finds it. Fresh is whether it is this process's to load.
func (b *Box) enter(ctx context.Context, m Mailing) (id int64, fresh bool, err error) {
	spec, err := json.Marshal(m)
	if err != nil {
		return 0, false, err
	}
	me := b.loaderName()
	if me == "" {
		return 0, false, errors.New("outbox: the database does not answer")
	}
	err = b.store.begin(ctx, func(t *tx) error {
		created, err := t.exec(ctx, `INSERT INTO outbox_mailing (name, list, spec, state, why, loader, go_at, canary_for, not_after, rate,
			recipients, open_slices, created, finished, base_sent, base_bad, purged)
			VALUES ($1, $2, $3, 'loading', '', $4, 0, $5, $6, $7, 0, 0, $8, 0, 0, 0, 0) ON CONFLICT (name) DO NOTHING`,
			m.Name, m.list(), string(spec), me, m.CanaryFor.Milliseconds(), millis(m.NotAfter), m.Rate, nowMillis())
		if err != nil {
			return err
		}
		var had, loader string
		var state State
		if err := t.QueryRowContext(ctx, "SELECT id, spec, state, loader FROM outbox_mailing WHERE name = $1", m.Name).
			Scan(&id, &had, &state, &loader); err != nil {
			return err
		}
		switch {
		case created > 0:
			fresh = true
			return nil
		case had != string(spec):
			return fmt.Errorf("%w: %q", ErrOtherMailing, m.Name)
		case state != Loading:
			return nil
		}
		// Its loading has not ended. Is who loads it alive?
		taken, err := t.exec(ctx, `UPDATE outbox_mailing SET loader = $1 WHERE id = $2 AND state = 'loading' AND loader = $3
			AND NOT EXISTS (SELECT 1 FROM outbox_process WHERE id = $3 AND until > `+b.store.now()+`)`, me, id, loader)
		if err == nil && taken == 0 {
			err = fmt.Errorf("%w: %q", ErrLoading, m.Name)
		}
		fresh = true
		return err
	})
	return id, fresh, err
}

// A loader stores one mailing's recipients in the order they come, in transactions of some thousand, so that others get
// their turn.
type loader struct {
	b      *Box
	id     int64
	spec   Mailing
	me     string
	rows   [][]any
	hashes []addressLine
	loaded Loaded
}

type addressLine struct {
	hash int64
	line uint32
}

const loadChunk = 5000

func (l *loader) load(ctx context.Context, recipients iter.Seq2[Recipient, error]) (Loaded, error) {
	if err := l.clear(ctx); err != nil {
		return l.loaded, err
	}
	hash := l.b.hasher()
	entry := 0
	for r, err := range recipients {
		entry++
		if err == nil {
			err = r.validate()
		}
		if err != nil {
			l.broken(entry, err)
			continue
		}
		data := ""
		if len(r.Data) > 0 {
			text, err := json.Marshal(r.Data)
			if err != nil {
				l.broken(entry, err)
				continue
			}
			data = string(text)
		}
		first, _ := hash(r.Address)
		l.hashes = append(l.hashes, addressLine{first, uint32(l.loaded.Recipients)})
		l.rows = append(l.rows, []any{l.id, l.loaded.Recipients, r.Address, data})
		l.loaded.Recipients++
		if len(l.rows) == loadChunk {
			if err := l.flush(ctx); err != nil {
				return l.loaded, err
			}
		}
		if ctx.Err() != nil {
			return l.loaded, ctx.Err()
		}
	}
	if l.loaded.Broken > 0 && !l.spec.SkipBroken {
		return l.loaded, fmt.Errorf("%w: %d, the first: %w", ErrBroken, l.loaded.Broken, l.loaded.Errors[0])
	}
	if err := l.flush(ctx); err != nil {
		return l.loaded, err
	}
	if err := l.index(ctx); err != nil {
		return l.loaded, err
	}
	return l.loaded, l.open(ctx)
}

// validate refuses what cannot be stored, or cannot be an address. Whether it is one is decided when mail goes to it.
func (r Recipient) validate() error {
	switch {
	case r.Address == "":
		return errors.New("the address is empty")
	case len(r.Address) > 320 || r.Address != storable(r.Address):
		return errors.New("the address is not valid UTF-8, holds NUL, or is longer than 320 octets")
	}
	for key, value := range r.Data {
		if strings.ContainsRune(key, 0) || strings.ContainsRune(value, 0) {
			return errors.New("a value holds NUL")
		}
	}
	return nil
}

func (l *loader) broken(entry int, err error) {
	l.loaded.Broken++
	if len(l.loaded.Errors) < 100 {
		l.loaded.Errors = append(l.loaded.Errors, fmt.Errorf("entry %d: %w", entry, err))
	}
}

// mine runs f in a transaction if the mailing is still this process's to load.
func (l *loader) mine(ctx context.Context, f func(t *tx) error) error {
	return l.b.store.begin(ctx, func(t *tx) error {
		n, err := t.exec(ctx, "UPDATE outbox_mailing SET loader = loader WHERE id = $1 AND state = 'loading' AND loader = $2", l.id, l.me)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrLoading
		}
		return f(t)
	})
}

func (l *loader) flush(ctx context.Context) error {
	rows := l.rows
	l.rows = l.rows[:0]
	return l.mine(ctx, func(t *tx) error {
		return t.insert(ctx, "outbox_recipient", []string{"mailing", "line", "address", "data"}, rows)
	})
}

// clear removes what an earlier loading has left.
func (l *loader) clear(ctx context.Context) error {
	return l.mine(ctx, func(t *tx) error {
		for _, table := range []string{"outbox_recipient", "outbox_address", "outbox_slice", "outbox_result", "outbox_tally"} {
			if _, err := t.exec(ctx, "DELETE FROM "+table+" WHERE mailing = $1", l.id); err != nil {
				return err
			}
		}
		return nil
	})
}

// drop removes a mailing that could not be loaded, so that its name is free.
func (l *loader) drop(ctx context.Context) error {
	if err := l.clear(ctx); err != nil {
		return err
	}
	return l.mine(ctx, func(t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM outbox_mailing WHERE id = $1", l.id)
		return err
	})
}

// index stores the hashes of the addresses in their order, which costs a tenth of what it does in the order of the list, and
// finds those that come twice.
func (l *loader) index(ctx context.Context) error {
	slices.SortFunc(l.hashes, func(a, b addressLine) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.line, b.line))
	})
	var twice []int64 // lines of equal hashes, but for the first of each
	rows := make([][]any, 0, loadChunk)
	for part := range slices.Chunk(l.hashes, loadChunk) {
		rows = rows[:0]
		for _, h := range part {
			rows = append(rows, []any{l.id, h.hash, int64(h.line)})
		}
		if err := l.mine(ctx, func(t *tx) error {
			return t.insert(ctx, "outbox_address", []string{"mailing", "hash", "line"}, rows)
		}); err != nil {
			return err
		}
	}
	for i := 1; i < len(l.hashes); i++ {
		if l.hashes[i].hash == l.hashes[i-1].hash {
			twice = append(twice, int64(l.hashes[i].line))
		}
	}
	l.hashes = nil
	l.loaded.Duplicates = int64(len(twice))
	order := newShuffle(l.loaded.Recipients, l.id)
	for part := range slices.Chunk(twice, loadChunk) {
		if err := l.mine(ctx, func(t *tx) error {
			rows := make([][]any, len(part))
			for i, line := range part {
				rows[i] = []any{l.id, order.place(line), int64(Skipped), "", "", nowMillis(), 1, 0, 0, 0, "the address comes before in the list"}
			}
			if err := t.insert(ctx, "outbox_result", resultColumns, rows); err != nil {
				return err
			}
			return t.add(ctx, l.me, tally{{l.id, "", Skipped}: int64(len(part))})
		}); err != nil {
			return err
		}
	}
	return nil
}

// open cuts the slices and lets the mailing run.
func (l *loader) open(ctx context.Context) error {
	n := l.loaded.Recipients
	canary := min(int64(l.spec.Canary), n)
	begins := cut(n, canary)
	rows := make([][]any, len(begins))
	first := int64(len(begins)) // slices that may be sent at once
	for k, lo := range begins {
		hi := n
		if k+1 < len(begins) {
			hi = begins[k+1]
		}
		rows[k] = []any{l.id, k, lo, hi, lo, 1, 0, 0, "", 0}
		if canary > 0 && hi == canary {
			first = int64(k + 1)
		}
	}
	state, why, goAt := Running, "", int64(0)
	if l.spec.StartAt.After(time.Now()) {
		state, why, goAt = Waiting, whyStart, millis(l.spec.StartAt)
	}
	return l.mine(ctx, func(t *tx) error {
		if err := t.insert(ctx, "outbox_slice",
			[]string{"mailing", "k", "lo", "hi", "opened", "round", "due", "token", "process", "done"}, rows); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE outbox_mailing SET state = $1, why = $2, go_at = $3, recipients = $4, open_slices = $5, loader = ''
			WHERE id = $6`, string(state), why, goAt, n, first, l.id); err != nil {
			return err
		}
		if state != Running {
			return nil
		}
		if err := t.advance(ctx, l.id); err != nil { // an empty mailing is done
			return err
		}
		return l.b.insert.tickets(ctx, t, l.id, min(len(begins), ticketsEach))
	})
}

const whyStart = "its time has not come"

// ticketsEach is how many tickets a mailing has at most that nobody has taken.
const ticketsEach = 8

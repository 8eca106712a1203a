package outbox

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/verp/bounce"
)

// A RecipientStatus is what became of a mail for one recipient.
type RecipientStatus struct {
	Mailing string // empty: transactional mail
	ID      int64  // of a transactional mail
	Ref     string // its Ref
	Line    int64  // of a mailing: the recipient's place in the list, from 0
	// Address and Data are empty once they were forgotten.
	Address string
	Data    map[string]string
	Outcome Outcome
	// DuplicatePossible: it was sent again after doubt.
	DuplicatePossible bool
	Relay, QueueID    string // for the relay's logs
	At                time.Time
	NextRound         time.Time // zero: the outcome is final, or it is Pending
	Note              string    // the reason, where it was not accepted
	// Returned is what came back so far: bounce.NotABounce for nothing, else bounce.Failed, Delayed, Complaint, AutoReply and
	// so on, with the Category of a bounce.
	Returned   bounce.Kind
	Category   bounce.Category
	ReturnedAt time.Time
}

// A Filter chooses recipients.
type Filter struct {
	// Outcomes: only these. Nil: all.
	Outcomes []Outcome
	// Returned: only those of whom this came back. Zero: all.
	Returned bounce.Kind
}

func (f Filter) matches(s RecipientStatus) bool {
	if f.Returned != 0 && s.Returned != f.Returned {
		return false
	}
	for _, o := range f.Outcomes {
		if o == s.Outcome {
			return true
		}
	}
	return len(f.Outcomes) == 0
}

// Recipients returns a mailing's recipients in the order of sending. It reads them some thousand at a time, so it may go on
// for long without being in anybody's way, and does not show one single moment.
func (b *Box) Recipients(ctx context.Context, name string, f Filter) iter.Seq2[RecipientStatus, error] {
	return func(yield func(RecipientStatus, error) bool) {
		m, err := b.mailingNamed(ctx, name)
		if err != nil {
			yield(RecipientStatus{}, err)
			return
		}
		const part = 2000
		for lo := int64(0); lo < m.recipients; lo += part {
			all, err := b.recipientRange(ctx, m, lo, min(lo+part, m.recipients))
			if err != nil {
				yield(RecipientStatus{}, err)
				return
			}
			for _, one := range all {
				if f.matches(one) && !yield(one, nil) {
					return
				}
			}
		}
	}
}

// recipientRange reads the recipients at places lo … hi−1.
func (b *Box) recipientRange(ctx context.Context, m *mailing, lo, hi int64) ([]RecipientStatus, error) {
	all := make([]RecipientStatus, hi-lo)
	lines := make([]int64, hi-lo)
	at := map[int64]int{}
	for i := range all {
		lines[i] = m.order.line(lo + int64(i))
		at[lines[i]] = i
		all[i] = RecipientStatus{Mailing: m.spec.Name, Line: lines[i]}
	}
	rows, err := b.store.read.QueryContext(ctx, `SELECT n, outcome, duplicate, relay, queue_id, at, due, note, back, category, back_at
		FROM outbox_result WHERE mailing = $1 AND n >= $2 AND n < $3`, m.id, lo, hi)
	type resultRow struct {
		n, at, due, backAt int64
		s                  RecipientStatus
	}
	results, err := collect(rows, err, func(r *resultRow) []any {
		return []any{&r.n, &r.s.Outcome, &r.s.DuplicatePossible, &r.s.Relay, &r.s.QueueID, &r.at, &r.due, &r.s.Note, &r.s.Returned, &r.s.Category, &r.backAt}
	})
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		r.s.Mailing, r.s.Line = m.spec.Name, all[r.n-lo].Line
		r.s.At, r.s.NextRound, r.s.ReturnedAt = moment(r.at), moment(r.due), moment(r.backAt)
		all[r.n-lo] = r.s
	}
	type personRow struct {
		line          int64
		address, data string
	}
	rows, err = b.store.read.QueryContext(ctx, "SELECT line, address, data FROM outbox_recipient WHERE mailing = $1 AND line IN ("+list(lines)+")", m.id)
	people, err := collect(rows, err, func(p *personRow) []any { return []any{&p.line, &p.address, &p.data} })
	if err != nil {
		return nil, err
	}
	for _, p := range people {
		r, err := decodeRecipient(p.address, p.data)
		if err != nil {
			return nil, err
		}
		one := &all[at[p.line]]
		one.Address, one.Data = r.Address, r.Data
	}
	return all, nil
}

// Find returns every mail to an address, mailings first, in the order they were made.
func (b *Box) Find(ctx context.Context, address string) ([]RecipientStatus, error) {
	places, err := b.locate(ctx, address)
	if err != nil {
		return nil, err
	}
	var all []RecipientStatus
	for _, p := range places {
		if p.mailing == 0 {
			one, err := b.Mail(ctx, p.n)
			if err != nil {
				return nil, err
			}
			all = append(all, one)
			continue
		}
		m, err := b.mailing(ctx, p.mailing)
		if err != nil {
			return nil, err
		}
		one, err := b.recipientRange(ctx, m, p.n, p.n+1)
		if err != nil {
			return nil, err
		}
		all = append(all, one...)
	}
	return all, nil
}

// A place is where an address is in the ledger.
type place struct{ mailing, n, line int64 }

// locate finds an address by its hash, and then looks whether it is the one.
func (b *Box) locate(ctx context.Context, address string) ([]place, error) {
	first, _ := b.hasher()(address)
	type row struct {
		place
		recipients int64
		address    string
	}
	rows, err := b.store.read.QueryContext(ctx, `SELECT m.id, r.line, m.recipients, r.address FROM outbox_mailing m
		JOIN outbox_address a ON a.mailing = m.id AND a.hash = $1
		JOIN outbox_recipient r ON r.mailing = a.mailing AND r.line = a.line ORDER BY m.id, r.line`, first)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.mailing, &r.line, &r.recipients, &r.address} })
	if err != nil {
		return nil, err
	}
	var places []place
	for _, r := range found {
		if strings.EqualFold(r.address, address) && r.line < r.recipients {
			r.n = newShuffle(r.recipients, r.mailing).place(r.line)
			places = append(places, r.place)
		}
	}
	rows, err = b.store.read.QueryContext(ctx, "SELECT 0, id, 0, 0, address FROM outbox_mail WHERE hash = $1 ORDER BY id", first)
	found, err = collect(rows, err, func(r *row) []any { return []any{&r.mailing, &r.n, &r.line, &r.recipients, &r.address} })
	for _, r := range found {
		if strings.EqualFold(r.address, address) {
			places = append(places, r.place)
		}
	}
	return places, err
}

// Mail returns what became of a transactional mail, by the id that Enqueue returned.
func (b *Box) Mail(ctx context.Context, id int64) (RecipientStatus, error) {
	return b.oneMail(ctx, "id = $1", id)
}

// MailByRef returns what became of a transactional mail, by its Ref.
func (b *Box) MailByRef(ctx context.Context, ref string) (RecipientStatus, error) {
	return b.oneMail(ctx, "ref = $1", ref)
}

func (b *Box) oneMail(ctx context.Context, which string, arg any) (s RecipientStatus, err error) {
	var at, due, backAt int64
	err = b.store.read.QueryRowContext(ctx, `SELECT id, ref, address, outcome, duplicate, relay, queue_id, at, due, note, back, category, back_at
		FROM outbox_mail WHERE `+which, arg).
		Scan(&s.ID, &s.Ref, &s.Address, &s.Outcome, &s.DuplicatePossible, &s.Relay, &s.QueueID, &at, &due, &s.Note, &s.Returned, &s.Category, &backAt)
	if err != nil {
		return s, noRowsIs(err, fmt.Errorf("%w: there is no mail %v", ErrUnknown, arg))
	}
	s.At, s.ReturnedAt = moment(at), moment(backAt)
	if s.Outcome != Pending {
		s.NextRound = moment(due)
	}
	if strings.HasPrefix(s.Ref, ownRef) {
		s.Ref = ""
	}
	return s, nil
}

// Export writes the recipients as CSV, with a head: line, address, outcome, duplicate possible, relay, queue id, time, note,
// what came back, its category and time.
func (b *Box) Export(ctx context.Context, name string, f Filter, w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"line", "address", "outcome", "duplicate_possible", "relay", "queue_id", "at", "note", "returned", "category", "returned_at"}); err != nil {
		return err
	}
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	for r, err := range b.Recipients(ctx, name, f) {
		if err != nil {
			return err
		}
		kind, category := "", ""
		if r.Returned != bounce.NotABounce {
			kind, category = r.Returned.String(), r.Category.String()
		}
		if err := out.Write([]string{strconv.FormatInt(r.Line, 10), r.Address, r.Outcome.String(), strconv.FormatBool(r.DuplicatePossible), r.Relay, r.QueueID,
			stamp(r.At), r.Note, kind, category, stamp(r.ReturnedAt)}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

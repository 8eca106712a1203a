package outbox

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/verp/bounce"
)

// Record notes what came back in the ledger, and counts it against the address where it is genuine: it is a Handle for
// bounce.Receiver. An event is counted once, by its Key, however often it comes, and completely or, where an error is returned,
// not at all: the relay that brought it then tries again.
//
// An event joins a recipient by the token in its return path. One that is not of the outbox, or of a recipient that was forgotten,
// is nil and noted nowhere. What is not genuine (bounce.Valid) is noted neither.
func (b *Box) Record(ctx context.Context, e bounce.Event) error {
	if e.Verdict != bounce.Valid || e.Report == nil || e.Key == "" {
		return nil
	}
	id, ok := e.Token.Uint64()
	if !ok {
		return nil
	}
	returned := classify(e.Report)
	if returned.kind == bounce.NotABounce {
		return nil
	}
	mailing, n := int64(id>>32), int64(id&0xffffffff)
	for wait := 20 * time.Millisecond; ; wait *= 2 {
		err := b.recordOne(ctx, e.Key, mailing, n, returned)
		if !errors.Is(err, errNotYet) || wait > time.Second || ctx.Err() != nil {
			return err
		}
		sleep(ctx, wait)
	}
}

// errNotYet: a bounce has overtaken the result of the mail that it is about.
var errNotYet = errors.New("outbox: the outcome of this mail is not recorded yet; try again later")

func (b *Box) recordOne(ctx context.Context, eventKey string, mailing, n int64, returned returned) error {
	now := time.Now()
	return b.store.begin(ctx, func(t *tx) error {
		where, known, err := t.recipientOf(ctx, mailing, n)
		if err != nil || !known {
			return err
		}
		fresh, err := t.exec(ctx, `INSERT INTO outbox_event (key, mailing, n, back, category, at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (key) DO NOTHING`, storable(eventKey), mailing, n, int64(returned.kind), int64(returned.category), now.UnixMilli())
		if err != nil || fresh == 0 {
			return err
		}
		// A graver report replaces a lesser one: a bounce a warning, never the other way round.
		table, key := "outbox_result", "mailing = $4 AND n = $5"
		if mailing == 0 {
			table, key = "outbox_mail", "$4 = 0 AND id = $5"
		}
		noted, err := t.exec(ctx, "UPDATE "+table+" SET back_at = CASE WHEN back <= $1 THEN $3 ELSE back_at END, category = CASE WHEN back <= $1 THEN $2 ELSE category END, back = CASE WHEN back <= $1 THEN $1 ELSE back END WHERE "+key,
			int64(returned.kind), int64(returned.category), now.UnixMilli(), mailing, n)
		if err != nil {
			return err
		}
		if noted == 0 {
			return errNotYet // and the transaction with the event is rolled back
		}
		if _, err := t.exec(ctx, `INSERT INTO outbox_returned (mailing, hour, back, category, bad, count) VALUES ($1, $2, $3, $4, $5, 1)
			ON CONFLICT (mailing, hour, back, category, bad) DO UPDATE SET count = outbox_returned.count + 1`,
			mailing, now.Truncate(time.Hour).UnixMilli(), int64(returned.kind), int64(returned.category), number(returned.permanent)); err != nil {
			return err
		}
		if where.address == "" {
			return nil
		}
		first, rest := b.hasher()(where.address)
		switch {
		case returned.kind == bounce.Complaint && mailing != 0:
			return t.suppress(ctx, b.cfg.Suppression, where.list, first, rest, provider(where.address), ReasonComplaint)
		case returned.permanent && returned.category.Hard():
			return t.suppress(ctx, b.cfg.Suppression, everyList, first, rest, provider(where.address), ReasonBounce)
		}
		return nil
	})
}

// A returned report is what counts of it. VERP mail has one recipient; a report that names more says the gravest of them.
type returned struct {
	kind      bounce.Kind
	category  bounce.Category
	permanent bool
}

func classify(report *bounce.Report) returned {
	r := returned{kind: report.Kind, category: bounce.None}
	if report.Kind == bounce.Complaint && strings.EqualFold(report.FeedbackType, "not-spam") {
		r.kind = bounce.NotABounce
	}
	if r.kind != bounce.Failed && r.kind != bounce.Delayed {
		return r
	}
	r.category = bounce.Undetermined
	for i, recipient := range report.Recipients {
		hard := recipient.Permanent && recipient.Category.Hard()
		if i == 0 || hard && !r.category.Hard() {
			r.category = recipient.Category
			r.permanent = r.kind == bounce.Failed && recipient.Permanent
		}
	}
	return r
}

// whose is a recipient that an event is about.
type whose struct{ address, list string }

// recipientOf finds whom a token names. One that was forgotten has no address; one that the ledger never had is not known.
func (t *tx) recipientOf(ctx context.Context, mailing, n int64) (w whose, known bool, err error) {
	if mailing == 0 {
		err = t.QueryRowContext(ctx, "SELECT address FROM outbox_mail WHERE id = $1", n).Scan(&w.address)
		return w, err == nil, noRowsIs(err, nil)
	}
	m, err := scanMailing(t.QueryRowContext(ctx, "SELECT "+mailingColumns+" FROM outbox_mailing WHERE id = $1", mailing))
	if err != nil || n >= m.recipients {
		return w, false, noRowsIs(err, nil)
	}
	w.list = m.spec.list()
	err = t.QueryRowContext(ctx, "SELECT address FROM outbox_recipient WHERE mailing = $1 AND line = $2", mailing, m.order.line(n)).Scan(&w.address)
	return w, true, noRowsIs(err, nil)
}

package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
)

// A Draft is what Config.Render makes a message of.
type Draft struct {
	Mailing   Mailing
	Recipient Recipient
	// ReturnPath and MessageID carry the recipient's place in the ledger, so that what comes back finds it. Empty without
	// Config.VERP.
	ReturnPath, MessageID string
	// Unsubscribe is the recipient's link, for List-Unsubscribe (RFC 8058) and the text. Empty without
	// Config.UnsubscribeURL.
	Unsubscribe string
	// FeedbackID is for the field of that name, by which providers sort complaints.
	FeedbackID string
}

// mailRef names a mail in logs and receipts: its mailing's number, 0 for transactional mail, and its own.
func mailRef(mailing, n int64) string { return fmt.Sprintf("%d/%d", mailing, n) }

// compose makes the message for a member, or says with what result it ends without one. A context that ends meanwhile makes the
// result void.
func (l *life) compose(ctx context.Context, m *mailing, one member, p person) (*mxsend.Message, result) {
	b := l.b
	end := func(o Outcome, note string) (*mxsend.Message, result) {
		return nil, result{outcome: o, at: nowMillis(), tries: one.tries, duplicate: one.duplicate, note: storable(note)}
	}
	switch {
	case p.Address == "":
		return end(Skipped, "the recipient was forgotten")
	case p.suppressed != "":
		return end(Skipped, "suppressed: "+p.suppressed)
	}
	if b.cfg.Skip != nil {
		reason, err := guarded(func() (string, error) { return b.cfg.Skip(ctx, m.spec, p.Recipient), nil })
		if err != nil {
			return end(Rejected, err.Error())
		}
		if reason != "" {
			return end(Skipped, reason)
		}
	}
	message, err := b.render(ctx, m, one.n, p.Recipient)
	if err != nil {
		return end(Rejected, "not rendered: "+strings.ReplaceAll(err.Error(), p.Address, "<address>"))
	}
	return message, result{}
}

// render has the application make the message, and fills in what it has left to the outbox.
func (b *Box) render(ctx context.Context, m *mailing, n int64, r Recipient) (*mxsend.Message, error) {
	if b.cfg.Render == nil {
		return nil, errors.New("Config.Render is nil")
	}
	draft, err := b.draft(m, n, r)
	if err != nil {
		return nil, err
	}
	message, err := guarded(func() (*mxsend.Message, error) { return b.cfg.Render(ctx, draft) })
	switch {
	case err != nil:
		return nil, err
	case message == nil:
		return nil, errors.New("Render returned no message and no error")
	case len(message.Recipients) > 1 || len(message.Recipients) == 1 && message.Recipients[0] != r.Address:
		return nil, errors.New("Render returned a message to somebody else")
	}
	own := *message // which may be one that Render returns to others, too
	own.Recipients = []string{r.Address}
	own.Ref = mailRef(m.id, n)
	own.Lane = mxsend.Bulk
	if own.ReturnPath == "" {
		own.ReturnPath = draft.ReturnPath
	}
	return &own, nil
}

func (b *Box) draft(m *mailing, n int64, r Recipient) (d Draft, err error) {
	d = Draft{Mailing: m.spec, Recipient: r, FeedbackID: fmt.Sprintf("%d:%s:mxsend", m.id, feedbackName(m.spec.list()))}
	if b.cfg.VERP != nil {
		id := ledgerID(m.id, n)
		if d.ReturnPath, err = b.cfg.VERP.Encode(id); err != nil {
			return d, err
		}
		if d.MessageID, err = b.cfg.VERP.MessageID(id); err != nil {
			return d, err
		}
	}
	if b.cfg.UnsubscribeURL != "" {
		d.Unsubscribe = b.unsubscribeLink(m, r.Address)
	}
	return d, nil
}

// feedbackName keeps what may stand in a field of Feedback-ID, whose fields colons part.
func feedbackName(list string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, list)
}

// guarded turns a panic of the application's function into an error.
func guarded[T any](f func() (T, error)) (value T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}

// Preview renders a mailing for a recipient, sends the message to another address in the Transactional lane, and waits for the
// outcome, as mxsend's Send. The mailing need not be started, and nothing of it is stored. What comes back is joined to
// nobody.
func (b *Box) Preview(ctx context.Context, m Mailing, r Recipient, to string) (mxsend.Receipt, error) {
	if b.cfg.Client == nil {
		return mxsend.Receipt{}, errors.New("outbox: Preview needs Config.Client")
	}
	if err := m.validate(); err != nil {
		return mxsend.Receipt{}, err
	}
	message, err := b.render(ctx, &mailing{spec: m}, 0, r)
	if err != nil {
		return mxsend.Receipt{}, fmt.Errorf("outbox: preview of %q: %w", m.Name, err)
	}
	message.Recipients = []string{to}
	message.Lane = mxsend.Transactional
	message.Ref = "preview " + time.Now().UTC().Format(time.DateTime)
	return b.cfg.Client.Send(ctx, message)
}

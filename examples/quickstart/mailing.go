package main

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/examples/internal/bar"
	"github.com/mxsend/go-mxsend/mxsend"
)

// A mailing is the bulk mail and the transactional trickle beside it, with what became of each.
type mailing struct {
	w          *world
	template   *template
	recipients []recipient

	mu     sync.Mutex
	sent   []submission // guarded by mu
	failed error        // guarded by mu: a mail could not be composed
}

// A submission is one mail that was handed to the client, and its outcome.
type submission struct {
	id         uint64
	address    string
	returnPath string
	lane       mxsend.Lane
	outcome    mxsend.Outcome
	relay      string
	queueID    string
	took       time.Duration // of Send
}

func (w *world) newMailing(t *template, recipients []recipient) *mailing {
	return &mailing{w: w, template: t, recipients: recipients}
}

// send submits everything.
func (m *mailing) send(ctx context.Context, b *bar.Bar) error {
	trickleCtx, stop := context.WithCancel(ctx)
	trickle := make(chan struct{})
	go func() {
		defer close(trickle)
		m.trickle(trickleCtx)
	}()
	done := 0
	for result := range m.w.client.SendAll(ctx, m.messages()) {
		m.note(result.Message, result.Receipt, mxsend.Bulk, 0)
		if done++; done == len(m.recipients)/2 {
			m.w.halfway(b.Say)
		}
		b.Show(done)
	}
	stop()
	<-trickle
	b.End()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed == nil && ctx.Err() != nil {
		return fmt.Errorf("interrupted after %d of %d mails", done, len(m.recipients))
	}
	return m.failed
}

// messages composes the bulk mails, one at a time, as the client asks for them.
func (m *mailing) messages() iter.Seq[*mxsend.Message] {
	return func(yield func(*mxsend.Message) bool) {
		for _, r := range m.recipients {
			message, err := m.template.compose(m.w.codecs[mxsend.Bulk], r, time.Now())
			if err != nil {
				m.mu.Lock()
				m.failed = fmt.Errorf("mail %d: %w", r.id, err)
				m.mu.Unlock()
				return
			}
			if !yield(message) {
				return
			}
		}
	}
}

// trickle sends transactional mail, as somebody's order confirmations beside the mailing, until its context ends.
func (m *mailing) trickle(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := uint64(1); ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		id := uint64(len(m.recipients)) + i
		to := fmt.Sprintf("customer%d@company.test", i)
		if i%8 == 0 {
			to = fmt.Sprintf("gone-customer%d@bigmail.test", i) // mistyped, and comes back to the lane's own return path
		}
		message, err := m.template.compose(m.w.codecs[mxsend.Transactional], recipient{id, "Customer", to}, time.Now())
		if err != nil {
			return
		}
		begin := time.Now()
		receipt, _ := m.w.client.Send(context.WithoutCancel(ctx), message) // its error says no more than the receipt
		m.note(message, receipt, mxsend.Transactional, time.Since(begin))
	}
}

func (m *mailing) note(message *mxsend.Message, receipt mxsend.Receipt, lane mxsend.Lane, took time.Duration) {
	var id uint64
	_, _ = fmt.Sscanf(receipt.Ref, "recipient %d", &id)
	r := receipt.Recipients[0]
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = append(m.sent, submission{id, r.Address, message.ReturnPath, lane, r.Outcome, r.Relay, r.QueueID, took})
}

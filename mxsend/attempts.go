package mxsend

import (
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpsession"
)

// What was tried for a message, as its receipt and the Observer are told.

const maxAttempts = 16

func (e *entry) attempted(a Attempt) {
	e.tried = true
	if len(e.receipt.Attempts) < maxAttempts {
		e.receipt.Attempts = append(e.receipt.Attempts, a)
	}
}

// noteAnswered records a transaction that was answered to its end. failure is what was
// made of the reply that refused it; nil: it was accepted.
func (c *conn) noteAnswered(e *entry, t *smtpsession.Transaction, failure *Error, now time.Time) {
	if failure == nil {
		c.noteAttempt(e, t, stageOf(t.Stage()), newReply(t.Reply()), nil, now)
		return
	}
	own := *failure
	own.Outcome = Deferred
	c.noteAttempt(e, t, failure.Stage, failure.Reply, &own, now)
}

// noteUnfinished records a transaction that ended without its last reply, if it
// had begun.
func (c *conn) noteUnfinished(e *entry, t *smtpsession.Transaction, failure *Error, now time.Time) {
	if t.Begun() {
		c.noteAttempt(e, t, failure.Stage, failure.Reply, failure, now)
	}
}

func (c *conn) noteAttempt(e *entry, t *smtpsession.Transaction, stage Stage, reply Reply, err error, now time.Time) {
	c.client.note(e, Attempt{Relay: c.relay.name, TLS: c.secured, Stage: stage, Reply: reply, Err: err, Start: t.Start(), Duration: now.Sub(t.Start())})
}

// noteFailedOpening enters a connection that could not be opened in the receipts
// of those that waited for it.
func (c *Client) noteFailedOpening(cn *conn, failure *Error, now time.Time) {
	for e := c.lane(cn.lane).queue.head; e != nil; e = e.next {
		c.noteWait(e, cn, failure, cn.secured, now)
	}
}

// noteWait enters in an entry's receipt that it waited for a connection in vain.
func (c *Client) noteWait(e *entry, cn *conn, failure *Error, secured bool, now time.Time) {
	if e.awaits.IsZero() {
		return
	}
	start := cn.opening
	if start.Before(e.awaits) {
		start = e.awaits
	}
	c.note(e, Attempt{Relay: failure.Relay, TLS: secured, Stage: failure.Stage, Reply: failure.Reply, Err: failure, Start: start, Duration: now.Sub(start)})
}

// note enters an attempt in the receipt and tells the Observer.
func (c *Client) note(e *entry, a Attempt) {
	e.attempted(a)
	if f := c.cfg.Observer.Attempted; f != nil {
		ctx, ref, lane := e.ctx, e.receipt.Ref, e.lane
		c.after(func() { f(ctx, ref, lane, a) })
	}
}

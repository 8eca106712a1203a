package mxsend

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// An entry is a message on its way: queued, on a connection (envelope, content,
// committed), waiting for its next round, or done. Client.mu guards it, but for
// the fields set by prepare, which nobody changes afterwards.
type entry struct {
	// Set by prepare.
	msg        *Message
	lane       Lane
	returnPath smtpwire.Mailbox
	rcpts      []rcpt
	header     []byte // what the signer put in front
	content    []byte // with CRLF line ends; Message.Content itself where that has them
	size       int64  // of header and content
	dots       bool   // a line of them begins with a dot
	ownNeed    need   // of the message, whoever its recipients are

	// Where it is.
	list       *entryList // queue or waiting
	prev, next *entry
	conn       *conn  // that has it in a slot
	cancelled  error  // why, where it was
	timer      *round // of its round; nil: none is set
	rounds     *schedule

	// What became of it so far.
	receipt   Receipt
	pending   int    // recipients without outcome
	tried     bool   // a connection was tried for it
	poolFails uint64 // of its pool when it was queued
	avoid     []int  // ids of the relays that had their turn in this round
	shunned   int    // so many of them, the first, had it in the last one
	localErr  *Error // why it was refused before any relay
	free      int    // requeued at no cost so often
	// complained: a relay answered the final dot as if it meant the grouping of
	// commands; the next one that does means the message.
	complained bool
	awaits     time.Time // since when a connection is being opened for it; zero: none is

	ctx  context.Context // of the call that submitted it, for the Observer
	run  *run            // of SendAll; nil for Send
	done chan struct{}   // of Send: receives one when every recipient has its outcome

	oneRcpt   [1]rcpt
	oneResult *oneResult
}

// A rcpt is a recipient's state between transactions.
type rcpt struct {
	mailbox  smtpwire.Mailbox
	settled  bool
	paused   bool   // until the next round
	pausedBy int    // id of the relay for whose sake
	refusals int    // by relays that may have meant this client
	resent   bool   // after doubt: whatever comes now, the first copy may be there
	last     *Error // why it is still pending
}

// oneResult is the memory of the common receipt, in one piece.
type oneResult struct {
	recipients [1]RecipientResult
	attempts   [1]Attempt
}

// pauseFor has the recipient wait for its next round, which had better not begin at
// that relay.
func (to *rcpt) pauseFor(r *relay) { to.paused, to.pausedBy = true, r.candidate().id }

// beginRound opens every relay to the entry again, but for those that had it wait:
// they come last.
func (e *entry) beginRound() {
	e.avoid = e.avoid[:0]
	for i := range e.rcpts {
		to := &e.rcpts[i]
		if to.paused && !to.settled && !slices.Contains(e.avoid, to.pausedBy) {
			e.avoid = append(e.avoid, to.pausedBy)
		}
		to.paused = false
	}
	e.shunned = len(e.avoid)
}

// forgive opens the relays that the round began without, and says whether there are
// any.
func (e *entry) forgive() bool {
	some := e.shunned > 0
	e.avoid = slices.Delete(e.avoid, 0, e.shunned)
	e.shunned = 0
	return some
}

func (e *entry) avoidRelay(r *relay) {
	id := r.candidate().id
	for _, a := range e.avoid {
		if a == id {
			return
		}
	}
	e.avoid = append(e.avoid, id)
}

func newEntry() any { return &entry{done: make(chan struct{}, 1)} }

// release gives the entry's memory back. Nobody may hold it any more.
func (c *Client) release(e *entry) {
	*e = entry{done: e.done, avoid: e.avoid[:0]}
	c.entries.Put(e)
}

// addRecipients makes room for the outcome of each recipient.
func (e *entry) addRecipients(addresses []string) {
	e.pending = len(addresses)
	if len(addresses) == 1 {
		e.oneResult = new(oneResult)
		e.receipt.Recipients = e.oneResult.recipients[:]
		e.receipt.Attempts = e.oneResult.attempts[:0]
		e.rcpts = e.oneRcpt[:]
	} else {
		e.receipt.Recipients = make([]RecipientResult, len(addresses))
		e.rcpts = make([]rcpt, len(addresses))
	}
	for i, a := range addresses {
		e.receipt.Recipients[i].Address = a
	}
}

// ready says whether the recipient may be tried now.
func (to *rcpt) ready() bool { return !to.settled && !to.paused }

// ready says whether any recipient may be tried now.
func (e *entry) ready() bool {
	for i := range e.rcpts {
		if e.rcpts[i].ready() {
			return true
		}
	}
	return false
}

func (e *entry) want(now time.Time, mayOpen bool) want {
	return want{lane: e.lane, need: e.need(), size: e.size, avoid: e.avoid, mayOpen: mayOpen, now: now}
}

// outcome is what Send and SendAll return of an entry.
func (e *entry) outcome() (Receipt, error) {
	if len(e.receipt.Recipients) == 0 {
		return e.receipt, noRecipients(e)
	}
	return e.receipt, e.receipt.err()
}

// noRecipients is the error of a message that nobody was to get.
func noRecipients(e *entry) error {
	if e.localErr != nil {
		return e.localErr
	}
	return &Error{Outcome: Rejected, Stage: StageLocal, Err: fmt.Errorf("%w: Message.Recipients is empty", ErrInvalidMessage)}
}

// A schedule is an entry's, by Config.Retry. That is the user's code, which may take
// long or call back, so a goroutine asks it with no lock held: one question at a
// time, since a backoff.BackOff is for one goroutine. Close does not wait for it.
type schedule struct {
	rounds backoff.BackOff // the asker's; nil: not made yet

	// Client.mu guards these.
	asking bool
	asked  *round // that waits for the answer
	waits  int    // that it gave
}

// A round is the clock of an entry. It lets go of the entry when it is stopped,
// since by the time it rings the entry's memory may be another message's.
type round struct {
	entry *entry
	timer *time.Timer // nil until the schedule has answered
}

func (e *entry) stopTimer() {
	if e.timer == nil {
		return
	}
	if e.timer.timer != nil {
		e.timer.timer.Stop()
	}
	e.timer.entry, e.timer = nil, nil
}

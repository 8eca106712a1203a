package mxsend

import (
	"errors"
	"fmt"
	"slices"
	"time"

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

	run  *run          // of SendAll; nil for Send
	done chan struct{} // of Send: receives one when every recipient has its outcome

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

const maxAttempts = 16

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

// refuse gives every pending recipient its outcome before any relay: Rejected, or
// NotAttempted where only signing failed, and not for the message's sake.
func (e *entry) refuse(err error) *entry {
	failure := &Error{Outcome: Rejected, Stage: StageLocal, Err: fmt.Errorf("%w: %w", ErrInvalidMessage, err)}
	if s, ok := err.(*signError); ok && !s.Permanent() {
		failure.Outcome, failure.Err = NotAttempted, err
	}
	for i := range e.rcpts {
		e.settle(i, failure, "")
	}
	e.localErr = failure
	return e
}

// settle gives recipient i its outcome, once and for all.
func (e *entry) settle(i int, err *Error, relay string) {
	if e.rcpts[i].settled {
		return
	}
	e.rcpts[i].settled = true
	e.pending--
	r := &e.receipt.Recipients[i]
	r.DuplicatePossible = e.rcpts[i].resent
	if r.DuplicatePossible && err.Outcome != InDoubt {
		doubt := *err
		doubt.Outcome, doubt.Err = InDoubt, errors.Join(errFirstCopy, err.Err)
		err = &doubt
	}
	r.Outcome, r.Err, r.Relay = err.Outcome, err, relay
}

var errFirstCopy = errors.New("sent again after doubt and not accepted; the first copy may have been")

// accept gives recipient i the outcome Accepted.
func (e *entry) accept(i int, relay, queueID string) {
	if e.rcpts[i].settled {
		return
	}
	e.rcpts[i].settled = true
	e.pending--
	r := &e.receipt.Recipients[i]
	r.Outcome, r.Relay, r.QueueID = Accepted, relay, queueID
	r.DuplicatePossible = e.rcpts[i].resent
}

// settleRest gives every pending recipient an outcome of the same error.
func (e *entry) settleRest(err *Error) {
	for i := range e.rcpts {
		e.settle(i, err, err.Relay)
	}
}

func (e *entry) attempted(a Attempt) {
	e.tried = true
	if len(e.receipt.Attempts) < maxAttempts {
		e.receipt.Attempts = append(e.receipt.Attempts, a)
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

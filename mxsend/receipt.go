package mxsend

import (
	"errors"
	"slices"
	"time"
)

// An Outcome is what became of a message for one recipient. Every recipient
// that was submitted gets exactly one.
type Outcome uint8

const (
	// NotAttempted: no connection was tried for it.
	NotAttempted Outcome = iota
	// Accepted: a relay gave a complete 2yz reply to the final dot.
	Accepted
	// Rejected: refused for good. By a relay, if Error.Reply says so; else by the
	// Client itself, before anything of the message was sent: ErrInvalidMessage,
	// ErrNotAllowed or ErrLacksExtension. A relay's refusal that is ErrRelayRefused is
	// about the return path. What is left says that this recipient, or this message,
	// is not wanted.
	Rejected
	// Deferred: tried, and provably not accepted. It may be submitted again.
	Deferred
	// InDoubt: all of it was handed over, and no complete reply came. A relay
	// may have accepted it. Submitting it again may deliver it twice.
	InDoubt
)

// String returns the outcome's name in lower case, as in "in doubt".
func (o Outcome) String() string {
	switch o {
	case NotAttempted:
		return "not attempted"
	case Accepted:
		return "accepted"
	case Rejected:
		return "rejected"
	case Deferred:
		return "deferred"
	case InDoubt:
		return "in doubt"
	}
	return "unknown outcome"
}

// A Receipt says what became of a message.
type Receipt struct {
	Ref        string            // the Message's
	Recipients []RecipientResult // one for each of Message.Recipients, in their order
	Attempts   []Attempt         // what was tried, oldest first; at most 16 are kept
}

// clone returns a copy that shares nothing that can be changed.
func (r *Receipt) clone() Receipt {
	return Receipt{Ref: r.Ref, Recipients: slices.Clone(r.Recipients), Attempts: slices.Clone(r.Attempts)}
}

// A RecipientResult is the outcome for one recipient.
type RecipientResult struct {
	Address string // as in Message.Recipients
	Outcome Outcome
	Relay   string // the relay that gave the outcome; empty if none did
	QueueID string // of the relay, where its reply shows one; for its logs
	Err     error  // an *Error unless Accepted
	// DuplicatePossible is set where the message was sent again after doubt
	// (InDoubtResend).
	DuplicatePossible bool
}

// An Attempt is one transaction that was begun for the message, or one connection
// that it waited for and that could not be used (Stage is TLS, AUTH or one before
// then, Start when the message began to wait for it). A connection that was still
// being opened when the message was given up counts, too.
type Attempt struct {
	Relay    string
	TLS      bool  // over TLS; false: in clear
	Stage    Stage // how far it got
	Reply    Reply // the deciding one; zero where none came
	Err      error // nil where the final dot was answered 2yz
	Start    time.Time
	Duration time.Duration
}

// A Result is one message of SendAll with its Receipt. Err is nil exactly when
// every recipient was Accepted, as that of Send.
type Result struct {
	Message *Message
	Receipt Receipt
	Err     error
}

// Accepted counts the recipients with that outcome; Count does so for any.
func (r *Receipt) Accepted() int { return r.Count(Accepted) }

// Count returns how many recipients have the outcome.
func (r *Receipt) Count(o Outcome) int {
	n := 0
	for i := range r.Recipients {
		if r.Recipients[i].Outcome == o {
			n++
		}
	}
	return n
}

// err joins the errors of the recipients that were not accepted, each different
// one once.
func (r *Receipt) err() error {
	var errs []error
	for i := range r.Recipients {
		e := r.Recipients[i].Err
		if e == nil || len(errs) > 0 && errs[len(errs)-1] == e {
			continue
		}
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

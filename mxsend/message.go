package mxsend

import "context"

// A Lane is one of the two queues of a Client. Transactional mail never waits
// behind Bulk: it has connections reserved for it and is matched to a relay
// first.
type Lane uint8

const (
	// LaneDefault is Transactional in Send and Bulk in SendAll.
	LaneDefault Lane = iota
	// Transactional is mail that somebody waits for.
	Transactional
	// Bulk is a mailing.
	Bulk
)

// String returns "transactional" or "bulk", "default" for the zero value.
func (l Lane) String() string {
	switch l {
	case Transactional:
		return "transactional"
	case Bulk:
		return "bulk"
	}
	return "default"
}

// A Message is one mail with its envelope. The Client does not modify it, and
// keeps no part of it after the message's outcome was returned; until then the
// caller must not modify it either.
type Message struct {
	// ReturnPath is the address of MAIL FROM, where bounces go. It is
	// required, so that none is forgotten; "<>" is the null return path.
	ReturnPath string
	// Recipients are the addresses of RCPT TO; each gets an outcome of its
	// own. At least one is required, and none twice.
	Recipients []string
	// Content is a complete message, header and body (RFC 5322). Lines may
	// end in CRLF or LF; LF is sent as CRLF.
	Content []byte
	// Lane is where the message queues. Zero: Transactional in Send, Bulk in
	// SendAll.
	Lane Lane
	// Ref is the caller's reference. It is echoed in the Receipt, in logs and
	// to the Observer, and should therefore be no address.
	Ref string
	// DSN asks the relays for delivery status notifications. The zero value
	// asks for bounces without the body (RET=HDRS) where the relay knows DSN.
	DSN DSN
	// Signer signs this message. Nil: Config.Signer.
	Signer Signer
	// RequireTLS has the relay refuse to pass the message on without TLS (RFC
	// 8689). Relays that do not offer REQUIRETLS are not used for it.
	RequireTLS bool
}

// lane is where the message queues, where its default is that.
func (m *Message) lane(byDefault Lane) Lane {
	if m == nil || m.Lane == LaneDefault {
		return byDefault
	}
	return m.Lane
}

// DSN are the parameters of RFC 3461. They are left out towards relays that do
// not offer DSN.
type DSN struct {
	// Return is "HDRS" or "FULL": what of the message a bounce encloses.
	// Empty: HDRS.
	Return string
	// EnvelopeID is echoed in bounces as Original-Envelope-Id; at most 100
	// octets.
	EnvelopeID string
	// Notify is "NEVER" or a comma-separated list of "SUCCESS", "FAILURE" and
	// "DELAY", for all recipients. Empty: the relay's default.
	Notify string
	// OriginalRecipient sends each recipient's address as ORCPT, too, which
	// bounces then echo unchanged however the address was rewritten.
	OriginalRecipient bool
}

// A Signer signs messages; *dkim.Signer is one. Sign gets the complete content
// with CRLF line ends and returns the header fields to put in front of it, each
// ended by CRLF. It must be safe for concurrent use and must not keep or modify
// content. An error that says so by a method Permanent() bool is about the
// message, which is Rejected; any other, about a key or the context, may pass,
// and the message is NotAttempted.
type Signer interface {
	Sign(ctx context.Context, content []byte) (header []byte, err error)
}

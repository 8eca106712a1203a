package bounce

// Kind says what a message reports, ordered by gravity.
type Kind uint8

const (
	// NotABounce: an ordinary message, or one that cannot be understood.
	NotABounce Kind = iota
	// AutoReply: a vacation notice or another reply written by a program. The
	// mail was delivered, or at least not refused.
	AutoReply
	// Unsubscribe: the reader's mail program has followed the mailto: link of
	// the List-Unsubscribe field (RFC 2369 §3.2) by itself, as Apple's does. The
	// only Recipient is who wants no more mail.
	Unsubscribe
	// Complaint: a feedback report of somebody who called the mail spam. A
	// report whose FeedbackType is not-spam is NotABounce.
	Complaint
	// Expanded: delivered to a list that sends no further notifications.
	Expanded
	// Relayed: passed to a system that sends no notifications.
	Relayed
	// Delivered to the mailbox.
	Delivered
	// Delayed: a warning. The mail is still under way and may arrive.
	Delayed
	// Failed: given up for at least one recipient.
	Failed
)

var kindNames = [...]string{"not a bounce", "auto-reply", "unsubscribe", "complaint", "expanded", "relayed", "delivered", "delayed", "failed"}

// String returns the kind in words.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown kind"
}

// Report is what a message says about the delivery of another. The zero value
// says nothing.
type Report struct {
	// Kind is the gravest recipient's.
	Kind Kind

	// Recipients are those that the message tells about, at most 1,000, in its
	// order. A complaint's are those that the provider did not remove.
	Recipients []Recipient

	// ReturnPath is the address that the message was delivered to, where its
	// header shows it: Delivered-To, X-Original-To, Envelope-To or To.
	ReturnPath string

	// MessageID is the original mail's Message-ID with its angle brackets,
	// where the message encloses the original's header.
	MessageID string

	// ReportingMTA is the system that wrote the report, EnvelopeID the ENVID
	// given with MAIL FROM. Both are empty where the report does not say.
	ReportingMTA, EnvelopeID string

	// FeedbackType is a feedback report's type in lower case: abuse, fraud,
	// virus, not-spam, opt-out, auth-failure, other or what its sender wrote.
	FeedbackType string

	// Original is what the message shows of the mail it is about.
	Original Original

	// Truncated: the message exceeded a limit, and what lay beyond was ignored.
	Truncated bool
}

// Original holds the fields of the original mail in which a token may be
// found. Each is empty where the message does not show it. All of it is
// unverified.
type Original struct {
	ReturnPath      string // Return-Path, or Original-Mail-From of a feedback report
	ListUnsubscribe string
	From, To        string
	Subject         string // decoded
}

// Recipient is what a report says about one address.
type Recipient struct {
	// Address is the Final-Recipient of a DSN, or the address named in a
	// notice. Original is the Original-Recipient, the address as it was given
	// with RCPT TO, where the report says so and it is another one.
	Address, Original string

	// Action is failed, delayed, delivered, relayed or expanded (RFC 3464
	// §2.3.3). A mail given up after its time in the queue has failed too: its
	// Category says ExpiredInQueue. Empty in complaints.
	Action string

	// Status is the enhanced status code (RFC 3463), such as 5.1.1: the DSN's,
	// or that of the reply it quotes where this is more exact. A notice without
	// any gets the class and what else the category tells.
	Status string

	// Code is the SMTP reply code in the diagnostic, 0 where there is none.
	Code int

	// Diagnostic is the reply or explanation in one line, at most 1,000 octets.
	// It is remote text: quote it before it is shown.
	Diagnostic string

	// RemoteMTA is the system that answered so, empty where not known.
	RemoteMTA string

	// Permanent: the mail was given up because of a permanent error (5yz or
	// 5.x.x). It says nothing yet about the next mail to this address: see
	// Category.Hard.
	Permanent bool

	// Category is the reason, Evidence the text or code that led to it.
	Category Category
	Evidence string
}

// Hard reports whether further mail to the address is pointless: this mail has
// failed, and its Category is Hard.
func (r Recipient) Hard() bool { return r.Action == actionFailed && r.Category.Hard() }

// Category is why a mail was not delivered.
type Category uint8

const (
	// Undetermined: the report does not say why, or not in words known here.
	Undetermined Category = iota
	// MailboxUnknown: there is no such mailbox.
	MailboxUnknown
	// HostUnknown: the domain does not exist or takes no mail (null MX).
	HostUnknown
	// Moved: the recipient has moved; further mail here is pointless.
	Moved
	// Disabled: the mailbox exists but is switched off, suspended or idle.
	Disabled
	// MailboxFull: over quota.
	MailboxFull
	// Filtered: refused by the recipient's own settings.
	Filtered
	// Policy: the receiving system does not want this mail, sender or relay.
	Policy
	// Spam: refused as unwanted for its content or sender's reputation.
	Spam
	// Virus: refused as malicious.
	Virus
	// Authentication: SPF, DKIM, DMARC or reverse DNS.
	Authentication
	// Rate: too many mails or connections in a time.
	Rate
	// Size: the mail is too large.
	Size
	// Content: the mail cannot be processed as it is.
	Content
	// Protocol: the systems could not agree on commands, TLS or relaying.
	Protocol
	// Network: the destination could not be reached, or DNS did not answer.
	Network
	// System: the receiving system has a fault, no space, or a loop.
	System
	// ExpiredInQueue: given up after its time in the queue. The address was
	// never refused.
	ExpiredInQueue
	// OwnRelay: one of the sender's own relays refused the mail. It says
	// nothing about the recipient.
	OwnRelay
	// None: nothing went wrong.
	None

	categories // their number
)

var categoryNames = [categories]string{
	"undetermined", "mailbox-unknown", "host-unknown", "moved", "disabled", "mailbox-full", "filtered",
	"policy", "spam", "virus", "authentication", "rate", "size", "content", "protocol", "network",
	"system", "expired", "own-relay", "none",
}

// String returns the category in lower case, words joined by '-'.
func (c Category) String() string {
	if c < categories {
		return categoryNames[c]
	}
	return "unknown-category"
}

// Hard reports whether the mailbox or its host does not exist or has moved, so
// that further mail to the address is pointless. Parse gives such a category only
// to what has failed: a temporary refusal of an address is System, or Network
// where the DNS did not know the host.
func (c Category) Hard() bool { return c == MailboxUnknown || c == HostUnknown || c == Moved }

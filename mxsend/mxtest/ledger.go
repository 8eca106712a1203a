package mxtest

import "time"

// A Place is where a recipient of a mail is.
type Place uint8

// The places. A recipient of a mail is in exactly one.
const (
	Queued    Place = iota + 1 // in the incoming or active queue of Mail.Relay
	Deferred                   // in the deferred queue of Mail.Relay
	Delivered                  // taken by its destination
	Bounced                    // returned to the return path, or dropped where there is none to tell
	Lost                       // gone with the relay's disk: see [Relay.Wipe]
)

// String names the place.
func (p Place) String() string {
	switch p {
	case Queued:
		return "queued"
	case Deferred:
		return "deferred"
	case Delivered:
		return "delivered"
	case Bounced:
		return "bounced"
	case Lost:
		return "lost"
	}
	return "nowhere"
}

// Counts are the ledger's totals. But for Mails, ByRelay and Notifications they count recipients: a mail to three is three.
// Accepted = Delivered + Queued + Deferred + Bounced + Lost, always.
type Counts struct {
	Mails    int            // mails that relays took from clients, each acceptance counted
	Accepted int            // recipients of those
	ByRelay  map[string]int // mails taken from clients, by relay

	Delivered int // taken by a destination
	Queued    int // in a primary's or graveyard's incoming or active queue
	Deferred  int // in a deferred queue
	Bounced   int // returned
	Lost      int // gone with a relay's disk

	AtGraveyard int // of Queued and Deferred: those at a graveyard
	HandedOver  int // recipients that passed from a primary to a graveyard, wherever they are now
	Expired     int // of Bounced: given up after maximal_queue_lifetime
	Discarded   int // of Bounced: nobody was told, by NOTIFY or a null return path

	// Duplicates are acceptances beyond the first of the same Message-ID for the same recipient.
	// Mail without Message-ID is not looked at.
	Duplicates int

	Notifications          int // DSNs made, delay warnings and delivery reports included
	NotificationsDelivered int // of those: handed over to Config.Bounces (kept, where that is empty)
	NotificationsWaiting   int // of those: still queued
}

// A Mail is what a relay accepted in one transaction, and what became of it. It is a copy as of the moment of asking.
type Mail struct {
	Relay      string // the relay that accepted it
	QueueID    string // as told in the reply to the final dot
	MessageID  string // its Message-ID field, with angle brackets; empty: none
	ReturnPath string // MAIL FROM; empty: the null return path
	EnvelopeID string // ENVID, decoded
	Client     string // name in EHLO
	TLS        bool   // came over TLS
	User       string // who had authenticated; empty: nobody
	Size       int    // octets of Content
	BareLF     bool   // the content held an LF or CR outside CRLF
	Accepted   time.Time
	Recipients []Recipient

	// Content is what came after DATA, dots unstuffed, to the octet; nil where the ledger let it go.
	Content []byte
}

// A Recipient is a recipient of a [Mail].
type Recipient struct {
	Address  string
	Place    Place
	Relay    string    // where it is queued, or from where it was delivered or bounced
	Attempts int       // delivery attempts so far, at all relays
	Status   string    // enhanced status code of the last attempt: "2.0.0", "4.7.1", "5.1.1"
	Reply    string    // what the destination said last; or why there was nothing said
	Next     time.Time // of Deferred: earliest time of the next attempt
	Done     time.Time // when it was delivered, bounced or lost
}

// A Delivery is a mail as a destination got it: one for each session that took it.
type Delivery struct {
	Domain     string
	Relay      string // the relay that delivered it
	ReturnPath string
	Recipients []string
	MessageID  string
	Time       time.Time
	Content    []byte // with the relays' Received fields in front; nil where the ledger let it go

	verify func([]byte) []Signature
}

// Signatures verifies the DKIM signatures of the mail as its destination would, with keys from the cluster's DNS
// (see [DNS.SetTXT]). It is nil for an unsigned mail.
func (d Delivery) Signatures() []Signature {
	if d.verify == nil || d.Content == nil {
		return nil
	}
	return d.verify(d.Content)
}

// A Signature is the verdict on a DKIM-Signature field.
type Signature struct {
	Domain     string
	Identifier string
	Err        error // nil: valid
}

// A Notification is a DSN made by a relay, or on its way.
type Notification struct {
	Relay      string // that made it
	To         string // the return path it goes to
	Action     string // "failed", "delayed", "relayed" or "delivered"
	Recipients []string
	MessageID  string // of the mail it is about
	Delivered  bool
	Time       time.Time
	Content    []byte
}

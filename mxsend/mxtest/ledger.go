package mxtest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// A Ledger knows where every mail is that a relay of the cluster accepted. Its methods are safe for concurrent use.
type Ledger struct {
	c *Cluster
	e *engine
}

// Counts are the totals.
func (l *Ledger) Counts() Counts {
	l.e.mu.Lock()
	defer l.e.mu.Unlock()
	return l.e.tally()
}

// tally copies the totals. e.mu is held.
func (e *engine) tally() Counts {
	c := e.counts
	c.ByRelay = maps.Clone(c.ByRelay)
	return c
}

// Mails are all mails in the order of their acceptance.
func (l *Ledger) Mails() []Mail { return l.mails(func(*mailRec) bool { return true }) }

// Find returns the mails with a Message-ID (with or without angle brackets), in the order of their acceptance:
// more than one is a duplicate.
func (l *Ledger) Find(messageID string) []Mail {
	bare := strings.Trim(messageID, "<>")
	return l.mails(func(m *mailRec) bool { return strings.Trim(m.messageID, "<>") == bare })
}

// FindRecipient returns the mails to a recipient.
func (l *Ledger) FindRecipient(address string) []Mail {
	return l.mails(func(m *mailRec) bool {
		return slices.ContainsFunc(l.e.rcpts[m.first:m.first+m.n], func(to rcptRec) bool { return strings.EqualFold(to.address, address) })
	})
}

// mails copies the mails that are wanted.
func (l *Ledger) mails(wanted func(*mailRec) bool) []Mail {
	l.e.mu.Lock()
	defer l.e.mu.Unlock()
	var list []Mail
	for i := range l.e.mails {
		if m := &l.e.mails[i]; m.note == nil && wanted(m) {
			list = append(list, l.e.mail(m))
		}
	}
	return list
}

// mail copies a mail. e.mu is held.
func (e *engine) mail(m *mailRec) Mail {
	out := Mail{
		Relay: e.relays[m.relay].name, QueueID: queueID(e.copies[m.copy].number), MessageID: m.messageID, ReturnPath: m.returnPath,
		EnvelopeID: m.envelopeID, Client: m.client, ClientAddr: m.clientAddr, TLS: m.tls, User: m.user, Size: int(m.size), BareLF: m.bareLF,
		Accepted: e.stamp(m.accepted), Content: slices.Clone(m.content), Subject: decoded(fieldOf(m.content, "subject:")),
		verify: e.verify,
	}
	for i := m.first; i < m.first+m.n; i++ {
		to := &e.rcpts[i]
		r := Recipient{Address: to.address, Place: to.place, Relay: e.relays[e.copies[to.copy].relay].name, Attempts: int(to.attempts), Way: e.way(to)}
		why := e.reasons[to.reason]
		r.Status, r.Reply = why.status, why.String()
		if to.place == Deferred {
			r.Next = e.stamp(to.next)
		}
		if to.done > 0 {
			r.Done = e.stamp(to.done)
		}
		out.Recipients = append(out.Recipients, r)
	}
	return out
}

// Deliveries are what a destination took, or all of them if domain is "".
func (l *Ledger) Deliveries(domain string) []Delivery {
	l.e.mu.Lock()
	defer l.e.mu.Unlock()
	var list []Delivery
	for _, rec := range l.e.deliveries {
		name := l.e.outside[rec.dest].domain
		if domain != "" && name != key(domain) {
			continue
		}
		list = append(list, l.delivery(&rec))
	}
	return list
}

// delivery copies a delivery. e.mu is held.
func (l *Ledger) delivery(rec *deliveryRec) Delivery {
	cp := &l.e.copies[rec.copy]
	m := &l.e.mails[cp.mail]
	d := Delivery{Domain: l.e.outside[rec.dest].domain, Relay: l.e.relays[cp.relay].name, ReturnPath: m.returnPath, MessageID: m.messageID,
		Time: l.e.stamp(rec.at), verify: l.c.dns.verify}
	for _, id := range rec.rcpts {
		d.Recipients = append(d.Recipients, l.e.rcpts[id].address)
	}
	if m.content != nil {
		d.Content = append(l.e.received(rec.copy), m.content...)
	}
	return d
}

// Notifications are the DSNs that relays made.
func (l *Ledger) Notifications() []Notification {
	return l.notifications(func(*mailRec) bool { return true })
}

// notifications copies the notifications that are wanted.
func (l *Ledger) notifications(wanted func(*mailRec) bool) []Notification {
	l.e.mu.Lock()
	defer l.e.mu.Unlock()
	var list []Notification
	for i := range l.e.mails {
		m := &l.e.mails[i]
		if m.note == nil || !wanted(m) {
			continue
		}
		to := &l.e.rcpts[m.first]
		list = append(list, Notification{
			QueueID: queueID(l.e.copies[m.copy].number), About: queueID(l.e.copies[l.e.mails[m.note.mail].copy].number),
			Relay: l.e.relays[m.relay].name, To: to.address, Action: m.note.action, Recipients: slices.Clone(m.note.recipients),
			MessageID: m.note.messageID, Delivered: to.place == Delivered, Time: l.e.stamp(m.accepted), Content: slices.Clone(m.content),
		})
	}
	return list
}

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
	Subject    string // decoded; empty where the ledger let the content go
	ReturnPath string // MAIL FROM; empty: the null return path
	EnvelopeID string // ENVID, decoded
	Client     string // name in EHLO
	ClientAddr string // its IP address
	TLS        bool   // came over TLS
	User       string // who had authenticated; empty: nobody
	Size       int    // octets of Content
	BareLF     bool   // the content held an LF or CR outside CRLF
	Accepted   time.Time
	Recipients []Recipient

	// Content is what came after DATA, dots unstuffed, to the octet; nil where the ledger let it go.
	Content []byte

	verify func([]byte) []Signature
}

// Signatures is [Delivery.Signatures] for the mail as the relay accepted it.
func (m Mail) Signatures() []Signature {
	if m.verify == nil || m.Content == nil {
		return nil
	}
	return m.verify(m.Content)
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
	Way      []Hop     // the relays that had it, the one that took it from the client first
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
	QueueID    string // its own
	About      string // queue id of the mail that it is about, as Mail.QueueID
	Relay      string // that made it
	To         string // the return path it goes to
	Action     string // "failed", "delayed", "relayed" or "delivered"
	Recipients []string
	MessageID  string // of the mail it is about
	Delivered  bool
	Time       time.Time
	Content    []byte
}

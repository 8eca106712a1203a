package mxtest

import (
	"context"
	"io"
	"testing"
)

// A Ledger knows where every mail is that a relay of the cluster accepted. Its methods are safe for concurrent use.
type Ledger struct{}

// Counts are the totals.
func (l *Ledger) Counts() Counts { panic(errNotBuilt) }

// Mails are all mails in the order of their acceptance.
func (l *Ledger) Mails() []Mail { panic(errNotBuilt) }

// Find returns the mails with a Message-ID (with or without angle brackets), in the order of their acceptance:
// more than one is a duplicate.
func (l *Ledger) Find(messageID string) []Mail { panic(errNotBuilt) }

// FindRecipient returns the mails to a recipient.
func (l *Ledger) FindRecipient(address string) []Mail { panic(errNotBuilt) }

// Deliveries are what a destination took, or all of them if domain is "".
func (l *Ledger) Deliveries(domain string) []Delivery { panic(errNotBuilt) }

// Notifications are the DSNs that relays made.
func (l *Ledger) Notifications() []Notification { panic(errNotBuilt) }

// AssertNothingLost fails the test unless every mail of which a relay said that it had it is delivered, queued, deferred or
// bounced, and the sums agree.
func (l *Ledger) AssertNothingLost(tb testing.TB) { panic(errNotBuilt) }

// AssertDelivered fails the test unless each of these recipients got mail, and just once where a Message-ID shows it.
func (l *Ledger) AssertDelivered(tb testing.TB, recipients ...string) { panic(errNotBuilt) }

// AssertNoDuplicates fails the test if a mail was accepted more than once, but for up to allowed of them (in doubt and sent again).
func (l *Ledger) AssertNoDuplicates(tb testing.TB, allowed int) { panic(errNotBuilt) }

// WaitDelivered waits until each recipient got a mail.
func (l *Ledger) WaitDelivered(ctx context.Context, recipients ...string) error { panic(errNotBuilt) }

// WaitBounces waits until n recipients have bounced and their notifications are handed over.
func (l *Ledger) WaitBounces(ctx context.Context, n int) error { panic(errNotBuilt) }

// Dump writes the ledger in a readable form.
func (l *Ledger) Dump(w io.Writer) error { panic(errNotBuilt) }

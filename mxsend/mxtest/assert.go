package mxtest

import (
	"strings"
	"testing"
)

// AssertNothingLost fails the test unless every mail of which a relay said that it had it is delivered, queued, deferred or
// bounced, and the sums agree.
func (l *Ledger) AssertNothingLost(tb testing.TB) {
	tb.Helper()
	l.e.mu.Lock()
	c := l.e.tally()
	nowhere := 0
	for i := range l.e.rcpts {
		if l.e.rcpts[i].place == 0 {
			nowhere++
		}
	}
	l.e.mu.Unlock()
	if c.Lost > 0 || nowhere > 0 {
		tb.Errorf("ledger: %d recipients lost with a relay's disk, %d nowhere, of %d accepted", c.Lost, nowhere, c.Accepted)
	}
	if sum := c.Delivered + c.Queued + c.Deferred + c.Bounced + c.Lost; sum != c.Accepted {
		tb.Errorf("ledger: %d accepted, but %d delivered + %d queued + %d deferred + %d bounced + %d lost = %d",
			c.Accepted, c.Delivered, c.Queued, c.Deferred, c.Bounced, c.Lost, sum)
	}
}

// AssertDelivered fails the test unless each of these recipients got mail, and none of it twice: by its Message-ID,
// or without one just once.
func (l *Ledger) AssertDelivered(tb testing.TB, recipients ...string) {
	tb.Helper()
	l.e.mu.Lock()
	defer l.e.mu.Unlock()
	type copies struct{ address, messageID string }
	got, twice := map[string]int{}, map[copies]int{}
	for i := range l.e.rcpts {
		to := &l.e.rcpts[i]
		m := &l.e.mails[to.mail]
		if to.place != Delivered || m.note != nil {
			continue
		}
		address := strings.ToLower(to.address)
		got[address]++
		twice[copies{address, m.messageID}]++
	}
	for _, address := range recipients {
		if got[strings.ToLower(address)] == 0 {
			tb.Errorf("ledger: %s got nothing", address)
		}
		for c, n := range twice {
			if n > 1 && c.address == strings.ToLower(address) {
				tb.Errorf("ledger: %s got mail %s %d times", address, c.messageID, n)
			}
		}
	}
}

// AssertNoDuplicates fails the test if more mails than allowed (those in doubt and sent again) were accepted more than once.
func (l *Ledger) AssertNoDuplicates(tb testing.TB, allowed int) {
	tb.Helper()
	if c := l.Counts(); c.Duplicates > allowed {
		tb.Errorf("ledger: %d duplicates, %d allowed", c.Duplicates, allowed)
	}
}

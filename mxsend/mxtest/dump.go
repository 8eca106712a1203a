package mxtest

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// dumpRecipients bounds the recipients a Dump lists.
const dumpRecipients = 200

// Dump writes the ledger in a readable form: totals, queues, and the recipients that are not delivered before those that
// are, 200 at most.
func (l *Ledger) Dump(w io.Writer) error {
	e := l.e
	var s strings.Builder
	e.mu.Lock()
	c := e.tally()
	fmt.Fprintf(&s, "ledger after %v\n", e.now().Round(time.Millisecond))
	fmt.Fprintf(&s, "accepted %d recipients in %d mails", c.Accepted, c.Mails)
	for _, name := range slices.Sorted(maps.Keys(c.ByRelay)) {
		fmt.Fprintf(&s, ", %s %d", name, c.ByRelay[name])
	}
	fmt.Fprintf(&s, "\ndelivered %d, queued %d, deferred %d, bounced %d (expired %d, nobody told %d), lost %d\n",
		c.Delivered, c.Queued, c.Deferred, c.Bounced, c.Expired, c.Discarded, c.Lost)
	fmt.Fprintf(&s, "at graveyards %d, handed over %d, duplicates %d; notifications %d, delivered %d, waiting %d\n",
		c.AtGraveyard, c.HandedOver, c.Duplicates, c.Notifications, c.NotificationsDelivered, c.NotificationsWaiting)
	for _, r := range e.relays {
		q := r.queue.Counts()
		state := ""
		switch {
		case r.halted:
			state = ", stopped"
		case r.blackHoled:
			state = ", black-holed"
		}
		fmt.Fprintf(&s, "%s: incoming %d, active %d, deferred %d%s\n", r.name, q.Incoming, q.Active, q.Deferred, state)
	}
	t := tabwriter.NewWriter(&s, 0, 0, 2, ' ', 0)
	listed := 0
	for _, place := range []Place{Lost, Queued, Deferred, Bounced, Delivered} {
		for i := range e.rcpts {
			to := &e.rcpts[i]
			if to.place != place || e.mails[to.mail].note != nil {
				continue
			}
			if listed++; listed > dumpRecipients {
				continue
			}
			cp := &e.copies[to.copy]
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\tattempts %d\t%s\t%s\n", place, to.address, e.relays[cp.relay].name, queueID(cp.number),
				to.attempts, e.mails[to.mail].messageID, e.reasons[to.reason].String())
		}
	}
	e.mu.Unlock()
	t.Flush()
	if listed > dumpRecipients {
		fmt.Fprintf(&s, "and %d more\n", listed-dumpRecipients)
	}
	_, err := io.WriteString(w, s.String())
	return err
}

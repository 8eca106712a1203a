package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
)

// An Outcome is what became of a mail for one recipient. The numbers are stored.
type Outcome uint8

const (
	// Pending: it was not handed to a relay yet.
	Pending Outcome = 0
	// Accepted: a relay gave a complete 2yz reply to the final dot.
	Accepted Outcome = 1
	// Rejected: refused for good, by a relay or before anything was sent; the note says why.
	Rejected Outcome = 2
	// Deferred: tried, and provably not accepted. While it has a next round it is tried again by itself.
	Deferred Outcome = 3
	// InDoubt: it may have been handed over, and what became of it is not known: no reply came, or the process that
	// sent it died before it had recorded one. Sent again, it might arrive twice.
	InDoubt Outcome = 4
	// NotAttempted: no relay was tried for it. While it has a next round it is tried again by itself.
	NotAttempted Outcome = 5
	// Skipped: it was not to be sent: suppressed, over a cap, twice in the list, or forgotten; the note says why.
	Skipped Outcome = 6
)

var outcomeNames = [...]string{"pending", "accepted", "rejected", "deferred", "in doubt", "not attempted", "skipped"}

// String returns the outcome's name in lower case, as in "in doubt".
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

// MarshalText returns String, for JSON.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// ParseOutcome is the inverse of String.
func ParseOutcome(name string) (Outcome, error) {
	for i, n := range outcomeNames {
		if n == name {
			return Outcome(i), nil
		}
	}
	return 0, fmt.Errorf("outbox: no outcome %q", name)
}

// A result is the end of one attempt, as it is recorded.
type result struct {
	outcome   Outcome
	relay     string
	queueID   string
	at        int64
	tries     int64
	due       int64 // of the next round; 0: final
	duplicate bool
	note      string
}

// retryAfter are the waits after a Deferred one; none, which is soon, where we have cut it off ourselves.
func (b *Box) retryAfter(ctx context.Context) []time.Duration {
	if ctx.Err() != nil {
		return nil
	}
	return b.cfg.Retry
}

// judge turns what mxsend says of a recipient into what is recorded. Tries are the attempts that ended Deferred before. A nil
// retry is that of what was cut off: it does not count.
func judge(r mxsend.RecipientResult, now time.Time, tries int64, duplicate bool, retry []time.Duration) result {
	out := result{relay: r.Relay, queueID: storable(r.QueueID), at: now.UnixMilli(), tries: tries, duplicate: duplicate || r.DuplicatePossible}
	if r.Err != nil {
		out.note = storable(r.Err.Error())
	}
	switch r.Outcome {
	case mxsend.Accepted:
		out.outcome = Accepted
	case mxsend.Rejected:
		out.outcome = Rejected
	case mxsend.InDoubt:
		out.outcome = InDoubt
	case mxsend.Deferred:
		out.outcome = Deferred
		if retry == nil {
			out.due = nextRound(now, soon)
			break
		}
		out.tries++
		if tries < int64(len(retry)) {
			out.due = nextRound(now, retry[tries])
		}
	default:
		// Nobody was asked about this mail, so it does not count as a try.
		out.outcome = NotAttempted
		out.due = nextRound(now, soon)
	}
	return out
}

// soon is how long mail waits that no relay could be tried for, or that was cut off. mxsend has waited for a relay by itself before.
const soon = 5 * time.Second

// nextRound rounds up to a quarter of the wait, so that what failed at about the same time goes out in one round.
func nextRound(now time.Time, wait time.Duration) int64 {
	grid := max(wait.Milliseconds()/4, 1)
	return (now.Add(wait).UnixMilli() + grid - 1) / grid * grid
}

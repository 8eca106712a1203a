package main

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/peers"
	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
	"github.com/mxsend/go-mxsend/mxsend"
)

// An event is the outcome of a mail.
type event struct {
	at      time.Duration // after the load's start
	took    time.Duration // from Send, or MAIL where it is of a mailing, to the outcome
	began   time.Duration // of Send
	relay   string
	address string
	outcome mxsend.Outcome
}

// A load submits mails through a client and notes what becomes of them.
type load struct {
	client *mxsend.Client
	start  time.Time
	number int // of the next mail of a mailing

	mu     sync.Mutex // guards events
	events []event
}

func (l *load) note(r mxsend.Receipt, began, took time.Duration) {
	to := r.Recipients[0]
	if n := len(r.Attempts); n > 0 && took == 0 {
		took = r.Attempts[n-1].Duration
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, event{time.Since(l.start), took, began, to.Relay, to.Address, to.Outcome})
}

// mailing submits one mailing that gives messages for a time.
func (l *load) mailing(ctx context.Context, long time.Duration) {
	for r := range l.client.SendAll(ctx, l.messages(long)) {
		l.note(r.Receipt, 0, 0)
	}
}

func (l *load) messages(long time.Duration) iter.Seq[*mxsend.Message] {
	content := peers.Content(4 << 10)
	return func(yield func(*mxsend.Message) bool) {
		for time.Since(l.start) < long && yield(message("bulk", l.number, content)) {
			l.number++
		}
	}
}

// message makes a mail that no other is like.
func message(kind string, number int, content []byte) *mxsend.Message {
	return &mxsend.Message{
		ReturnPath: fmt.Sprintf("b+%s%d@bounces.bench.test", kind, number),
		Recipients: []string{fmt.Sprintf("%s%d@destination.bench.test", kind, number)},
		Content:    append(fmt.Appendf(nil, "X-Number: %d\r\n", number), content...),
	}
}

// trickle sends a transactional mail every 20 ms for a time, each on a goroutine of
// its own, and waits for all their outcomes.
func (l *load) trickle(ctx context.Context, long time.Duration) {
	content := peers.Content(4 << 10)
	var sends sync.WaitGroup
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; time.Since(l.start) < long && ctx.Err() == nil; i++ {
		sends.Go(func() {
			began := time.Since(l.start)
			r, _ := l.client.Send(ctx, message("one", i, content)) // the error is the receipt's
			l.note(r, began, time.Since(l.start)-began)
		})
		<-tick.C
	}
	sends.Wait()
}

// count counts outcomes.
func (l *load) count(outcomes ...mxsend.Outcome) float64 {
	n := 0
	for _, e := range l.events {
		if slices.Contains(outcomes, e.outcome) {
			n++
		}
	}
	return float64(n)
}

// accepted counts the mails accepted in a time, by a relay or, where it is "", by any.
func (l *load) accepted(relay string, from, to time.Duration) (n int) {
	for _, e := range l.events {
		if e.outcome == mxsend.Accepted && e.at >= from && e.at < to && (relay == "" || e.relay == relay) {
			n++
		}
	}
	return n
}

// rate is how many mails a second were accepted in a time.
func (l *load) rate(from, to time.Duration) float64 {
	return float64(l.accepted("", from, to)) / (to - from).Seconds()
}

// reaches is how long after a time a condition on the time from then on first
// holds; long, if it never does within that.
func reaches(from, long time.Duration, holds func(at time.Duration) bool) time.Duration {
	for at := from; at < from+long; at += 50 * time.Millisecond {
		if holds(at) {
			return at - from
		}
	}
	return long
}

// share is a relay's share of the mails accepted in a time, in percent.
func (l *load) share(relay string, from, to time.Duration) float64 {
	return 100 * float64(l.accepted(relay, from, to)) / float64(max(1, l.accepted("", from, to)))
}

// quantile is that of the times, in milliseconds; they are sorted.
func quantile(took []time.Duration, q float64) float64 {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return float64(took[min(len(took)-1, int(q*float64(len(took))))]) / 1e6
}

// times are how long the accepted mails took that a condition holds for.
func (l *load) times(of func(event) bool) (took []time.Duration) {
	for _, e := range l.events {
		if e.outcome == mxsend.Accepted && of(e) {
			took = append(took, e.took)
		}
	}
	return took
}

// bucket is the resolution of the plots.
const bucket = 250 * time.Millisecond

// series is the throughput over time of a relay, or of all.
func (l *load) series(name, relay string, long time.Duration) report.Series {
	s := report.Series{Name: name}
	for at := time.Duration(0); at+bucket <= long; at += bucket {
		s.X = append(s.X, (at + bucket/2).Seconds())
		s.Y = append(s.Y, float64(l.accepted(relay, at, at+bucket))/bucket.Seconds())
	}
	return s
}

package mxsend

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

// C14: the context ends, or the Client is closed, in each phase.
var faultsCancel = slices.Concat(
	cancelledIn("dialling", nil, Deferred, func(s *testSetup) { s.net.SetHost("10.0.0.1", memnet.BlackHole) }),
	cancelledIn("greeting", answers("", silent), Deferred, nil),
	cancelledIn("EHLO", answers("EHLO", silent), Deferred, nil),
	cancelledIn("STARTTLS", both(secured, answers("STARTTLS", silent)), Deferred, nil),
	cancelledIn("handshake", both(secured, func(_ *Config, rs []*testRelay) { rs[0].raw = hangInHandshake }), Deferred, nil),
	cancelledIn("AUTH", both(secured, plainAuth, answers("AUTH", silent)), Deferred, nil),
	cancelledIn("MAIL", answers("MAIL", silent), Deferred, nil),
	cancelledIn("RCPT", answers("RCPT", silent), Deferred, nil),
	cancelledIn("DATA", answers("DATA", silent), Deferred, nil),
	cancelledIn("MAIL, lock-step", both(lockStepped, answers("MAIL", silent)), Deferred, nil),
	cancelledIn("content", inContent(func(t *testSession) { time.Sleep(time.Hour) }), Deferred, nil),
	cancelledIn("dot", answers(".", silent), InDoubt, nil),
	cancelledIn("dot, resent", both(resend, answers(".", silent)), InDoubt, nil),
	cancelledIn("round", answers("RCPT", "450 4.2.0 greylisted"), Deferred, nil),
	cancelledIn("outage", nil, Deferred, func(s *testSetup) { s.net.SetHost("10.0.0.1", memnet.Refuse) }),
	[]fault{
		{name: "C14/before", run: func(s *testSetup) {
			ctx, cancel := context.WithCancel(s.ctx())
			cancel()
			r, err := s.sendWithin(ctx, testMessage(1))
			s.want(r, NotAttempted)
			s.wantErr(err, ErrNotAttempted, context.Canceled)
			if s.relays[0].conns > 0 {
				s.t.Error("a connection was opened")
			}
		}},
		{name: "C14/closed before", run: func(s *testSetup) {
			_ = s.Close()
			r, err := s.send(testMessage(1))
			s.want(r, NotAttempted)
			s.wantErr(err, ErrNotAttempted, ErrClosed)
		}},
		{name: "C14/queued", change: func(cfg *Config, rs []*testRelay) {
			cfg.Limits.Connections, cfg.SeparateTransactions = 1, true
			rs[0].delay = time.Minute
		}, run: func(s *testSetup) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				s.wantAccepted(1)
			}()
			time.Sleep(time.Second)
			ctx, cancel := context.WithTimeout(s.ctx(), time.Second)
			defer cancel()
			r, err := s.sendWithin(ctx, testMessage(2))
			s.want(r, NotAttempted)
			s.wantErr(err, context.DeadlineExceeded)
			<-done
		}},
		{name: "C14/Shutdown drains", change: func(_ *Config, rs []*testRelay) { rs[0].delay = time.Minute }, run: func(s *testSetup) {
			count := make(chan [5]int)
			go func() { count <- s.sendAll(s.ctx(), messages(50)) }()
			time.Sleep(time.Second)
			if err := s.Shutdown(s.ctx()); err != nil {
				s.t.Error(err)
			}
			if got := <-count; got[Accepted] != 50 {
				s.t.Errorf("outcomes %v", got)
			}
		}},
		{name: "C14/Shutdown cuts", change: func(cfg *Config, rs []*testRelay) {
			rs[0].delay = time.Minute
			cfg.Limits.Connections, cfg.Limits.Reserved = 2, -1
		}, run: func(s *testSetup) {
			count := make(chan [5]int)
			go func() { count <- s.sendAll(s.ctx(), messages(50)) }()
			time.Sleep(90 * time.Second)
			ctx, cancel := context.WithTimeout(s.ctx(), time.Second)
			defer cancel()
			start := time.Now()
			if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
				s.t.Errorf("Shutdown: %v", err)
			}
			got := <-count
			s.wantTook(start, time.Second, 2*time.Second)
			if got[Accepted]+got[InDoubt]+got[Deferred]+got[NotAttempted] != 50 || got[InDoubt] == 0 || got[NotAttempted] == 0 {
				s.t.Errorf("outcomes %v", got)
			}
		}},
		{name: "C14/dot of some, others wait for their round", change: func(_ *Config, rs []*testRelay) {
			mails := 0
			rs[0].answer = func(_ int, line string) string {
				switch {
				case strings.HasPrefix(line, "MAIL"):
					mails++
				case strings.HasPrefix(line, "RCPT TO:<u1.1@"):
					return "450 4.2.0 greylisted"
				case strings.HasPrefix(line, "RCPT TO:<u1.2@") && mails == 1:
					return "452 4.5.3 too many recipients"
				case line == "." && mails == 2:
					return silent
				}
				return usual
			}
		}, run: func(s *testSetup) {
			ctx, cancel := context.WithTimeout(s.ctx(), 3*time.Second)
			defer cancel()
			r, err := s.sendWithin(ctx, testMessageTo(1, 3))
			s.want(r, Accepted, Deferred, InDoubt)
			s.wantErr(err, ErrInDoubt, ErrDeferred, context.DeadlineExceeded)
		}},
		{name: "C14/closed after the context ended", change: answers(".", silent), run: func(s *testSetup) {
			ctx, cancel := context.WithTimeout(s.ctx(), time.Second)
			defer cancel()
			r, _ := s.sendWithin(ctx, testMessage(1))
			s.want(r, InDoubt)
			start := time.Now()
			_ = s.Close()
			s.wantTook(start, 0, time.Second)
		}},
	},
)

// cancelledIn makes three faults of a phase in which the message hangs.
func cancelledIn(phase string, change func(*Config, []*testRelay), want Outcome, prepare func(*testSetup)) []fault {
	const after = 3 * time.Second
	run := func(end func(s *testSetup, ctx context.Context) error, cause error) func(*testSetup) {
		return func(s *testSetup) {
			if prepare != nil {
				prepare(s)
			}
			ctx, cancel := context.WithCancelCause(s.ctx())
			defer cancel(nil)
			time.AfterFunc(after, func() {
				if end == nil {
					cancel(errTest)
				}
			})
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				if end != nil {
					time.Sleep(after)
					short, cancel := context.WithCancel(s.ctx())
					cancel()
					_ = end(s, short)
				}
			}()
			m := testMessage(1)
			m.Content = testContentOf(2 << 20)
			start := time.Now()
			r, err := s.sendWithin(ctx, m)
			s.want(r, want)
			s.wantErr(err, cause)
			s.wantTook(start, after, after+100*time.Millisecond)
			<-ended
			s.wantTook(start, after, after+100*time.Millisecond)
		}
	}
	return []fault{
		{name: "C14/" + phase + "/context", change: change, run: run(nil, errTest)},
		{name: "C14/" + phase + "/Close", change: change, run: run(func(s *testSetup, _ context.Context) error { return s.Close() }, ErrClosed)},
		{name: "C14/" + phase + "/Shutdown", change: change, run: run((func(s *testSetup, ctx context.Context) error { return s.Shutdown(ctx) }), ErrClosed)},
	}
}

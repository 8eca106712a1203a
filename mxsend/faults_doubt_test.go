package mxsend

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// The final dot and the reply to it: what is in doubt, and what is not.
var faultsDoubt = slices.Concat(
	inBothModes("C8/EOF", 1, answers(".", hangUp), wantInDoubt),
	inBothModes("C8/RST", 1, answers(".", abort), wantInDoubt),
	inBothModes("C8/resent", 1, both(resend, once(".", hangUp)), func(s *testSetup) {
		r, err := s.send(testMessage(1))
		if err != nil || !r.Recipients[0].DuplicatePossible {
			s.t.Errorf("%+v, %v", r.Recipients[0], err)
		}
		took := s.relays[0].accepted
		if len(took) != 2 || took[0].content != took[1].content || took[0].from != took[1].from {
			s.t.Errorf("the relay took %+v", took)
		}
	}),
	inBothModes("C8/resent once", 2, both(resend, answers(".", hangUp)), func(s *testSetup) {
		r, _ := s.send(testMessage(1))
		s.want(r, InDoubt)
		if !r.Recipients[0].DuplicatePossible || s.took() != 2 {
			s.t.Errorf("%+v, %d copies", r.Recipients[0], s.took())
		}
	}),
	inBothModes("C8/resent and refused", 1, both(resend, func(_ *Config, rs []*testRelay) {
		rs[0].answer = func(n int, line string) string {
			switch {
			case line == "." && n == 1:
				return hangUp
			case strings.HasPrefix(line, "RCPT") && n > 1:
				return "550 5.1.1 unknown"
			}
			return usual
		}
	}), func(s *testSetup) {
		r, _ := s.send(testMessage(1))
		s.want(r, InDoubt) // the first copy may be there
	}),
	[]fault{
		{name: "C8/mixed", change: answers("RCPT TO:<u1.1", "550 5.1.1 unknown", ".", hangUp), run: func(s *testSetup) {
			r, _ := s.send(testMessageTo(1, 3))
			s.want(r, InDoubt, Rejected, InDoubt)
		}},
		{name: "C9", change: answers(".", "250 2.0.0 Ok: que"+cutHere), run: func(s *testSetup) {
			r, err := s.send(testMessage(1))
			s.want(r, InDoubt)
			s.wantErr(err, io.ErrUnexpectedEOF)
			if got := r.Recipients[0].Err.(*Error).Reply.Text; got != "250 2.0.0 Ok: que" {
				s.t.Errorf("kept %q", got)
			}
			if got := r.Attempts[0].Reply.Text; got != "250 2.0.0 Ok: que" {
				s.t.Errorf("kept %q", got)
			}
		}},
		{name: "C10/after the dot", change: answers(".", rawReply+strings.Repeat("250-a\r\n", 200)), run: func(s *testSetup) {
			r, err := s.send(testMessage(1))
			s.want(r, InDoubt)
			s.wantErr(err, smtpwire.ErrProtocol)
		}},
		{name: "C10/no end", change: answers(".", "250-a\r\n250-b\r\n"+cutHere), run: func(s *testSetup) {
			r, _ := s.send(testMessage(1))
			s.want(r, InDoubt)
		}},
		{name: "C10/before", change: answers("MAIL", rawReply+strings.Repeat("250-a\r\n", 200)), run: func(s *testSetup) {
			r, err := s.send(testMessage(1))
			s.want(r, Deferred)
			s.wantErr(err, smtpwire.ErrProtocol)
		}},
	},
	refusedThenLost("552, bare", "552 too many recipients", Accepted),
	refusedThenLost("452 too many", "452 4.5.3 too many recipients", Accepted),
	refusedThenLost("554 5.7.1", "554 5.7.1 <u1.2@example.test>: Relay access denied", Accepted),
	refusedThenLost("504 HELO", "504 5.5.2 <mailer-7c9f>: Helo command rejected: need fully-qualified hostname", Accepted),
	refusedThenLost("450", "450 4.2.0 Greylisted", Accepted),
	refusedThenLost("550 5.1.1", "550 5.1.1 unknown", Rejected),
	noReply("code changes", "250-a\r\n354 b\r\n"),
	noReply("two digits", "25 ok\r\n"),
	noReply("four digits", "2500 ok\r\n"),
	noReply("no space", "250ok\r\n"),
	noReply("6yz", "650 ok\r\n"),
	noReply("1yz", "150 ok\r\n"),
	noReply("text", "ok\r\n"),
	noReply("empty line", "\r\n"),
	[]fault{
		{name: "C11/continued 3yz after the dot", change: answers(".", "354 more"), run: func(s *testSetup) {
			r, _ := s.send(testMessage(1))
			s.want(r, InDoubt)
		}},
		{name: "C12", change: answers(".", silent), run: func(s *testSetup) {
			start := time.Now()
			r, err := s.send(testMessage(1))
			s.want(r, InDoubt)
			s.wantStage(err, StageFinalDot)
			s.wantTook(start, 10*time.Minute, 10*time.Minute+time.Second)
		}},
		{name: "C12/answered late", change: func(_ *Config, rs []*testRelay) { rs[0].delay = 9*time.Minute + 59*time.Second }, run: func(s *testSetup) { s.wantAccepted(1) }},
		{name: "C12/slow content", change: func(_ *Config, rs []*testRelay) {
			// Taking the content lasts longer than the wait for the last reply.
			rs[0].before = func(_ int, line string) {
				if line == "." {
					time.Sleep(5 * time.Minute)
				}
			}
			rs[0].content = func(_ int, t *testSession) bool {
				b := make([]byte, 64<<10)
				for range 150 {
					time.Sleep(5 * time.Second)
					if _, err := io.ReadFull(t.in, b); err != nil {
						return true
					}
				}
				return false
			}
		}, run: func(s *testSetup) {
			m := testMessage(1)
			m.Content = testContentOf(10_000_000)
			s.sloppy = true // the content was half read by the test
			if _, err := s.send(m); err != nil {
				s.t.Error(err)
			}
		}},
	},
)

// refusedThenLost: a relay takes two recipients and refuses the third, and then the
// connection is lost, behind the final dot or before it, or the sender loses patience.
func refusedThenLost(name, reply string, third Outcome) (faults []fault) {
	lose := func(at, how string) func(*Config, []*testRelay) {
		return func(_ *Config, rs []*testRelay) {
			lost := false // one connection at a time
			a := answer("RCPT TO:<u1.2", reply, at, how)
			for _, r := range rs {
				r.answer = func(n int, line string) string {
					if lost {
						return usual
					}
					lost = line == at
					return a(n, line)
				}
			}
		}
	}
	want := func(first Outcome) func(*testSetup) {
		return func(s *testSetup) {
			r, err := s.send(testMessageTo(1, 3))
			s.want(r, first, first, third)
			if third == Rejected {
				s.wantErr(err, ErrRejected)
			}
		}
	}
	for relays := 1; relays <= 2; relays++ {
		of := fmt.Sprintf("C31/%s, of %d", name, relays)
		faults = append(faults,
			fault{name: of, relays: relays, change: lose(".", hangUp), run: want(InDoubt)},
			fault{name: of + ", RST", relays: relays, change: lose(".", abort), run: want(InDoubt)},
			fault{name: of + ", before the dot", relays: relays, change: lose("DATA", "421 4.3.2 closing"), run: func(s *testSetup) {
				r, _ := s.send(testMessageTo(1, 3))
				s.want(r, Accepted, Accepted, third)
			}},
			fault{name: of + ", cancelled", relays: relays, change: lose(".", silent), run: func(s *testSetup) {
				ctx, cancel := context.WithTimeout(s.ctx(), time.Second)
				defer cancel()
				r, err := s.sendWithin(ctx, testMessageTo(1, 3))
				late := Deferred
				if third == Rejected {
					late = Rejected
				}
				s.want(r, InDoubt, InDoubt, late)
				s.wantErr(err, context.DeadlineExceeded)
			}})
	}
	return faults
}

// noReply is a reply that is none, before the dot and after it.
func noReply(name, reply string) []fault {
	return []fault{
		{name: "C11/" + name, change: answers("MAIL", rawReply+reply), run: func(s *testSetup) {
			r, err := s.send(testMessage(1))
			s.want(r, Deferred)
			s.wantErr(err, smtpwire.ErrProtocol)
		}},
		{name: "C11/" + name + " after the dot", change: answers(".", rawReply+reply), run: func(s *testSetup) {
			r, err := s.send(testMessage(1))
			s.want(r, InDoubt)
			s.wantErr(err, smtpwire.ErrProtocol)
		}},
	}
}

func resend(cfg *Config, _ []*testRelay) { cfg.InDoubt = InDoubtResend }

func wantInDoubt(s *testSetup) {
	r, err := s.send(testMessage(1))
	s.want(r, InDoubt)
	s.wantErr(err, ErrInDoubt)
	s.wantStage(err, StageFinalDot)
	if s.took() != 1 || len(r.Attempts) != 1 {
		s.t.Errorf("%d copies, attempts %+v", s.took(), r.Attempts)
	}
}

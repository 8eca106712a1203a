package mxsend

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// lockStep and pipelined have the relays offer PIPELINING, or not.
func lockStepped(_ *Config, rs []*testRelay) {
	for _, r := range rs {
		r.ehlo = slices.DeleteFunc(slices.Clone(fullEHLO), func(x string) bool { return x == "PIPELINING" })
	}
}

// Section C: transactions.
var faultsC = slices.Concat(
	inBothModes("C1/EOF after MAIL", 2, first("MAIL", hangUp), wantTwo(Accepted, 0)),
	inBothModes("C1/RST after MAIL", 2, first("MAIL", abort), wantTwo(Accepted, 0)),
	inBothModes("C1/EOF after RCPT", 2, first("RCPT", hangUp), wantTwo(Accepted, 0)),
	inBothModes("C1/RST after RCPT", 2, first("RCPT", abort), wantTwo(Accepted, 0)),
	inBothModes("C1/EOF after DATA", 2, first("DATA", hangUp), wantTwo(Accepted, 0)),
	inBothModes("C1/silent after MAIL", 2, first("MAIL", silent), func(s *testSetup) {
		start := time.Now()
		wantTwo(Accepted, 0)(s)
		s.wantTook(start, 15*time.Second, 40*time.Second)
	}),
	inBothModes("C1/all", 1, first("MAIL", hangUp), wantOne(Deferred, StageMail)),
	inBothModes("C2/5yz", 2, first("MAIL", "550 5.1.8 sender unknown"), wantTwo(Rejected, 1)),
	inBothModes("C2/4yz", 2, answers("MAIL", "451 4.3.0 later"), wantTwo(Deferred, 2)),
	inBothModes("C2/4yz on one", 2, first("MAIL", "451 4.3.0 later"), wantTwo(Accepted, 0)),
	inBothModes("C2/421", 2, first("MAIL", "421 4.3.2 closing"), wantTwo(Accepted, 0)),
	inBothModes("C3/mix", 1, answers("RCPT TO:<u1.1", "450 4.2.0 greylisted", "RCPT TO:<u1.2", "550 5.1.1 unknown"), func(s *testSetup) {
		r, err := s.send(testMessageTo(1, 4))
		s.want(r, Accepted, Deferred, Rejected, Accepted)
		s.wantErr(err, ErrDeferred, ErrRejected)
		if got := s.relays[0].accepted; len(got) != 1 || len(got[0].to) != 2 {
			s.t.Errorf("the relay took %+v", got)
		}
	}),
	inBothModes("C3/greylisted", 1, once("RCPT", "450 4.2.0 greylisted"), func(s *testSetup) {
		start := time.Now()
		r, err := s.send(testMessageTo(1, 3))
		if err != nil {
			s.t.Error(err)
		}
		s.want(r, Accepted, Accepted, Accepted)
		s.wantTook(start, 500*time.Millisecond, 3*time.Second)
	}),
	inBothModes("C3/452 too many", 1, func(_ *Config, rs []*testRelay) {
		n := 0
		rs[0].answer = func(_ int, line string) string {
			switch {
			case strings.HasPrefix(line, "MAIL"):
				n = 0
			case strings.HasPrefix(line, "RCPT"):
				if n++; n > 100 {
					return "452 4.5.3 Error: too many recipients"
				}
			}
			return usual
		}
	}, func(s *testSetup) {
		start := time.Now()
		r, err := s.send(testMessageTo(1, 250))
		if err != nil || r.Accepted() != 250 {
			s.t.Errorf("%d accepted: %v", r.Accepted(), err)
		}
		if got := len(s.relays[0].accepted); got != 3 {
			s.t.Errorf("%d transactions", got)
		}
		s.wantTook(start, 0, 2*time.Second)
	}),
	inBothModes("C3/refused all", 1, answers("RCPT", "550 5.1.1 unknown"), func(s *testSetup) {
		r, _ := s.send(testMessageTo(1, 3))
		s.want(r, Rejected, Rejected, Rejected)
		if seen := s.relays[0].dots; seen != 0 {
			s.t.Errorf("%d dots", seen)
		}
		s.relays[0].answer = nil
		s.wantAccepted(2) // the transaction was reset, or the connection closed
	}),
	[]fault{
		{name: "C4", change: answers("RCPT", "550 5.1.1 unknown", "DATA", "354 go ahead"), run: func(s *testSetup) {
			r, _ := s.send(testMessageTo(1, 3))
			s.want(r, Rejected, Rejected, Rejected)
			time.Sleep(time.Second)
			if s.relays[0].dots != 1 {
				s.t.Errorf("%d dots, want a lone one", s.relays[0].dots)
			}
			if len(s.relays[0].accepted) > 0 || s.relays[0].opened() > 0 {
				s.t.Errorf("the relay took %v, %d connections", s.relays[0].accepted, s.relays[0].opened())
			}
		}},
		{name: "C4/MAIL", change: answers("MAIL", "550 5.1.8 no", "DATA", "354 go ahead"), run: func(s *testSetup) {
			r, _ := s.send(testMessageTo(1, 3))
			s.want(r, Rejected, Rejected, Rejected)
		}},
	},
	inBothModes("C5/4yz", 2, answers("DATA", "451 4.3.0 later"), wantTwo(Deferred, 2)),
	inBothModes("C5/5yz", 2, answers("DATA", "550 5.7.1 no"), wantTwo(Rejected, 1)),
	inBothModes("C5/250", 1, answers("DATA", "250 2.0.0 Ok"), func(s *testSetup) {
		wantOne(Deferred, StageData)(s)
		if s.relays[0].dots != 0 {
			s.t.Error("the body was sent")
		}
	}),
	inBothModes("C5/355", 1, answers("DATA", "355 go"), wantOne(Deferred, StageData)),
	[]fault{
		{name: "C6/EOF", change: inContent(cutAfter(300<<10, memnet.CutEOF)), run: wantContentDeferred},
		{name: "C6/RST", change: inContent(cutAfter(300<<10, memnet.CutReset)), run: wantContentDeferred},
		{name: "C6/RST within a write", change: inContent(cutAfter(300<<10, memnet.CutShort)), run: wantContentDeferred},
		{name: "C6/EOF at once", change: inContent(cutAfter(1, memnet.CutEOF)), run: wantContentDeferred},
		{name: "C6/stops reading", change: inContent(func(*testSession) { time.Sleep(time.Hour) }), run: wantContentDeferred},
		{name: "C6/then elsewhere", relays: 2, change: func(_ *Config, rs []*testRelay) {
			rs[0].content = func(_ int, t *testSession) bool { cutAfter(300<<10, memnet.CutEOF)(t); return true }
		}, run: func(s *testSetup) {
			m := testMessage(1)
			m.Content = testContentOf(2 << 20)
			if _, err := s.send(m); err != nil {
				s.t.Error(err)
			}
		}},
		{name: "C7/554", change: inContent(func(t *testSession) {
			_, _ = io.CopyN(io.Discard, t.in, 100<<10)
			t.say(rawReply+"554 5.7.1 spam\r\n", "")
			time.Sleep(time.Second)
		}), run: func(s *testSetup) {
			m := testMessage(1)
			m.Content = testContentOf(2 << 20)
			r, err := s.send(m)
			s.want(r, Rejected)
			s.wantStage(err, StageContent)
			if got := r.Recipients[0].Err.(*Error).Reply.Code; got != 554 {
				s.t.Errorf("reply %d", got)
			}
		}},
		{name: "C7/452", relays: 2, change: func(_ *Config, rs []*testRelay) {
			rs[0].content = func(_ int, t *testSession) bool {
				_, _ = io.CopyN(io.Discard, t.in, 100<<10)
				t.say(rawReply+"452 4.3.1 disk full\r\n", "")
				return true
			}
		}, run: func(s *testSetup) {
			m := testMessage(1)
			m.Content = testContentOf(2 << 20)
			r, err := s.send(m)
			if err != nil {
				s.t.Error(err)
			}
			if len(r.Attempts) != 2 || r.Attempts[0].Reply.Code != 452 {
				s.t.Errorf("attempts %+v", r.Attempts)
			}
		}},
		{name: "C7/421", change: inContent(func(t *testSession) {
			_, _ = io.CopyN(io.Discard, t.in, 100<<10)
			t.say(rawReply+"421 4.3.2 shutting down\r\n", "")
		}), run: func(s *testSetup) {
			m := testMessage(1)
			m.Content = testContentOf(2 << 20)
			r, _ := s.send(m)
			s.want(r, Deferred)
			if got := r.Recipients[0].Err.(*Error).Reply.Code; got != 421 {
				s.t.Errorf("reply %d", got)
			}
		}},
		{name: "C7/short", change: inContent(func(t *testSession) { t.say(rawReply+"554 5.7.1 spam\r\n", "") }), run: wantOneOf(Rejected)},
	},
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
		{name: "C13", change: answers("DATA", rawReply+"354 go\r\n250 2.0.0 Ok: queued as EARLY\r\n"), run: func(s *testSetup) {
			r, err := s.send(testMessage(1))
			s.want(r, Deferred)
			s.wantErr(err, smtpwire.ErrProtocol)
		}},
		{name: "C13/in the content", change: inContent(func(t *testSession) {
			_, _ = io.CopyN(io.Discard, t.in, 100<<10)
			t.say(rawReply+"250 2.0.0 Ok: queued as EARLY\r\n", "")
			time.Sleep(time.Second)
			_, _ = readContent(t.in)
		}), run: func(s *testSetup) {
			m := testMessage(1)
			m.Content = testContentOf(2 << 20)
			r, err := s.send(m)
			if o := r.Recipients[0].Outcome; o == Accepted {
				s.t.Errorf("%v", o)
			}
			s.wantErr(err, smtpwire.ErrProtocol)
		}},
		{name: "C15/closed when idle", change: func(_ *Config, rs []*testRelay) {
			rs[0].answer = func(_ int, line string) string {
				if line == "." {
					return usual
				}
				return usual
			}
		}, run: func(s *testSetup) {
			for i := range 10 {
				s.wantAccepted(i)
				s.relays[0].closeAll()
				time.Sleep(time.Duration(i%3) * time.Millisecond)
			}
			for _, st := range s.Stats().Relays {
				if st.Reason != "" {
					s.t.Errorf("the relay is blamed: %s", st.Reason)
				}
			}
		}},
		{name: "C15/421 pending", run: func(s *testSetup) {
			for i := range 10 {
				r := s.wantAccepted(i)
				if len(r.Attempts) != 1 {
					s.t.Errorf("message %d: attempts %+v", i, r.Attempts)
				}
				s.relays[0].sayAll("421 4.4.2 timeout\r\n")
				time.Sleep(time.Duration(i%3) * time.Millisecond)
			}
		}},
		{name: "C15/no retry left", change: noRetry, run: func(s *testSetup) {
			for i := range 10 {
				s.wantAccepted(i)
				s.relays[0].closeAll()
			}
		}},
		{name: "C16/one too many", change: once("RCPT", "250 2.1.5 Ok\r\n250 2.1.5 Ok"), run: wantNeverReused(Deferred)},
		{name: "C16/after the dot", change: once(".", "250 2.0.0 Ok\r\n250 2.0.0 Ok"), run: wantNeverReused(Accepted)},
		{name: "C16/one too few", change: once("MAIL", rawReply), run: wantNeverReused(Deferred)},
		{name: "C16/when idle", run: func(s *testSetup) {
			s.wantAccepted(1)
			s.relays[0].sayAll("250 2.0.0 Ok\r\n")
			time.Sleep(time.Second)
			if s.relays[0].opened() != 0 {
				s.t.Error("the connection is kept")
			}
			s.wantAccepted(2)
		}},
		{name: "C17/SIZE", relays: 2, change: func(_ *Config, rs []*testRelay) { rs[0].ehlo = []string{"SIZE 100"} }, run: wantSkipped},
		{name: "C17/SIZE of all", relays: 2, change: func(_ *Config, rs []*testRelay) {
			rs[0].ehlo, rs[1].ehlo = []string{"SIZE 10"}, []string{"SIZE 20"}
		}, run: wantLacking(testMessage(1))},
		{name: "C17/8BITMIME", relays: 2, change: func(_ *Config, rs []*testRelay) { rs[0].ehlo = []string{"PIPELINING"} }, run: wantSkipped},
		{name: "C17/8BITMIME of none", relays: 2, change: func(_ *Config, rs []*testRelay) {
			rs[0].ehlo, rs[1].ehlo = []string{"PIPELINING"}, nil
		}, run: wantLacking(eightBit(1))},
		{name: "C17/SMTPUTF8 of none", relays: 2, change: func(_ *Config, rs []*testRelay) {
			rs[0].ehlo, rs[1].ehlo = []string{"8BITMIME"}, []string{"8BITMIME"}
		}, run: func(s *testSetup) {
			m := testMessage(1)
			m.Recipients = []string{"m\u00fcller@example.test"}
			wantLacking(m)(s)
		}},
		{name: "C17/REQUIRETLS of none", relays: 1, run: func(s *testSetup) {
			m := testMessage(1)
			m.RequireTLS = true
			wantLacking(m)(s)
		}},
		{name: "C17/out for a moment", relays: 2, change: func(_ *Config, rs []*testRelay) {
			rs[0].ehlo = []string{"PIPELINING"}
			rs[1].answer = func(n int, line string) string {
				if line == "" && n < 3 {
					return "450 4.3.2 in a moment"
				}
				return usual
			}
		}, run: func(s *testSetup) {
			if _, err := s.send(eightBit(1)); err != nil {
				s.t.Error(err)
			}
		}},
	},
)

func inBothModes(name string, relays int, change func(*Config, []*testRelay), run func(*testSetup)) []fault {
	return []fault{
		{name: name, relays: relays, change: change, run: run},
		{name: name + ", lock-step", relays: relays, change: both(change, lockStepped), run: run},
	}
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

// inContent hands the connection over after 354, and closes it then.
func inContent(f func(*testSession)) func(*Config, []*testRelay) {
	return func(_ *Config, rs []*testRelay) {
		rs[0].content = func(_ int, t *testSession) bool { f(t); return true }
	}
}

// cutAfter cuts the connection once the client has sent so much more.
func cutAfter(octets int64, how memnet.Cut) func(*testSession) {
	return func(t *testSession) {
		t.base.(*memnet.Conn).CutReadAfter(octets, how)
		_, _ = io.Copy(io.Discard, t.in)
	}
}

func resend(cfg *Config, _ []*testRelay) { cfg.InDoubt = InDoubtResend }

// wantTwo sends to two recipients and wants one outcome for both, and so many
// relays asked at least.
func wantTwo(o Outcome, asked int) func(*testSetup) {
	return func(s *testSetup) {
		r, err := s.send(testMessageTo(1, 2))
		s.want(r, o, o)
		if o == Rejected {
			s.wantErr(err, ErrRejected)
		}
		n := 0
		for _, relay := range s.relays {
			if len(relay.lines("MAIL")) > 0 {
				n++
			}
		}
		if n < asked {
			s.t.Errorf("%d relays were asked, want %d", n, asked)
		}
	}
}

func wantOne(o Outcome, stage Stage) func(*testSetup) {
	return func(s *testSetup) {
		r, err := s.send(testMessage(1))
		s.want(r, o)
		s.wantStage(err, stage)
	}
}

func wantOneOf(o Outcome) func(*testSetup) {
	return func(s *testSetup) {
		r, _ := s.send(testMessage(1))
		s.want(r, o)
	}
}

func wantContentDeferred(s *testSetup) {
	m := testMessage(1)
	m.Content = testContentOf(2 << 20)
	start := time.Now()
	r, err := s.send(m)
	s.want(r, Deferred)
	s.wantErr(err, ErrDeferred)
	s.wantStage(err, StageContent)
	s.wantTook(start, 0, 5*time.Minute)
}

func wantInDoubt(s *testSetup) {
	r, err := s.send(testMessage(1))
	s.want(r, InDoubt)
	s.wantErr(err, ErrInDoubt)
	s.wantStage(err, StageFinalDot)
	if s.took() != 1 || len(r.Attempts) != 1 {
		s.t.Errorf("%d copies, attempts %+v", s.took(), r.Attempts)
	}
}

// wantNeverReused: whatever becomes of the first message, its connection is not
// used for the next.
func wantNeverReused(o Outcome) func(*testSetup) {
	return func(s *testSetup) {
		first, _ := s.send(testMessage(1))
		if got := first.Recipients[0].Outcome; got != o && got != Accepted {
			s.t.Errorf("%v", got)
		}
		used := s.relays[0].conns
		time.Sleep(time.Millisecond * 10)
		before := len(s.relays[0].lines("MAIL"))
		s.wantAccepted(2)
		if o == Accepted && s.relays[0].conns == used {
			s.t.Error("the connection was used again")
		}
		if len(s.relays[0].lines("MAIL")) == before {
			s.t.Error("nothing was sent")
		}
	}
}

func eightBit(i int) *Message {
	m := testMessage(i)
	m.Content = []byte(testContent + "caf\xc3\xa9\r\n")
	return m
}

// wantSkipped: the first relay lacks what the mail needs and gets none of it.
func wantSkipped(s *testSetup) {
	for i := range 10 {
		m := eightBit(i)
		if _, err := s.send(m); err != nil {
			s.t.Error(err)
		}
	}
	if n := len(s.relays[0].lines("MAIL")); n != 0 {
		s.t.Errorf("%d went to the relay that cannot take them", n)
	}
}

func wantLacking(m *Message) func(*testSetup) {
	return func(s *testSetup) {
		r, err := s.send(m)
		s.want(r, Rejected)
		s.wantErr(err, ErrLacksExtension)
		for _, relay := range s.relays {
			if n := len(relay.lines("MAIL")); n != 0 {
				s.t.Errorf("%d MAIL were sent", n)
			}
		}
	}
}

// closeAll closes all connections from the relay's side.
func (r *testRelay) closeAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for nc := range r.open {
		_ = nc.Close()
	}
}

// sayAll says something unasked for on all connections.
func (r *testRelay) sayAll(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for nc := range r.open {
		_, _ = nc.Write([]byte(text))
	}
}

var _, _ = fmt.Sprint, sync.OnceFunc

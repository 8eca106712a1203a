package mxsend

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// The envelope, up to the reply to DATA.
var faultsEnvelope = slices.Concat(
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
	inBothModes("C2/5yz", 2, first("MAIL", "552 5.3.4 message too big"), wantTwo(Rejected, 1)),
	inBothModes("C2/5yz about the sender", 2, first("MAIL", "550 5.1.8 sender unknown"), wantTwo(Accepted, 2)),
	inBothModes("C2/5yz about one return path", 2, answers("MAIL FROM:<b+7@", "501 5.1.7 Bad sender address syntax"), func(s *testSetup) {
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 200 * time.Millisecond)
				r, err := s.send(testMessage(i))
				if i != 7 {
					s.want(r, Accepted)
					return
				}
				s.want(r, Rejected) // the relays take other mail, so it is this address
				s.wantErr(err, ErrRejected, ErrRelayRefused)
				if !strings.Contains(fmt.Sprint(err), "Message.ReturnPath") {
					s.t.Errorf("%v", err)
				}
			})
		}
		all.Wait()
	}),
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
		{name: "C4/MAIL", change: answers("MAIL", "552 5.3.4 no", "DATA", "354 go ahead"), run: func(s *testSetup) {
			r, _ := s.send(testMessageTo(1, 3))
			s.want(r, Rejected, Rejected, Rejected)
		}},
	},
	inBothModes("C5/4yz", 2, answers("DATA", "451 4.3.0 later"), wantTwo(Deferred, 2)),
	inBothModes("C5/5yz", 2, answers("DATA", "550 5.6.0 no"), wantTwo(Rejected, 1)),
	inBothModes("C5/5yz, before the content was seen", 2, first("DATA", "554 5.7.1 <DATA>: Data command rejected: Access denied"), wantTwo(Accepted, 2)),
	inBothModes("C5/250", 1, answers("DATA", "250 2.0.0 Ok"), func(s *testSetup) {
		wantOne(Deferred, StageData)(s)
		if s.relays[0].dots != 0 {
			s.t.Error("the body was sent")
		}
	}),
	inBothModes("C5/355", 1, answers("DATA", "355 go"), wantOne(Deferred, StageData)),
)

func inBothModes(name string, relays int, change func(*Config, []*testRelay), run func(*testSetup)) []fault {
	return []fault{
		{name: name, relays: relays, change: change, run: run},
		{name: name + ", lock-step", relays: relays, change: both(change, lockStepped), run: run},
	}
}

// lockStepped takes PIPELINING from what the relays offer.
func lockStepped(_ *Config, rs []*testRelay) {
	for _, r := range rs {
		r.ehlo = slices.DeleteFunc(slices.Clone(fullEHLO), func(x string) bool { return x == "PIPELINING" })
	}
}

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

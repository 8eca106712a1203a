package mxsend

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A relay that answers every RCPT 4yz, beside one that is well.
var faultsSick = slices.Concat(
	sickAtRCPT("X.3.0", "451 4.3.0 Temporary lookup failure", true),
	sickAtRCPT("X.3.1", "452 4.3.1 Insufficient system storage", true),
	sickAtRCPT("X.3.5", "451 4.3.5 Server configuration error", true),
	sickAtRCPT("452", "452 Insufficient system storage", true),
	sickAtRCPT("X.7.1", "450 4.7.1 try again later", false),
	sickAtRCPT("X.2.0", "450 4.2.0 Recipient address rejected: try again later", false),
	sickAtRCPT("451", "451 try again later", false),
	[]fault{
		{name: "C27/all", relays: 2, change: answersBetween(0, 30*time.Minute, "RCPT", "452 4.3.1 Insufficient system storage"), run: func(s *testSetup) {
			if got := s.sendAll(s.ctx(), messages(2000)); got[Accepted] != 2000 {
				s.t.Errorf("half an hour of full disks burnt the mailing: %v", got)
			}
		}},
		{name: "C27/one recipient of several", relays: 2, change: answers("RCPT TO:<u7.1@", "451 4.3.0 Temporary lookup failure"), run: func(s *testSetup) {
			for i := range 20 {
				r, _ := s.send(testMessageTo(i, 2))
				want := Accepted
				if i == 7 {
					want = Deferred
				}
				s.want(r, Accepted, want)
			}
			for i, r := range s.Stats().Relays {
				if r.Ejections != 0 {
					s.t.Errorf("relay %d was put out for one recipient's sake", i)
				}
			}
		}},
		{name: "C27/greylisting", relays: 2, change: func(_ *Config, rs []*testRelay) {
			for _, r := range rs { // each keeps its own list, and takes who was there a second ago
				seen := map[string]time.Time{}
				r.answer = func(_ int, line string) string {
					r.mu.Lock()
					defer r.mu.Unlock()
					if !strings.HasPrefix(line, "RCPT") {
						return usual
					}
					if at, known := seen[line]; known && time.Since(at) > 500*time.Millisecond {
						return usual
					} else if !known {
						seen[line] = time.Now()
					}
					return "450 4.2.0 Greylisted"
				}
			}
		}, run: func(s *testSetup) {
			start := time.Now()
			if got := s.sendAll(s.ctx(), messages(300)); got[Accepted] != 300 {
				s.t.Errorf("outcomes %v", got)
			}
			s.wantTook(start, time.Second, 15*time.Second)
			for i, r := range s.Stats().Relays {
				if r.Ejections != 0 {
					s.t.Errorf("relay %d was put out", i)
				}
			}
		}},
	},
)

// sickAtRCPT: Sends take one round more at most, and soon none; a mailing is not
// held up.
func sickAtRCPT(name, reply string, atOnce bool) []fault {
	return []fault{
		{name: "C27/" + name, relays: 2, change: first("RCPT", reply), run: func(s *testSetup) {
			slow := 0
			for i := range 60 {
				start := time.Now()
				r := s.wantAccepted(i)
				if time.Since(start) > 500*time.Millisecond {
					slow++
				}
				if n := strings.Count(fmt.Sprint(r.Attempts), s.relays[0].name); n > 2 { // an Attempt names its relay twice
					s.t.Errorf("message %d went to the sick relay more than once: %v", i, r.Attempts)
				}
			}
			if atOnce && slow > 0 || slow > 25 {
				s.t.Errorf("%d of 60 took over 0.5 s", slow)
			}
			if s.Stats().Relays[0].Ejections == 0 {
				s.t.Error("the sick relay is in")
			}
		}},
		{name: "C27/" + name + ", mailing", relays: 2, change: both(first("RCPT", reply), func(_ *Config, rs []*testRelay) {
			rs[1].delay = 10 * time.Millisecond
		}), run: func(s *testSetup) {
			start := time.Now()
			if got := s.sendAll(s.ctx(), messages(3000)); got[Accepted] != 3000 {
				s.t.Errorf("outcomes %v", got)
			}
			s.wantTook(start, 0, 10*time.Second)
			if n := len(s.relays[0].lines("RCPT")); n > 100 {
				s.t.Errorf("the sick relay was asked %d times", n)
			}
		}},
	}
}

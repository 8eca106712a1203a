package mxsend

import (
	"time"
)

// Connections that are not what they were when the next message comes.
var faultsReuse = []fault{
	{name: "C15/closed when idle", run: func(s *testSetup) {
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
			if n := len(r.Attempts); n > 2 || n == 2 && r.Attempts[0].Reply.Code != 421 {
				s.t.Errorf("message %d: attempts %+v", i, r.Attempts) // the 421, where it came after MAIL was sent, and the new one
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

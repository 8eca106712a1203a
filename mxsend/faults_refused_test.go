package mxsend

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const refusesUs = "554 5.7.1 <app.test[10.0.0.9]>: Client host rejected: Access denied"

// Relays that refuse the client, not the mail.
var faultsRefused = []fault{
	{name: "C22", relays: 2, change: first("RCPT", refusesUs), run: func(s *testSetup) {
		var log bytes.Buffer
		s.Client.cfg.Logger = slog.New(slog.NewTextHandler(lockedBuffer{&log, new(sync.Mutex)}, nil))
		if got := s.sendAll(s.ctx(), messages(1000)); got[Accepted] != 1000 {
			s.t.Errorf("outcomes %v", got)
		}
		if n := len(s.relays[0].lines("RCPT")); n < 20 || n > 60 {
			s.t.Errorf("the relay that refuses us was asked %d times", n)
		}
		st := s.Stats().Relays[0]
		if st.Ejections == 0 || !strings.Contains(s.reason(0), ErrRelayRefused.Error()) {
			s.t.Errorf("%+v, ejected for %q", st, s.reason(0))
		}
		if !strings.Contains(log.String(), "relay put out") || !strings.Contains(log.String(), "mynetworks") {
			s.t.Errorf("log:\n%s", &log)
		}
	}},
	refusedByBoth("C22/both", 0, 0, 3000),
	refusedByBoth("C22/both, few", 0, 0, 5),
	refusedByBoth("C22/both, after a while", 10*time.Millisecond, 300*time.Millisecond, 2000),
	{name: "C22/one relay", change: answers("RCPT", refusesUs), run: func(s *testSetup) {
		r, err := s.send(testMessage(1))
		s.want(r, Deferred)
		s.wantErr(err, ErrRelayRefused)
	}},
	{name: "C22/one recipient", relays: 2, change: answers("RCPT TO:<u7@", "554 5.7.1 <u7@example.test>: Recipient rejected"), run: func(s *testSetup) {
		for i := range 20 {
			r, err := s.send(testMessage(i))
			if i == 7 {
				s.want(r, Rejected)
				s.wantErr(err, ErrRejected)
				if strings.Contains(err.Error(), "u7@") {
					s.t.Errorf("%v", err)
				}
			} else if err != nil {
				s.t.Error(err)
			}
		}
	}},
	{name: "C23", change: func(cfg *Config, rs []*testRelay) {
		cfg.Limits.Connections, cfg.Limits.Reserved = 10, -1
		r := rs[0]
		r.delay = 50 * time.Millisecond
		r.answer = func(_ int, line string) string {
			if line == "" && r.opened() > 4 {
				return "421 4.7.0 Error: too many connections"
			}
			return usual
		}
	}, run: func(s *testSetup) {
		if got := s.sendAll(s.ctx(), messages(1000)); got[Accepted] != 1000 {
			s.t.Errorf("outcomes %v", got)
		}
		st := s.Stats().Relays[0]
		if st.Ejections != 0 || st.Limit > 5 || st.Limit < 3 {
			s.t.Errorf("%+v", st)
		}
	}},
}

func (s *testSetup) reason(i int) string {
	s.Client.mu.Lock()
	defer s.Client.mu.Unlock()
	for _, p := range s.pools {
		return p.relays[i].ejectedFor.Error()
	}
	return ""
}

// refusedByBoth has both relays refuse the client from a time on, for an hour.
func refusedByBoth(name string, delay, after time.Duration, n int) fault {
	slow := func(_ *Config, rs []*testRelay) { rs[0].delay, rs[1].delay = delay, delay }
	return fault{name: name, relays: 2, change: both(slow, answersBetween(after, time.Hour, "RCPT", refusesUs)), run: func(s *testSetup) {
		if got := s.sendAll(s.ctx(), messages(n)); got[Accepted] != n {
			s.t.Errorf("outcomes %v", got)
		}
	}}
}

package mxsend

import (
	"strings"
	"sync"
	"time"
)

// Relays that cannot follow pipelined messages.
var faultsOutOfStep = []fault{
	outOfStepRelay("C24/503 at MAIL", func(line string) bool { return strings.HasPrefix(line, "MAIL") }, "503 5.5.1 Error: nested"),
	outOfStepRelay("C24/554 at DATA", func(line string) bool { return line == "DATA" }, "554 5.5.0 Error: SMTP protocol synchronization"),
	outOfStepRelay("C24/503 at RCPT", func(line string) bool { return strings.HasPrefix(line, "RCPT") }, "503 5.5.1 Error: need MAIL"),
	{name: "C24/554 at the dot", change: func(_ *Config, rs []*testRelay) {
		rs[0].ehlo, rs[0].delay = fullEHLO, 10*time.Millisecond
		busy := map[int]bool{}
		rs[0].answer = func(n int, line string) string {
			rs[0].mu.Lock()
			defer rs[0].mu.Unlock()
			if line == "." && !busy[n] && rs[0].dots%7 == 3 {
				busy[n] = true
				return "554 5.5.0 Error: SMTP protocol synchronization"
			}
			return usual
		}
	}, run: func(s *testSetup) {
		got := s.sendAll(s.ctx(), messages(200))
		if got[Accepted]+got[Rejected] != 200 || got[Accepted] < 190 {
			s.t.Errorf("outcomes %v", got)
		}
	}},
}

// outOfStepRelay complains whenever the envelope of a message comes while the
// content of the one before is unanswered.
func outOfStepRelay(name string, at func(string) bool, reply string) fault {
	return fault{name: name, change: func(cfg *Config, rs []*testRelay) {
		cfg.Limits.Connections, cfg.Limits.Reserved = 2, -1
		r := rs[0]
		last := map[int]time.Time{}
		var mu sync.Mutex
		r.before = func(n int, line string) {
			if line == "." {
				time.Sleep(10 * time.Millisecond)
				mu.Lock()
				last[n] = time.Now()
				mu.Unlock()
			}
		}
		r.answer = func(n int, line string) string {
			mu.Lock()
			defer mu.Unlock()
			if at(line) && last[n].Equal(time.Now()) { // it came with the content
				return reply
			}
			return usual
		}
	}, run: func(s *testSetup) {
		if got := s.sendAll(s.ctx(), messages(100)); got[Accepted] != 100 {
			s.t.Errorf("outcomes %v", got)
		}
		if !s.Stats().Relays[0].LockStep {
			s.t.Error("the relay is not in lock-step")
		}
	}}
}

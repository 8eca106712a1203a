package mxsend

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// A fault is one row of the matrix: relays that misbehave, and what has to come
// of it. inBubble audits every one of them.
type fault struct {
	name   string
	relays int // zero: one
	change func(*Config, []*testRelay)
	run    func(s *testSetup)
}

func TestFaults(t *testing.T) {
	for _, section := range [][]fault{
		faultsA, faultsB, faultsEnvelope, faultsMidContent, faultsDoubt, faultsReuse, faultsLacking, faultsCancel,
		faultsOutage, faultsSlow, faultsRefused, faultsSender, faultsSick, faultsOutOfStep, faultsMachine, faultsStopped, faultsClock, faultsSecrets, faultsF,
	} {
		for _, f := range section {
			t.Run(f.name, func(t *testing.T) { inBubble(t, max(1, f.relays), f.change, f.run) })
		}
	}
	for _, f := range slices.Concat(faultsProcess, faultsLiveClock, faultsCalled) {
		t.Run(f.name, f.run)
	}
}

// answers makes every relay answer by prefix of the line: pairs of prefix and
// reply. "." is the final dot, "" the greeting.
func answers(pairs ...string) func(*Config, []*testRelay) {
	return func(_ *Config, rs []*testRelay) {
		for _, r := range rs {
			r.answer = answer(pairs...)
		}
	}
}

// answer is answers' for one relay.
func answer(pairs ...string) func(int, string) string {
	return func(_ int, line string) string {
		for i := 0; i < len(pairs); i += 2 {
			p := pairs[i]
			if p == line || len(p) > 1 && len(line) > len(p) && line[:len(p)] == p {
				return pairs[i+1]
			}
		}
		return usual
	}
}

// first has only the first relay answer so.
func first(pairs ...string) func(*Config, []*testRelay) {
	return func(_ *Config, rs []*testRelay) { rs[0].answer = answer(pairs...) }
}

// once answers so the first time only.
func once(prefix, reply string) func(*Config, []*testRelay) {
	return func(_ *Config, rs []*testRelay) { rs[0].answer = onceOf(prefix, reply) }
}

// onceOf is once's for one relay.
func onceOf(prefix, reply string) func(int, string) string {
	a, done := answer(prefix, reply), false
	return func(n int, line string) string {
		if done {
			return usual
		}
		reply := a(n, line)
		done = reply != usual
		return reply
	}
}

// answersBetween makes every relay answer so from a time on, until another.
func answersBetween(after, until time.Duration, pairs ...string) func(*Config, []*testRelay) {
	return func(_ *Config, rs []*testRelay) {
		for _, r := range rs {
			r.answer = between(after, until, answer(pairs...))
		}
	}
}

// between answers so during a span of time after the first call.
func between(after, until time.Duration, a func(int, string) string) func(int, string) string {
	var mu sync.Mutex
	var start time.Time
	return func(n int, line string) string {
		mu.Lock()
		defer mu.Unlock()
		if start.IsZero() {
			start = time.Now()
		}
		if d := time.Since(start); d < after || d >= until {
			return usual
		}
		return a(n, line)
	}
}

func noRetry(cfg *Config, _ []*testRelay) {
	cfg.Retry = noRetryNow
}

func noRetryNow() backoff.BackOff { return &backoff.StopBackOff{} }

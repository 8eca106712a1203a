package mxsend

import (
	"slices"
	"testing"
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
	for _, section := range [][]fault{faultsA, faultsB, faultsC, faultsCancel, faultsRelays, faultsStopped, faultsClock, faultsF} {
		for _, f := range section {
			t.Run(f.name, func(t *testing.T) { inBubble(t, max(1, f.relays), f.change, f.run) })
		}
	}
	for _, f := range slices.Concat(faultsProcess, faultsLiveClock) {
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
	return func(_ *Config, rs []*testRelay) {
		a, done := answer(prefix, reply), false
		rs[0].answer = func(n int, line string) string {
			if done {
				return usual
			}
			reply := a(n, line)
			done = reply != usual
			return reply
		}
	}
}

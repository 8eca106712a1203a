package mxsend

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestHealthFail(t *testing.T) {
	// Each letter is an event a second after the one before, or once the relay is
	// in again: f a failure, c one of connecting, s a success; the last one's
	// sentence is wanted.
	for _, tt := range []struct {
		name, events string
		last         bool
		eject        bool
		wait         time.Duration
	}{
		{"one failure", "f", false, false, 0},
		{"four failures", "ffff", false, false, 0},
		{"five in a row", "fffff", false, true, 5 * time.Second},
		{"five with a success between", "ffffsf", false, false, 0},
		{"a failure of the probe", "ffffff", false, true, 10 * time.Second},
		{"doubling", "fffffffff", false, true, 80 * time.Second},
		{"to its bound", "ffffffffffffffffffff", false, true, 300 * time.Second},
		{"begins anew after a success", "ffffffffffsfffff", false, true, 5 * time.Second},
		{"one failure to connect", "c", false, false, 100 * time.Millisecond},
		{"two", "cc", false, false, 200 * time.Millisecond},
		{"the last relay is never ejected", "fffff", true, false, time.Second},
		{"the last relay pauses longer", "fffffffff", true, false, 16 * time.Second},
		{"but not for ever", "ffffffffffffffffff", true, false, 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var h health
			var got sentence
			now := pickNow
			for _, e := range tt.events {
				now = now.Add(time.Second)
				if h.until.After(now) {
					now = h.until
				}
				if e == 's' {
					h.succeed(now)
					continue
				}
				got = h.fail(now, e == 'c', tt.last, 0.5)
			}
			if want := (sentence{tt.eject, tt.wait}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestHealthShare(t *testing.T) {
	var h health
	now := pickNow
	for i := range 10 {
		now = now.Add(100 * time.Millisecond)
		h.succeed(now)
		if s := h.fail(now, false, false, 0.5); s.eject != (i == 9) {
			t.Fatalf("after %d of each within a second: %+v", i+1, s)
		}
	}
	h = health{}
	for range 100 { // the same share, but spread over time
		now = now.Add(2 * time.Second)
		h.succeed(now)
		if s := h.fail(now, false, false, 0.5); s.eject {
			t.Fatalf("ejected by failures every two seconds")
		}
	}
}

func TestHealthRefuse(t *testing.T) {
	var h health
	h.succeed(pickNow)
	for i := 1; i <= 25; i++ {
		s := h.refuse(pickNow, false, 0.5)
		if s.eject != (i == 20) { // the others were begun before it was put out
			t.Fatalf("refusal %d: %+v", i, s)
		}
		if believable := h.believable(pickNow); believable != (i <= 2) {
			t.Fatalf("refusal %d: believable %v", i, believable)
		}
	}
	if !h.succeed(pickNow) || !h.believable(pickNow) || !h.well() {
		t.Errorf("not taken back: %+v", h)
	}
	if (&health{}).believable(pickNow) {
		t.Error("a relay that never accepted anything is believed")
	}
}

// Of any number of relays, however they fail, the last usable one is not ejected;
// and no sentence is out of bounds.
func TestLastRelayStays(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 3))
		n := 1 + random.IntN(4)
		c := &Client{cfg: Config{Observer: &Observer{}, Logger: discard}}
		p := &pool{}
		for i := range n {
			p.relays = append(p.relays, &relay{pool: p, at: i})
			k := ready(i+1, 1)
			p.candidates = append(p.candidates, k)
		}
		now := pickNow
		for range 500 {
			now = now.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
			r := p.relays[random.IntN(n)]
			if random.IntN(10) == 0 {
				r.health.succeed(now)
				continue
			}
			if !r.candidate().usable(now) {
				continue // nothing is sent there that could fail
			}
			last := !p.othersUsable(r, now)
			s := r.health.fail(now, random.IntN(2) == 0, last, random.Float64())
			if last && s.eject {
				t.Fatalf("seed %d: the last relay was ejected", seed)
			}
			if most := ejectMost * 12 / 10; s.wait < 0 || s.wait > most {
				t.Fatalf("seed %d: %+v", seed, s)
			}
			if last && s.wait > lastRelayMost*12/10 {
				t.Fatalf("seed %d: the last relay is out for %v", seed, s.wait)
			}
			c.carryOut(s, r, now, errTest)
		}
	}
}

func TestJitter(t *testing.T) {
	for _, random := range []float64{0, 0.25, 0.5, 0.999999} {
		if d := jitter(time.Second, random); d < 800*time.Millisecond || d > 1200*time.Millisecond {
			t.Errorf("%v: %v", random, d)
		}
	}
	if d := jitter(time.Second, 0.5); d != time.Second {
		t.Errorf("%v", d)
	}
}

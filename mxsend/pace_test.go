package mxsend

import (
	"testing"
	"time"
)

// placed has a transactional message a tenth of a second for so long, each over the
// relay that pick names, which takes as long as took says; it returns how many each got.
func placed(took func(relay int, at time.Duration) time.Duration, length time.Duration) (got [2]int, runs int) {
	cs := []candidate{ready(1, 1), ready(2, 1)}
	type flying struct {
		relay int
		began time.Time
		ends  time.Time
	}
	var air []flying
	last := -1
	for at := time.Duration(0); at < length; at += 100 * time.Millisecond {
		now := pickNow.Add(at)
		rest := air[:0]
		for _, f := range air {
			if f.ends.After(now) {
				rest = append(rest, f)
				continue
			}
			cs[f.relay].inFlight--
			cs[f.relay].lastOctet = now
			cs[f.relay].pace.take(f.ends, f.ends.Sub(f.began))
		}
		air = rest
		use := pick(cs, &want{lane: Transactional, now: now}).use
		if use < 0 {
			continue
		}
		got[use]++
		if use != last {
			runs++
		}
		last = use
		cs[use].inFlight++
		cs[use].lastOctet = now
		air = append(air, flying{use, now, now.Add(took(use, at))})
	}
	return got, runs
}

// A transactional message goes to the relay that is fast, without swinging between
// the two; where they are alike the shares are even; and a relay that was slow gets
// its share again.
func TestPickFast(t *testing.T) {
	slowFirst := func(relay int, _ time.Duration) time.Duration {
		return []time.Duration{1100 * time.Millisecond, 100 * time.Millisecond}[relay]
	}
	got, runs := placed(slowFirst, 5*time.Minute)
	if got[0] > 60 || got[0] < 3 || runs > 2*got[0]+1 {
		t.Errorf("slow and fast had %v in %d runs", got, runs)
	}
	alike := func(relay int, _ time.Duration) time.Duration {
		return []time.Duration{90 * time.Millisecond, 60 * time.Millisecond}[relay]
	}
	if got, _ := placed(alike, 5*time.Minute); got[0] != got[1] {
		t.Errorf("relays that are alike had %v", got)
	}
	mended := func(relay int, at time.Duration) time.Duration {
		if at < time.Minute {
			return slowFirst(relay, at)
		}
		return 50 * time.Millisecond
	}
	if got, _ := placed(mended, 5*time.Minute); got[0] < 900 {
		t.Errorf("a relay that was slow for a minute of five had %v", got)
	}
}

func TestSlowness(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		cost, fastest time.Duration
		want          int
	}{{0, 0, 1}, {0, 100 * ms, 1}, {1 * ms, 100, 1}, {299 * ms, 100 * ms, 1}, {300 * ms, 100 * ms, 3}, {1100 * ms, 100 * ms, 11}, {time.Hour, ms, paceMost}} {
		if got := slowness(tt.cost, tt.fastest); got != tt.want {
			t.Errorf("%v beside %v: got %d, want %d", tt.cost, tt.fastest, got, tt.want)
		}
	}
}

// However early or late a client was started, it asks within the last fifth.
func TestAheadOf(t *testing.T) {
	expires := pickNow.Add(time.Minute)
	for random, want := range map[float64]time.Duration{0: 60 * time.Second, 0.5: 54 * time.Second, 1: 48 * time.Second} {
		if got := aheadOf(expires, pickNow, random).Sub(pickNow); got != want {
			t.Errorf("%v: after %v, want %v", random, got, want)
		}
	}
	if !aheadOf(time.Time{}, pickNow, 0.5).IsZero() {
		t.Error("an answer that never expires does")
	}
}

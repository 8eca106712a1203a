package mxsend

import (
	"math"
	"time"
)

// pace is how long a relay takes for a message, for the choice of a relay for a
// transactional one: peak EWMA, as Finagle has it. A longer time counts at once, a
// shorter one by and by, and the whole decays while nothing is heard, so that a
// relay which is avoided for its slowness is tried again now and then.
type pace struct {
	cost time.Duration
	at   time.Time
}

const (
	// paceDecay is in how long what was measured falls to a third.
	paceDecay = 10 * time.Second
	// paceFloor: relays that take less are all fast.
	paceFloor = 20 * time.Millisecond
	// paceBucket: a relay that takes less than so many times as long as the fastest is no
	// slower, so that relays that are alike are balanced by weight alone. paceMost bounds
	// how many messages in flight a fast one is given before a slow one.
	paceBucket, paceMost = 3, 32
)

// take takes in how long a message took.
func (p *pace) take(now time.Time, took time.Duration) {
	w := p.decay(now)
	p.cost = max(took, time.Duration(w*float64(p.cost)+(1-w)*float64(took)))
	p.at = now
}

// now is the cost with what it decayed since it was last taken in; zero: unknown.
func (p *pace) now(now time.Time) time.Duration {
	return time.Duration(p.decay(now) * float64(p.cost))
}

func (p *pace) decay(now time.Time) float64 {
	if p.cost == 0 {
		return 0
	}
	return math.Exp(-float64(now.Sub(p.at)) / float64(paceDecay))
}

// slowness is how many times as long as the fastest a relay takes, in whole numbers.
func slowness(cost, fastest time.Duration) int {
	times := int(cost / max(fastest, paceFloor))
	if times < paceBucket {
		return 1
	}
	return min(times, paceMost)
}

package mxsend

import "time"

// How much a relay bears: how long it takes, and how many connections Bulk may have
// to it for that.

// timed takes in how long a transaction took, MAIL to the reply to the final dot.
func (r *relay) timed(took time.Duration, lane Lane) {
	r.latencies[lane-Transactional].add(took)
	if r.latency == 0 {
		r.latency, r.calm = took, took
	}
	r.latency += (took - r.latency) / 8
	// The calm latency follows downwards at once, and upwards slowly: what lasts
	// for some hundred transactions is what the relay is like.
	r.calm = min(took, r.calm+r.calm/256+1)
}

// climbing says whether the relay takes much longer than it used to, as Postfix
// does on purpose when mail comes in faster than its queue manager takes it
// (in_flow_delay).
func (r *relay) climbing() bool {
	const much = 500 * time.Millisecond
	return r.latency > much && r.latency > 4*r.calm
}

// tighten leaves Bulk fewer connections to a relay that shows strain; ease gives
// one back after a clean while (additive increase, multiplicative decrease).
func (r *relay) tighten(now time.Time) bool {
	const pause = time.Second // what is one event to the relay shall not count twice
	if now.Sub(r.eased) < pause {
		return false
	}
	k := r.candidate()
	r.window, r.eased = max(1, 0.7*float64(k.bulkLimit)), now
	return true
}

func (r *relay) ease(now time.Time) bool {
	const clean = 5 * time.Second
	if r.window == 0 || now.Sub(r.eased) < clean {
		return false
	}
	r.eased = now
	const surely = 1 << 10
	if r.window++; r.window > surely {
		r.window = 0
	}
	return true
}

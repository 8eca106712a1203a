package mxsend

import (
	"errors"
	"fmt"
	"maps"
	"time"
)

// Stats is a snapshot of a Client.
type Stats struct {
	Transactional, Bulk LaneStats
	Relays              []RelayStats // of every mail domain, in DNS's order
}

// LaneStats are a lane's.
type LaneStats struct {
	Queued   int                // messages that are ready and wait for a free place
	Waiting  int                // messages that wait for their next round
	Held     bool               // no relay is usable
	Outcomes map[Outcome]uint64 // recipients, since New
}

// RelayStats are a relay's.
type RelayStats struct {
	Domain      string // mail domain that it was found by
	Name        string
	Port        int
	Preference  int
	Weight      int
	Connections int                // open, or being opened
	Limit       int                // of connections, as configured or learned
	BulkLimit   int                // of those, for Bulk
	InFlight    int                // messages on its connections
	Outcomes    map[Outcome]uint64 // recipients that it gave their outcome, Accepted and Rejected
	Ejections   uint64
	OutUntil    time.Time                               // zero unless it is put out or cooling down
	Reason      string                                  // why it last failed; empty where it is well
	Latency     time.Duration                           // smoothed: MAIL to the reply to the final dot
	Latencies   struct{ Transactional, Bulk Histogram } // the same, one by one, since New
	LockStep    bool                                    // it is not sent commands in groups, having answered out of step
	Extensions  []string                                // EHLO keywords of the last connection
}

// Stats returns a snapshot.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	s := Stats{Transactional: c.lanes[0].stats(now), Bulk: c.lanes[1].stats(now)}
	seen := map[*pool]bool{}
	for _, l := range c.lanes {
		if !seen[l.pool] {
			seen[l.pool] = true
			for _, r := range l.pool.relays {
				s.Relays = append(s.Relays, r.stats(now))
			}
		}
	}
	return s
}

func (l *lane) stats(now time.Time) LaneStats {
	return LaneStats{
		Queued: l.queue.n, Waiting: l.waiting.n,
		Held:     l.pool.known && !l.pool.usable(now),
		Outcomes: outcomes(l.outcomes),
	}
}

func outcomes(n [5]uint64) map[Outcome]uint64 {
	m := make(map[Outcome]uint64, len(n))
	for o, v := range n {
		m[Outcome(o)] = v
	}
	return m
}

func (r *relay) stats(now time.Time) RelayStats {
	k := r.candidate()
	s := RelayStats{
		Domain: r.pool.domain, Name: r.name, Port: r.port, Preference: k.preference, Weight: k.weight,
		Connections: k.conns, Limit: k.limit, BulkLimit: k.bulkLimit, InFlight: k.inFlight,
		Outcomes: outcomes(r.outcomes), Ejections: r.ejections, Latency: r.latency,
		LockStep: now.Before(r.lockStepUntil), Extensions: r.extensions,
	}
	s.Latencies.Transactional, s.Latencies.Bulk = r.latencies[0], r.latencies[1]
	for _, cn := range r.conns {
		if cn.cur == nil && cn.counted.busy { // it rests
			s.InFlight--
		}
	}
	if now.Before(k.notBefore) {
		s.OutUntil = k.notBefore
	}
	if r.lastErr != nil {
		s.Reason = r.lastErr.Error()
	}
	return s
}

// SetWeights replaces Config.Weights, to drain a relay (0), or to warm one up. It
// takes effect at once; what is on a connection stays there.
func (c *Client) SetWeights(weights map[string]int) error {
	var errs []error
	own := make(map[string]int, len(weights))
	for name, w := range maps.All(weights) {
		if err := checkWeight(name, w); err != nil {
			errs = append(errs, err)
		}
		own[canonicalHost(name)] = w
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("SetWeights changed nothing: %w", err)
	}
	c.mu.Lock()
	defer c.unlock()
	c.cfg.Weights = own
	for _, p := range c.pools {
		c.applyWeights(p)
	}
	c.noteWeights()
	c.dispatch(time.Now())
	return nil
}

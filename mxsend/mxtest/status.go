package mxtest

import "slices"

// A State is what a relay's machine does.
type State uint8

// The states.
const (
	Running    State = iota
	Stopped          // see [Relay.Stop]
	BlackHoled       // see [Relay.BlackHole]
)

// String names the state.
func (s State) String() string {
	switch s {
	case Stopped:
		return "stopped"
	case BlackHoled:
		return "black-holed"
	}
	return "running"
}

// A RelayStatus is what a relay is doing at one moment.
type RelayStatus struct {
	State        State
	Sessions     int // open client sessions
	Waiting      int // of those: without a greeting, see [Relay.Waiting]
	Transactions int // client transactions between MAIL and the reply to the final dot
	Queues       Queues
	Limits       Limits
	Faults       []Fault // those that are left; Times counts down
}

// Status says what the relay is doing.
func (r *Relay) Status() RelayStatus {
	s := RelayStatus{Transactions: int(r.open.Load())}
	r.e.mu.Lock()
	s.Queues = Queues(r.queue.Counts())
	switch {
	case r.halted:
		s.State = Stopped
	case r.blackHoled:
		s.State = BlackHoled
	}
	r.e.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Sessions, s.Waiting, s.Limits = len(r.sessions), len(r.admission.waiting), r.limits
	for _, f := range r.faults {
		left := f.Fault
		if left.Times != Always {
			left.Times -= max(0, f.matched-f.Skip)
		}
		s.Faults = append(s.Faults, left)
	}
	return s
}

// Graveyard reports whether the relay is a graveyard.
func (r *Relay) Graveyard() bool { return r.graveyard }

// DestinationCounts says where the recipients at a destination are.
type DestinationCounts struct{ Queued, Deferred, Delivered, Bounced, Lost int }

func (c *DestinationCounts) add(p Place, n int) {
	switch p {
	case Queued:
		c.Queued += n
	case Deferred:
		c.Deferred += n
	case Delivered:
		c.Delivered += n
	case Bounced:
		c.Bounced += n
	case Lost:
		c.Lost += n
	}
}

// Destinations are the mail domains of the world outside that were scripted or written to, in that order.
func (c *Cluster) Destinations() []*Destination {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	return slices.Clone(c.engine.outside[1:])
}

// Domain is the destination's name.
func (d *Destination) Domain() string { return d.domain }

// Rules is the destination's script.
func (d *Destination) Rules() []Rule {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.rules)
}

// DestinationCounts says where the recipients at a mail domain are.
func (l *Ledger) DestinationCounts(domain string) DestinationCounts {
	l.e.mu.Lock()
	defer l.e.mu.Unlock()
	if id, ok := l.e.dests[key(domain)]; ok {
		return l.e.places[id]
	}
	return DestinationCounts{}
}

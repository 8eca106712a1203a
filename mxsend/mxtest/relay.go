package mxtest

import (
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mxsend/go-mxsend/internal/relaymodel"
)

// A Relay is a primary or graveyard of a cluster. Its methods are safe for concurrent use.
type Relay struct {
	c         *Cluster
	e         *engine
	index     int32
	name, ip  string
	graveyard bool
	cfg       RelayConfig  // defaults filled in
	faulty    atomic.Int32 // number of faults, so that sessions without look no further
	open      atomic.Int32 // client transactions under way

	// Guarded by engine.mu.
	queue      *relaymodel.Queue
	halted     bool
	blackHoled bool
	wiped      int        // disks lost
	suspended  []*running // deliveries that ended while it was stopped

	mu          sync.Mutex // guards below
	faults      []*faultState
	limits      Limits
	listener    net.Listener
	listen      string
	sessions    map[*session]struct{}
	transcripts []*transcript
	admission   admission
}

// A faultState is a fault and how often it has matched.
type faultState struct {
	Fault
	matched int
}

// Name is the relay's host name, "p1.mail.test".
func (r *Relay) Name() string { return r.name }

// Addr is the relay's address in the cluster, "10.0.0.11:25", as [Cluster.Dial] takes it.
func (r *Relay) Addr() string { return net.JoinHostPort(r.ip, strconv.Itoa(r.c.cfg.Port)) }

// ListenAddr is the loopback address behind it, for clients that cannot use [Cluster.Dial]: "127.0.0.1:40321".
// With Config.Memory it is Addr.
func (r *Relay) ListenAddr() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.listen
}

// Stop stops the relay as a machine that is switched off: connections are refused, open ones are reset, its
// queues wait. Stopping a stopped relay does nothing.
func (r *Relay) Stop() {
	r.e.mu.Lock()
	r.halted = true
	r.e.notify()
	r.e.mu.Unlock()
	r.c.net.stop(r)
	for _, s := range r.current() {
		s.reset()
	}
}

// BlackHole takes the relay off the network: connecting to it hangs, open connections hear nothing more.
// Its queues go on.
func (r *Relay) BlackHole() {
	r.e.mu.Lock()
	r.blackHoled = true
	r.e.mu.Unlock()
	r.c.net.blackHole(r)
	for _, s := range r.current() {
		s.silence()
	}
}

// Start ends Stop and BlackHole. Connections from before stay dead.
func (r *Relay) Start() {
	if err := r.c.net.start(r); err != nil {
		r.c.fail("mxtest: starting relay %s: %v", r.name, err)
		return
	}
	for _, s := range r.current() {
		if s.silenced() {
			s.reset()
		}
	}
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	r.halted, r.blackHoled = false, false
	now := r.e.now()
	for _, run := range r.suspended {
		r.e.finish(now, run)
	}
	r.suspended = nil
	r.e.pump(now)
}

// current lists the open sessions.
func (r *Relay) current() []*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*session, 0, len(r.sessions))
	for s := range r.sessions {
		list = append(list, s)
	}
	return list
}

// Inject adds faults; the first that matches strikes. A fault that makes no sense is tb.Fatal, or a panic in a cluster of [Start].
func (r *Relay) Inject(faults ...Fault) {
	for _, f := range faults {
		if err := f.validate(); err != nil {
			r.c.fail("%v", err)
			return
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range faults {
		if f.Kind >= TLSStripped {
			f.At = AtStartTLS
		}
		if f.Times == 0 {
			f.Times = 1
		}
		r.faults = append(r.faults, &faultState{Fault: f})
	}
	r.faulty.Store(int32(len(r.faults)))
}

// ClearFaults forgets all faults. Those that are striking go on.
func (r *Relay) ClearFaults() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = nil
	r.faulty.Store(0)
}

// fault gives the fault that strikes at a stage of a session, if one does: the kinds are those of the stage's own faults, or
// with tls those of TLS.
func (r *Relay) fault(stage Stage, wanted func(FaultKind) bool, recipients []envelopeRcpt) (Fault, bool) {
	if r.faulty.Load() == 0 {
		return Fault{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, f := range r.faults {
		if f.At != stage || !wanted(f.Kind) {
			continue
		}
		if f.Recipient != "" && !slices.ContainsFunc(recipients, func(to envelopeRcpt) bool { return matches(f.Recipient, to.address) }) {
			continue
		}
		f.matched++
		if f.matched <= f.Skip {
			continue
		}
		if f.Times != Always && f.matched == f.Skip+f.Times {
			r.faults = slices.Delete(r.faults, i, i+1)
			r.faulty.Store(int32(len(r.faults)))
		}
		return f.Fault, true
	}
	return Fault{}, false
}

// asFallback is how the relay meets a recipient that another hands over to it.
func (r *Relay) asFallback(address string) Behaviour {
	to := []envelopeRcpt{{address: address}}
	for stage := AtGreeting; stage <= AtDot; stage++ {
		if stage == AtStartTLS || stage == AtAuth {
			continue
		}
		f, ok := r.fault(stage, plain, to)
		if !ok {
			continue
		}
		switch f.Kind {
		case Answer:
			if f.Reply[0] >= '4' {
				at := stage
				if at == AtContent {
					at = AtDot
				}
				return Reject(at, f.Reply)
			}
		case Cut, Reset, RawCut, Stall:
			return Drop(stage)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.queue.Counts(); r.limits.Messages > 0 && c.Incoming+c.Active+c.Deferred >= r.limits.Messages {
		return Reject(AtMail, "452 4.3.1 Insufficient system storage")
	}
	return Accept()
}

// plain are the kinds of fault that are not of TLS.
func plain(k FaultKind) bool { return k < TLSStripped }

// SetLimits replaces the relay's limits.
func (r *Relay) SetLimits(l Limits) {
	if err := l.validate(); err != nil {
		r.c.fail("%v", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limits = l
}

// limit gives the limits of the moment.
func (r *Relay) limit() Limits {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.limitLocked()
}

// limitLocked is Limits with what main.cf sets beside it. mu is held.
func (r *Relay) limitLocked() Limits {
	l := r.limits
	if n := r.cfg.SMTPDClientConnectionCountLimit; n > 0 && (l.ClientConnections == 0 || n < l.ClientConnections) {
		l.ClientConnections = n
	}
	return l
}

// Queues are the numbers of messages in a relay's queues, notifications included.
type Queues struct{ Incoming, Active, Deferred int }

// Queues counts the relay's queues.
func (r *Relay) Queues() Queues {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	return Queues(r.queue.Counts())
}

// Flush makes all deferred mail due now, as postqueue -f.
func (r *Relay) Flush() {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	now := r.e.now()
	r.queue.Flush(now)
	r.e.pump(now)
}

// Wipe loses the relay's disk: all mail in its queues is Lost.
func (r *Relay) Wipe() {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	r.wiped++
	r.e.lose(r)
	r.queue.Reset()
	r.routes()
	r.e.pump(r.e.now())
}

// fallbacks are the relays that smtp_fallback_relay names, in the order they are tried: as written, and the hosts of a
// name by preference, equal ones in any order.
func (r *Relay) fallbacks(e *engine) []*Relay {
	var list []*Relay
	for _, entry := range r.cfg.SMTPFallbackRelay {
		if host, ok := bracketed(entry); ok {
			if g := e.relay(host); g != nil {
				list = append(list, g)
			}
			continue
		}
		mx := r.c.dns.MX(strings.ToLower(entry))
		rand.Shuffle(len(mx), func(i, j int) { mx[i], mx[j] = mx[j], mx[i] })
		slices.SortStableFunc(mx, func(a, b MX) int { return int(a.Preference) - int(b.Preference) })
		for _, m := range mx {
			if g := e.relay(m.Host); g != nil {
				list = append(list, g)
			}
		}
	}
	return list
}

// bracketed takes "[host]" or "[host]:port" apart.
func bracketed(entry string) (host string, ok bool) {
	if !strings.HasPrefix(entry, "[") {
		return "", false
	}
	host, _, ok = strings.Cut(entry[1:], "]")
	return strings.ToLower(host), ok
}

// relay finds a relay by name or address.
func (e *engine) relay(host string) *Relay {
	for _, r := range e.relays {
		if r.name == host || r.ip == host {
			return r
		}
	}
	return nil
}

// network is what a greylisting destination remembers of the relay: its /24.
func (r *Relay) network() string {
	net, _, _ := cutLast(r.ip, '.')
	return net
}

// transport is the number of a destination's transport.
func (r *Relay) transport(domain string) int {
	return slices.Index(r.transportNames(), r.cfg.TransportMaps[domain])
}

// routes tells the queue of the destinations that are known already.
func (r *Relay) routes() {
	for domain, id := range r.e.dests {
		if t := r.transport(domain); t > 0 {
			r.queue.Route(id, t)
		}
	}
}

package memnet

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// Defaults of the zero Config.
const (
	defaultBuffer  = 256 << 10
	defaultBacklog = 4096
)

// Config says how the network carries octets. The zero value is a network without delay.
type Config struct {
	Latency   time.Duration // one way, of every segment and datagram; zero: none
	Bandwidth int           // octets a second per connection and direction; zero: unlimited
	Buffer    int           // octets in flight and unread per direction before Write blocks; zero: 256 KiB
	Backlog   int           // connections a listener holds that nobody has accepted; zero: 4096, Linux's bound
}

// HostState says how a host answers.
type HostState uint8

const (
	Up          HostState = iota // listens where there is a listener, refuses elsewhere
	Refuse                       // refuses every new connection: ECONNREFUSED
	BlackHole                    // answers nothing: dials hang, and established connections fall silent both ways
	Unreachable                  // has no route: new connections fail at once with ENETUNREACH
)

// String names the state.
func (s HostState) String() string {
	switch s {
	case Up:
		return "up"
	case Refuse:
		return "refuse"
	case BlackHole:
		return "black hole"
	case Unreachable:
		return "unreachable"
	}
	return "unknown"
}

// Network is a set of hosts, named by their IP addresses, that reach each other. Any address can be
// listened on and dialled. It is safe for concurrent use.
type Network struct {
	cfg Config

	// mu guards all below, and every listener's queue. A connection's own lock may be taken under it,
	// never the other way round. Nothing waits under it.
	mu        sync.Mutex
	listeners map[netip.AddrPort]*Listener
	packets   map[netip.AddrPort]*PacketConn
	conns     map[*Conn]struct{}       // both ends of every connection, until each is closed
	ports     map[netip.AddrPort]bool  // dialling ends' addresses
	hosts     map[netip.Addr]HostState // absent: Up
	changed   chan struct{}            // closed and replaced when a host or a backlog changes
	lastPort  uint16
	stats     Stats // of what is closed
}

// New returns a network without listeners in which every host is Up.
func New(cfg Config) *Network {
	if cfg.Buffer <= 0 {
		cfg.Buffer = defaultBuffer
	}
	if cfg.Backlog <= 0 {
		cfg.Backlog = defaultBacklog
	}
	return &Network{
		cfg:       cfg,
		listeners: make(map[netip.AddrPort]*Listener),
		packets:   make(map[netip.AddrPort]*PacketConn),
		conns:     make(map[*Conn]struct{}),
		ports:     make(map[netip.AddrPort]bool),
		hosts:     make(map[netip.Addr]HostState),
		changed:   make(chan struct{}),
		lastPort:  firstPort - 1,
	}
}

// SetHost sets how the host of the given IP address answers from now on. Refuse and Unreachable concern
// new connections and datagrams only. It panics if ip is no IP address.
func (n *Network) SetHost(ip string, s HostState) {
	addr := netip.MustParseAddr(ip).Unmap()
	n.mu.Lock()
	defer n.mu.Unlock()
	if s == Up {
		delete(n.hosts, addr)
	} else {
		n.hosts[addr] = s
	}
	for c := range n.conns {
		if c.role == dialled { // once a connection
			c.hold(n.silentLocked(c.local) || n.silentLocked(c.remote))
		}
	}
	n.announceLocked()
}

// Host tells how the host of the given IP address answers. It panics if ip is no IP address.
func (n *Network) Host(ip string) HostState {
	addr := netip.MustParseAddr(ip).Unmap()
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hosts[addr]
}

// ResetHost resets every connection of the host of the given IP address, as the death of its process
// would, and returns how many there were. Listeners stay. It panics if ip is no IP address.
func (n *Network) ResetHost(ip string) int {
	addr := netip.MustParseAddr(ip).Unmap()
	var ends []*Conn
	n.mu.Lock()
	for c := range n.conns {
		if c.local.Addr() == addr {
			ends = append(ends, c)
		}
	}
	n.mu.Unlock()
	for _, c := range ends {
		c.Reset()
	}
	return len(ends)
}

// Stats counts what a network carries and has carried.
type Stats struct {
	Dialled    int   // connections established by Dial
	Open       int   // ends of connections not closed by their owner; zero when nothing leaks
	Listeners  int   // open listeners
	Packets    int   // open datagram sockets
	Sent       int64 // stream octets written by dialling ends
	Received   int64 // stream octets written by accepting ends
	RoundTrips int   // times a dialling end wrote after having read: the round trips it waited for
	Datagrams  int   // datagrams sent
	Dropped    int   // datagrams that reached nobody
}

// Stats returns a snapshot.
func (n *Network) Stats() Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.stats
	s.Open, s.Listeners, s.Packets = len(n.conns), len(n.listeners), len(n.packets)
	for c := range n.conns {
		s.add(c)
	}
	return s
}

// add counts an end's traffic.
func (s *Stats) add(c *Conn) {
	cs := c.Stats()
	if c.role == dialled {
		s.Sent += cs.Sent
		s.RoundTrips += cs.RoundTrips
	} else {
		s.Received += cs.Sent
	}
}

func (n *Network) silentLocked(addr netip.AddrPort) bool { return n.hosts[addr.Addr()] == BlackHole }

// announceLocked wakes the dials that wait for a host or for room in a backlog.
func (n *Network) announceLocked() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// forget removes an end that its owner closed.
func (n *Network) forget(c *Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, open := n.conns[c]; !open {
		return
	}
	delete(n.conns, c)
	if c.role == dialled {
		delete(n.ports, c.local)
	}
	n.stats.add(c)
}

// delays says whether octets take any time.
func (n *Network) delays() bool { return n.cfg.Latency > 0 || n.cfg.Bandwidth > 0 }

var (
	_ net.Conn       = (*Conn)(nil)
	_ net.Conn       = (*PacketConn)(nil)
	_ net.PacketConn = (*PacketConn)(nil)
	_ net.Listener   = (*Listener)(nil)
)

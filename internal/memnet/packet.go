package memnet

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// maxDatagram is the largest payload of UDP over IPv4.
const maxDatagram = 65507

// datagram is a datagram under way or unread, or the news that one reached nobody.
type datagram struct {
	data []byte
	from netip.AddrPort
	at   time.Time
	err  error
}

// PacketConn is a datagram socket: from ListenPacket bound to an address, from Dial connected to one, and
// then deaf to every other. It is safe for concurrent use.
type PacketConn struct {
	net    *Network
	local  netip.AddrPort
	remote netip.AddrPort // invalid: not connected

	mu       sync.Mutex // guards the rest; may be taken under Network.mu
	reads    gate
	queue    []datagram
	octets   int // in queue
	closed   bool
	deadline time.Time // of reads; writes never wait
	wexpire  time.Time
}

// ListenPacket binds an IPv4 or IPv6 address for "udp", "udp4" or "udp6". Port 0 chooses one that is
// free. What a socket bound to an unspecified IP address sends comes from the loopback address.
func (n *Network) ListenPacket(network, address string) (net.PacketConn, error) {
	addr, err := parseAddress(network, "udp", address)
	if err != nil {
		return nil, listenError(network, addr, err)
	}
	c, err := n.bind(addr, netip.AddrPort{})
	if err != nil {
		return nil, listenError(network, addr, err)
	}
	return c, nil
}

func (n *Network) dialPacket(network, local, address string) (*PacketConn, error) {
	to, err := parseAddress(network, "udp", address)
	if err != nil {
		return nil, dialError(network, to, err)
	}
	from, err := parseLocal(local, to.Addr())
	if err != nil {
		return nil, dialError(network, to, err)
	}
	c, err := n.bind(netip.AddrPortFrom(from, 0), to)
	if err != nil {
		return nil, dialError(network, to, err)
	}
	return c, nil
}

func (n *Network) bind(local, remote netip.AddrPort) (*PacketConn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if remote.IsValid() && n.hosts[remote.Addr()] == Unreachable {
		return nil, syscall.ENETUNREACH
	}
	used := func(a netip.AddrPort) bool { return n.packets[a] != nil }
	if local.Port() == 0 {
		var err error
		if local, err = n.freePortLocked(local.Addr(), used); err != nil {
			return nil, err
		}
	} else if used(local) {
		return nil, syscall.EADDRINUSE
	}
	c := &PacketConn{net: n, local: local, remote: remote}
	c.reads.cond.L = &c.mu
	n.packets[local] = c
	return c, nil
}

// Read reads one datagram; what b cannot hold of it is lost.
func (c *PacketConn) Read(b []byte) (int, error) {
	n, _, err := c.ReadFrom(b)
	return n, err
}

// ReadFrom is Read with the sender's *net.UDPAddr. A connected socket gets ECONNREFUSED after a datagram
// that reached nobody.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.closed {
			return 0, nil, c.wrap("read", net.ErrClosed)
		}
		now := time.Now()
		if expired(c.deadline, now) {
			return 0, nil, c.wrap("read", os.ErrDeadlineExceeded)
		}
		var next time.Time
		if len(c.queue) > 0 {
			d := c.queue[0]
			if !now.Before(d.at) {
				c.queue[0] = datagram{}
				c.queue = c.queue[1:]
				c.octets -= len(d.data)
				if d.err != nil {
					return 0, nil, c.wrap("read", d.err)
				}
				return copy(b, d.data), udpAddr(d.from), nil
			}
			next = d.at
		}
		c.reads.wait(earlier(c.deadline, next))
	}
}

// Write sends a datagram to the connected address.
func (c *PacketConn) Write(b []byte) (int, error) {
	if !c.remote.IsValid() {
		return 0, c.wrap("write", syscall.EDESTADDRREQ)
	}
	return c.send(b, c.remote)
}

// WriteTo sends a datagram. A connected socket refuses it with net.ErrWriteToConnected.
func (c *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	if c.remote.IsValid() {
		return 0, c.wrap("write", net.ErrWriteToConnected)
	}
	to, err := parseAddress("udp", "udp", addr.String())
	if err != nil {
		return 0, c.wrap("write", err)
	}
	return c.send(b, to)
}

func (c *PacketConn) send(b []byte, to netip.AddrPort) (int, error) {
	c.mu.Lock()
	closed, late := c.closed, expired(c.wexpire, time.Now())
	c.mu.Unlock()
	switch {
	case closed:
		return 0, c.wrap("write", net.ErrClosed)
	case late:
		return 0, c.wrap("write", os.ErrDeadlineExceeded)
	case len(b) > maxDatagram:
		return 0, c.wrap("write", syscall.EMSGSIZE)
	}
	from := c.local
	if from.Addr().IsUnspecified() {
		from = netip.AddrPortFrom(localIP(to.Addr()), from.Port())
	}
	n := c.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hosts[from.Addr()] == Unreachable || n.hosts[to.Addr()] == Unreachable {
		return 0, c.wrap("write", syscall.ENETUNREACH)
	}
	n.stats.Datagrams++
	if n.silentLocked(from) || n.silentLocked(to) {
		n.stats.Dropped++
		return len(b), nil
	}
	now := time.Now()
	to2 := n.packetLocked(to)
	if to2 == nil || n.hosts[to.Addr()] == Refuse {
		n.stats.Dropped++
		if c.remote.IsValid() {
			c.deliver(datagram{err: syscall.ECONNREFUSED, at: now.Add(2 * n.cfg.Latency)})
		}
		return len(b), nil
	}
	d := datagram{data: append([]byte(nil), b...), from: from, at: now.Add(n.cfg.Latency)}
	if !to2.deliver(d) {
		n.stats.Dropped++
	}
	return len(b), nil
}

// deliver queues a datagram, unless there is no room, or the socket is closed or connected to another.
func (c *PacketConn) deliver(d datagram) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.octets+len(d.data) > c.net.cfg.Buffer || (d.err == nil && c.remote.IsValid() && d.from != c.remote) {
		return false
	}
	c.queue = append(c.queue, d)
	c.octets += len(d.data)
	c.reads.wake()
	return true
}

func (n *Network) packetLocked(addr netip.AddrPort) *PacketConn {
	if c := n.packets[addr]; c != nil {
		return c
	}
	if addr.Addr().Is4() {
		if c := n.packets[netip.AddrPortFrom(netip.IPv4Unspecified(), addr.Port())]; c != nil {
			return c
		}
	}
	return n.packets[netip.AddrPortFrom(netip.IPv6Unspecified(), addr.Port())]
}

// Close frees the address and wakes readers.
func (c *PacketConn) Close() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.wrap("close", net.ErrClosed)
	}
	c.closed, c.queue, c.octets = true, nil, 0
	delete(c.net.packets, c.local)
	c.reads.stop()
	c.reads.wake()
	return nil
}

// LocalAddr is the socket's *net.UDPAddr.
func (c *PacketConn) LocalAddr() net.Addr { return udpAddr(c.local) }

// RemoteAddr is the *net.UDPAddr connected to, or nil.
func (c *PacketConn) RemoteAddr() net.Addr {
	if !c.remote.IsValid() {
		return nil
	}
	return udpAddr(c.remote)
}

// SetDeadline sets both deadlines.
func (c *PacketConn) SetDeadline(t time.Time) error { return c.setDeadline(t, true, true) }

// SetReadDeadline sets when reads fail, those already waiting included; zero: never.
func (c *PacketConn) SetReadDeadline(t time.Time) error { return c.setDeadline(t, true, false) }

// SetWriteDeadline sets when writes fail; zero: never. Writes do not wait.
func (c *PacketConn) SetWriteDeadline(t time.Time) error { return c.setDeadline(t, false, true) }

func (c *PacketConn) setDeadline(t time.Time, read, write bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.wrap("set", net.ErrClosed)
	}
	if read {
		c.deadline = t
		c.reads.wake()
	}
	if write {
		c.wexpire = t
	}
	return nil
}

func (c *PacketConn) wrap(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: sysError(op, err)}
}

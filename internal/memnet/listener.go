package memnet

import (
	"net"
	"net/netip"
	"syscall"
)

// Listener accepts connections at an address. It is safe for concurrent use.
type Listener struct {
	net  *Network
	addr netip.AddrPort

	// Network.mu guards the rest.
	accepts gate
	queue   []*Conn
	pending int // in queue and on their way into it: the backlog
	closed  bool
}

// Listen listens on an IPv4 or IPv6 address for "tcp", "tcp4" or "tcp6". Port 0 chooses one that is free;
// an unspecified IP address listens on every address that has no listener of its own. An address in use
// is an error (EADDRINUSE).
func (n *Network) Listen(network, address string) (net.Listener, error) {
	addr, err := parseAddress(network, "tcp", address)
	if err != nil {
		return nil, listenError(network, addr, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	used := func(a netip.AddrPort) bool { return n.listeners[a] != nil }
	if addr.Port() == 0 {
		if addr, err = n.freePortLocked(addr.Addr(), used); err != nil {
			return nil, listenError(network, addr, err)
		}
	} else if used(addr) {
		return nil, listenError(network, addr, syscall.EADDRINUSE)
	}
	l := &Listener{net: n, addr: addr}
	l.accepts.cond.L = &n.mu
	n.listeners[addr] = l
	return l, nil
}

// Accept waits for the next connection. After Close it returns net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	for {
		if l.closed {
			return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
		}
		if len(l.queue) > 0 {
			c := l.queue[0]
			l.queue[0] = nil
			l.queue = l.queue[1:]
			if l.pending == l.net.cfg.Backlog {
				l.net.announceLocked()
			}
			l.pending--
			return c, nil
		}
		l.accepts.cond.Wait()
	}
}

// Close stops listening. Connections that nobody has accepted are reset; accepted ones go on.
func (l *Listener) Close() error {
	n := l.net
	n.mu.Lock()
	if l.closed {
		n.mu.Unlock()
		return &net.OpError{Op: "close", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
	l.closed = true
	delete(n.listeners, l.addr)
	queue := l.queue
	l.queue = nil
	l.accepts.wake()
	n.announceLocked()
	n.mu.Unlock()
	for _, c := range queue {
		c.Reset()
	}
	return nil
}

// Addr is the *net.TCPAddr listened on.
func (l *Listener) Addr() net.Addr { return tcpAddr(l.addr) }

// enqueue hands an established connection over, or resets it when the listener has gone.
func (l *Listener) enqueue(server *Conn) {
	l.net.mu.Lock()
	closed := l.closed
	if !closed {
		l.queue = append(l.queue, server)
		l.accepts.cond.Signal()
	}
	l.net.mu.Unlock()
	if closed {
		server.Reset()
	}
}

// listenerLocked finds who listens at an address. Network.mu is held.
func (n *Network) listenerLocked(addr netip.AddrPort) *Listener {
	if l := n.listeners[addr]; l != nil {
		return l
	}
	if addr.Addr().Is4() {
		if l := n.listeners[netip.AddrPortFrom(netip.IPv4Unspecified(), addr.Port())]; l != nil {
			return l
		}
	}
	return n.listeners[netip.AddrPortFrom(netip.IPv6Unspecified(), addr.Port())]
}

package memnet

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Dial connects to an IPv4 or IPv6 address over "tcp" or "udp" (or "tcp4", "udp6" and so on), from the
// loopback address of its family. A stream takes a round trip to connect, and is then a *Conn; a datagram
// socket is at once a *PacketConn. Where nobody listens the error is ECONNREFUSED. Of a black hole, or
// while the listener's backlog is full, Dial waits until ctx ends.
func (n *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return n.DialFrom(ctx, network, "", address)
}

// DialFrom is Dial from the host with the given IP address.
func (n *Network) DialFrom(ctx context.Context, network, local, address string) (net.Conn, error) {
	switch network {
	case "udp", "udp4", "udp6":
		c, err := n.dialPacket(network, local, address)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	to, err := parseAddress(network, "tcp", address)
	if err != nil {
		return nil, dialError(network, to, err)
	}
	if to.Addr().IsUnspecified() { // as kernels take it
		to = netip.AddrPortFrom(localIP(to.Addr()), to.Port())
	}
	from, err := parseLocal(local, to.Addr())
	if err != nil {
		return nil, dialError(network, to, err)
	}
	c, err := n.connect(ctx, from, to)
	if err != nil {
		return nil, dialError(network, to, err)
	}
	return c, nil
}

// connect is TCP's handshake: a request arrives after one Latency, the answer after another, and the
// listener sees the connection after a third.
func (n *Network) connect(ctx context.Context, from netip.Addr, to netip.AddrPort) (*Conn, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n.mu.Lock()
		changed := n.changed
		local, remote := n.hosts[from], n.hosts[to.Addr()]
		n.mu.Unlock()
		if local == Unreachable || remote == Unreachable {
			return nil, syscall.ENETUNREACH
		}
		if local != BlackHole && remote != BlackHole {
			if err := sleep(ctx, n.cfg.Latency); err != nil {
				return nil, err
			}
			var l *Listener
			var err error
			if l, changed, err = n.request(from, to); l != nil || err != nil {
				if late := sleep(ctx, n.cfg.Latency); late != nil {
					n.giveBack(l)
					return nil, late
				}
				if err != nil {
					return nil, err
				}
				return n.establish(l, from, to)
			}
		}
		select { // nobody answered: wait, and ask again when something has changed
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// request is the arrival of a connection request: it takes a place in the listener's backlog. Without a
// listener and an error nobody answers, until changed is closed.
func (n *Network) request(from netip.Addr, to netip.AddrPort) (l *Listener, changed chan struct{}, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hosts[from] == BlackHole || n.hosts[to.Addr()] == BlackHole {
		return nil, n.changed, nil
	}
	l = n.listenerLocked(to)
	if l == nil || n.hosts[to.Addr()] == Refuse {
		return nil, nil, syscall.ECONNREFUSED
	}
	if l.pending >= n.cfg.Backlog {
		return nil, n.changed, nil
	}
	l.pending++
	return l, nil, nil
}

// giveBack frees a place in a backlog; l may be nil.
func (n *Network) giveBack(l *Listener) {
	if l == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	l.pending--
	n.announceLocked()
}

// establish makes the connection and puts its other end into the backlog.
func (n *Network) establish(l *Listener, from netip.Addr, to netip.AddrPort) (*Conn, error) {
	n.mu.Lock()
	local, err := n.freePortLocked(from, func(a netip.AddrPort) bool { return n.ports[a] })
	if err != nil {
		n.mu.Unlock()
		n.giveBack(l)
		return nil, err
	}
	client, server := newConns(n, local, to)
	n.ports[local] = true
	n.conns[client], n.conns[server] = struct{}{}, struct{}{}
	n.stats.Dialled++
	if n.silentLocked(local) || n.silentLocked(to) {
		client.hold(true)
	}
	n.mu.Unlock()
	if n.cfg.Latency == 0 {
		l.enqueue(server)
	} else {
		time.AfterFunc(n.cfg.Latency, func() { l.enqueue(server) })
	}
	return client, nil
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

package mxtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

// A network is what the cluster's hosts are connected by.
type network interface {
	dial(ctx context.Context, client, network, address string) (net.Conn, error) // client is an IP address; empty: 127.0.0.1
	client(ip string) error                                                      // says why a client cannot have this address
	listen(network, address string) (net.Listener, error)
	dns() (net.PacketConn, net.Listener, string, error)
	start(r *Relay) error // listens, ends stop and blackHole
	stop(r *Relay)        // refuses
	blackHole(r *Relay)
}

// dnsIP is the DNS server's address with Config.Memory.
const dnsIP = "10.0.0.53"

// loopback is TCP and UDP on 127.0.0.1, with relays' virtual addresses mapped.
type loopback struct {
	c *Cluster

	mu    sync.Mutex // guards below
	holes map[*Relay]bool
	up    map[*Relay]string // the relay's real address while it is up
}

func newLoopback(c *Cluster) *loopback {
	return &loopback{c: c, holes: map[*Relay]bool{}, up: map[*Relay]string{}}
}

func (l *loopback) dial(ctx context.Context, client, network, address string) (net.Conn, error) {
	if address == l.c.dnsAddr {
		return dialer(client, network).DialContext(ctx, network, address)
	}
	refused := &net.OpError{Op: "dial", Net: network, Addr: stringAddr{network, address}, Err: syscall.ECONNREFUSED}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	var found *Relay
	for _, r := range l.c.relays {
		if (r.ip == host || r.name == host) && fmt.Sprint(l.c.cfg.Port) == port || r.ListenAddr() == address {
			found = r
		}
	}
	if found == nil || network != "tcp" && network != "tcp4" {
		return nil, refused
	}
	l.mu.Lock()
	real, hole := l.up[found], l.holes[found]
	l.mu.Unlock()
	if hole {
		select {
		case <-ctx.Done():
			return nil, &net.OpError{Op: "dial", Net: network, Addr: stringAddr{network, address}, Err: ctx.Err()}
		case <-l.c.done:
			return nil, ErrClosed
		}
	}
	if real == "" {
		return nil, refused
	}
	return dialer(client, network).DialContext(ctx, network, real)
}

// dialer connects from a client's address; empty is the system's choice.
func dialer(client, network string) *net.Dialer {
	switch ip := net.ParseIP(client); {
	case client == "":
		return &net.Dialer{}
	case strings.HasPrefix(network, "udp"):
		return &net.Dialer{LocalAddr: &net.UDPAddr{IP: ip}}
	default:
		return &net.Dialer{LocalAddr: &net.TCPAddr{IP: ip}}
	}
}

func (l *loopback) client(ip string) error {
	if addr, err := netip.ParseAddr(ip); err != nil || !addr.Is4() || !addr.IsLoopback() {
		return errors.New("over TCP a client has an address of 127.0.0.0/8; Config.Memory has others")
	}
	return nil
}

// stringAddr is an address in words.
type stringAddr struct{ network, address string }

func (a stringAddr) Network() string { return a.network }
func (a stringAddr) String() string  { return a.address }

var errNotLoopback = errors.New("mxtest: a cluster listens on and connects to loopback addresses only")

// onLoopback reports whether an address is a loopback one.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (l *loopback) listen(network, address string) (net.Listener, error) {
	if !onLoopback(address) {
		return nil, fmt.Errorf("listening on %q: %w", address, errNotLoopback)
	}
	return net.Listen(network, address)
}

func (l *loopback) dns() (net.PacketConn, net.Listener, string, error) {
	var last error
	for range 20 { // the same port, UDP and TCP
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, "", err
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return udp, tcp, tcp.Addr().String(), nil
		}
		tcp.Close()
		last = err
	}
	return nil, nil, "", last
}

func (l *loopback) start(r *Relay) error {
	l.mu.Lock()
	delete(l.holes, r)
	running := l.up[r] != ""
	l.mu.Unlock()
	if running {
		return nil
	}
	address, fixed := r.ListenAddr(), l.c.cfg.FirstPort > 0
	if address == "" && fixed {
		address = fmt.Sprintf("127.0.0.1:%d", l.c.cfg.FirstPort+int(r.index))
	}
	listener, err := net.Listen("tcp", cmp.Or(address, "127.0.0.1:0"))
	if err != nil && !fixed {
		listener, err = net.Listen("tcp", "127.0.0.1:0") // somebody has taken the port that it had before
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.up[r] = listener.Addr().String()
	l.mu.Unlock()
	r.serve(listener, listener.Addr().String())
	return nil
}

func (l *loopback) stop(r *Relay) {
	l.mu.Lock()
	delete(l.up, r)
	l.mu.Unlock()
	r.unserve()
}

func (l *loopback) blackHole(r *Relay) {
	l.mu.Lock()
	l.holes[r] = true
	l.mu.Unlock()
}

// inMemory is the in-memory network, where the relays' addresses are real.
type inMemory struct {
	c   *Cluster
	net *memnet.Network
}

func newInMemory(c *Cluster) *inMemory {
	return &inMemory{c, memnet.New(memnet.Config{Latency: c.cfg.Latency, Bandwidth: int(c.cfg.Bandwidth)})}
}

func (m *inMemory) dial(ctx context.Context, client, network, address string) (net.Conn, error) {
	return m.net.DialFrom(ctx, network, client, address)
}

func (m *inMemory) client(ip string) error {
	addr, err := netip.ParseAddr(ip)
	switch {
	case err != nil || !addr.Is4() || addr.IsUnspecified() || addr.IsMulticast():
		return errors.New("a client has an IPv4 address of a host")
	case ip == dnsIP || m.c.engine.relay(ip) != nil:
		return errors.New("this is the address of a relay or of the DNS server")
	}
	return nil
}

func (m *inMemory) listen(network, address string) (net.Listener, error) {
	return m.net.Listen(network, address)
}

func (m *inMemory) dns() (net.PacketConn, net.Listener, string, error) {
	address := dnsIP + ":53"
	udp, err := m.net.ListenPacket("udp", address)
	if err != nil {
		return nil, nil, "", err
	}
	tcp, err := m.net.Listen("tcp", address)
	if err != nil {
		udp.Close()
		return nil, nil, "", err
	}
	return udp, tcp, address, nil
}

func (m *inMemory) start(r *Relay) error {
	m.net.SetHost(r.ip, memnet.Up)
	if r.serving() {
		return nil
	}
	listener, err := m.net.Listen("tcp", r.Addr())
	if err != nil {
		return err
	}
	r.serve(listener, r.Addr())
	return nil
}

func (m *inMemory) stop(r *Relay) {
	m.net.SetHost(r.ip, memnet.Refuse)
	m.net.ResetHost(r.ip)
	r.unserve()
}

func (m *inMemory) blackHole(r *Relay) { m.net.SetHost(r.ip, memnet.BlackHole) }

package memnet

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

type role uint8

const (
	dialled role = iota
	accepted
)

// Conn is one end of a stream connection. It is a [net.Conn] with CloseWrite, as a *net.TCPConn is, and
// with what tests need to break it. It is safe for concurrent use.
type Conn struct {
	net           *Network
	role          role
	local, remote netip.AddrPort
	localAddr     *net.TCPAddr
	remoteAddr    *net.TCPAddr

	mu         *sync.Mutex // guards both pipes and all below; shared by the two ends
	in, out    *pipe
	readAtTurn int64 // in.read when this end last wrote
	roundTrips int
}

// newConns returns the two ends of a connection.
func newConns(n *Network, from, to netip.AddrPort) (client, server *Conn) {
	mu := new(sync.Mutex)
	up, down := newPipe(n, mu), newPipe(n, mu)
	client = &Conn{net: n, role: dialled, local: from, remote: to, mu: mu, in: down, out: up}
	server = &Conn{net: n, role: accepted, local: to, remote: from, mu: mu, in: up, out: down}
	client.localAddr, client.remoteAddr = tcpAddr(from), tcpAddr(to)
	server.localAddr, server.remoteAddr = client.remoteAddr, client.localAddr
	return client, server
}

// Read reads what has arrived, waiting until there is some or the deadline passes.
func (c *Conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	n, err := c.in.readOctets(b)
	c.mu.Unlock()
	return n, c.wrap("read", err)
}

// Write returns once b is in the connection's buffer. Where it fails, the count is exactly of the octets
// taken until then. Octets taken may still be lost, as with any kernel.
func (c *Conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	if c.in.read != c.readAtTurn {
		c.readAtTurn = c.in.read
		c.roundTrips++
	}
	n, err := c.out.writeOctets(b, c.cut)
	c.mu.Unlock()
	return n, c.wrap("write", err)
}

// Close closes both directions. The peer reads what was written, then io.EOF; what it writes later comes
// to nothing and, after a round trip, fails with EPIPE. Further calls return net.ErrClosed.
func (c *Conn) Close() error {
	c.mu.Lock()
	closed := c.in.readClosed
	c.out.closeWrite(net.ErrClosed)
	c.in.closeRead()
	c.mu.Unlock()
	if closed {
		return c.wrap("close", net.ErrClosed)
	}
	c.net.forget(c)
	return nil
}

// CloseWrite closes the writing half: the peer reads what was written, then io.EOF, and may go on writing.
func (c *Conn) CloseWrite() error {
	c.mu.Lock()
	closed := c.in.readClosed
	if !closed {
		c.out.closeWrite(syscall.EPIPE)
	}
	c.mu.Unlock()
	if closed {
		return c.wrap("close", net.ErrClosed)
	}
	return nil
}

// Reset closes the connection as an abort does: the peer loses what it has not read, and its calls fail
// with ECONNRESET.
func (c *Conn) Reset() {
	c.mu.Lock()
	c.out.reset()
	if !c.in.mute {
		c.in.breakWriter(syscall.ECONNRESET, c.in.after(c.net.cfg.Latency))
	}
	c.out.closeWrite(net.ErrClosed)
	c.in.closeRead()
	c.mu.Unlock()
	c.net.forget(c)
}

// LocalAddr is this end's *net.TCPAddr.
func (c *Conn) LocalAddr() net.Addr { return c.localAddr }

// RemoteAddr is the other end's *net.TCPAddr: at the dialling end, the address dialled.
func (c *Conn) RemoteAddr() net.Addr { return c.remoteAddr }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadline(t, true, true) }

// SetReadDeadline sets when Reads fail, those already waiting included; zero: never.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(t, true, false) }

// SetWriteDeadline sets when Writes fail, those already waiting included; zero: never.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(t, false, true) }

func (c *Conn) setDeadline(t time.Time, read, write bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in.readClosed {
		return c.wrap("set", net.ErrClosed)
	}
	if read {
		c.in.readDeadline = t
		c.in.readers.wake()
	}
	if write {
		c.out.writeDeadline = t
		c.out.writers.wake()
	}
	return nil
}

// ConnStats counts one end's traffic.
type ConnStats struct {
	Sent       int64 // octets that Write took
	Read       int64 // octets that Read gave
	RoundTrips int   // times this end wrote after having read
}

// Stats returns a snapshot.
func (c *Conn) Stats() ConnStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ConnStats{Sent: c.out.sent, Read: c.in.read, RoundTrips: c.roundTrips}
}

// hold lets the connection fall silent both ways, or speak again.
func (c *Conn) hold(silent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in.hold(silent)
	c.out.hold(silent)
}

// wrap gives err the form of the net package's errors. io.EOF stays as it is.
func (c *Conn) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.localAddr, Addr: c.remoteAddr, Err: sysError(op, err)}
}

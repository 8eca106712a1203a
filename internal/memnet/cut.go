package memnet

import (
	"io"
	"syscall"
)

// Cut says how a connection ends at a CutAfter. In every case the octets before the cut arrive.
type Cut uint8

const (
	// CutReset: both ends get ECONNRESET, the reader after the octets before the cut. The Write that
	// crosses the cut still takes all its octets, as a kernel does: the ones behind the cut are lost.
	CutReset Cut = iota
	// CutShort: as CutReset, but the Write that crosses the cut returns the count before it, and
	// ECONNRESET.
	CutShort
	// CutEOF: both ends get io.EOF, and EPIPE from Write, as if something between them had closed the
	// connection in good order. The Write that crosses the cut takes all its octets.
	CutEOF
	// CutSilent: nothing arrives any more in either direction, and nobody is told. Writes are taken until
	// the buffer is full.
	CutSilent
)

// CutAfter cuts the connection once this end has written n more octets; at zero, now. A later call
// replaces an earlier one that has not come to pass.
func (c *Conn) CutAfter(n int64, how Cut) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n <= 0 {
		c.out.cutting = false
		c.cut(how)
		return
	}
	c.out.cutting, c.out.cutLeft, c.out.cutHow = true, n, how
}

// CutReadAfter cuts the connection once the other end has written n more octets, which this end can read;
// at zero, now.
func (c *Conn) CutReadAfter(n int64, how Cut) {
	(&Conn{net: c.net, mu: c.mu, in: c.out, out: c.in}).CutAfter(n, how)
}

// cut cuts the connection behind the octets this end has written. The lock is held.
func (c *Conn) cut(how Cut) {
	far := c.in.after(c.net.cfg.Latency) // when the other end can know
	near := c.out.after(0)
	switch how {
	case CutReset, CutShort:
		c.out.finish(syscall.ECONNRESET)
		c.out.breakWriter(syscall.ECONNRESET, near)
		c.in.finish(syscall.ECONNRESET)
		c.in.breakWriter(syscall.ECONNRESET, far)
	case CutEOF:
		c.out.finish(io.EOF)
		c.out.breakWriter(syscall.EPIPE, near)
		c.in.finish(io.EOF)
		c.in.breakWriter(syscall.EPIPE, far)
	case CutSilent:
		c.out.mute, c.in.mute = true, true
	}
}

package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// segmentSize is what a link of limited bandwidth carries at a time: an Ethernet's TCP segment.
const segmentSize = 1448

// segment is a run of octets under way.
type segment struct {
	octets int
	at     time.Time // of arrival; zero: at once
}

// pipe is one direction of a connection. The connection's lock guards it; methods are called with it
// held, and read and write release it while they wait.
type pipe struct {
	cfg     *Config
	delays  bool
	readers gate
	writers gate

	ring    ring      // arrived and under way
	arrived int       // the octets of ring that can be read
	flight  []segment // the rest, in order
	freeAt  time.Time // when the link has carried what it was given
	held    bool      // an end is black-holed: nothing arrives
	lost    int       // octets that fill the sender's buffer for ever after a silent cut

	end   error     // io.EOF or ECONNRESET, behind the last octet
	endAt time.Time // when end arrives
	abort bool      // end drops what has not been read

	broken   error     // what Write will return
	brokenAt time.Time // from when on

	readClosed    bool  // by its owner
	writeClosed   error // by its owner: EPIPE after CloseWrite, net.ErrClosed after Close
	writing       bool  // a Write is under way: the next one waits, so that Writes do not mingle
	readDeadline  time.Time
	writeDeadline time.Time

	sent, read int64

	cutting bool // cutLeft octets from now the connection is cut
	cutLeft int64
	cutHow  Cut
	mute    bool // a silent cut has come to pass: nothing more is sent
}

func newPipe(n *Network, mu *sync.Mutex) *pipe {
	p := &pipe{cfg: &n.cfg, delays: n.delays()}
	p.readers.cond.L, p.writers.cond.L = mu, mu
	return p
}

// now is the time as far as it matters: without delays and deadlines it does not, and is zero.
func (p *pipe) now(deadline time.Time) time.Time {
	if p.delays || !deadline.IsZero() {
		return time.Now()
	}
	return time.Time{}
}

// after is the time d from now; zero in a network without delays.
func (p *pipe) after(d time.Duration) time.Time {
	if !p.delays {
		return time.Time{}
	}
	return time.Now().Add(d)
}

func (p *pipe) readOctets(b []byte) (int, error) {
	for {
		if p.readClosed {
			return 0, net.ErrClosed
		}
		now := p.now(p.readDeadline)
		if expired(p.readDeadline, now) {
			return 0, os.ErrDeadlineExceeded
		}
		if len(b) == 0 {
			return 0, nil
		}
		p.settle(now)
		ended := p.end != nil && !p.held && !now.Before(p.endAt)
		if ended && p.abort {
			p.discard()
			return 0, p.end
		}
		if p.arrived > 0 {
			return p.take(b), nil
		}
		if ended && len(p.flight) == 0 {
			return 0, p.end
		}
		p.readers.wait(earlier(p.readDeadline, p.nextArrival()))
	}
}

// take moves arrived octets into b and wakes writers once half of the buffer is free: not for each few
// octets, as kernels do not either.
func (p *pipe) take(b []byte) int {
	full := 2*p.ring.size > p.cfg.Buffer
	n := p.ring.pop(b, p.arrived)
	p.arrived -= n
	p.read += int64(n)
	if full && 2*p.ring.size <= p.cfg.Buffer {
		p.writers.wake()
	}
	return n
}

// settle counts what has arrived by now.
func (p *pipe) settle(now time.Time) {
	if p.held {
		return
	}
	for len(p.flight) > 0 && !now.Before(p.flight[0].at) {
		p.arrived += p.flight[0].octets
		p.flight = p.flight[1:]
	}
}

// nextArrival is when a waiting reader should look again; zero: only when woken.
func (p *pipe) nextArrival() time.Time {
	switch {
	case p.held:
		return time.Time{}
	case p.end != nil && p.abort:
		return p.endAt
	case len(p.flight) > 0:
		return p.flight[0].at
	case p.end != nil:
		return p.endAt
	}
	return time.Time{}
}

// writeOctets takes b as far as it goes and returns the exact count. onCut is called, with the lock held,
// when a cut comes to pass.
func (p *pipe) writeOctets(b []byte, onCut func(Cut)) (n int, err error) {
	for p.writing {
		if err := p.writeError(); err != nil {
			return 0, err
		}
		p.writers.wait(p.writeDeadline)
	}
	p.writing = true
	defer func() {
		p.writing = false
		p.writers.wake()
	}()
	for {
		if n > 0 && len(b) == 0 {
			return n, nil
		}
		if err := p.writeError(); err != nil {
			return n, err
		}
		if len(b) == 0 {
			return 0, nil
		}
		k := min(p.cfg.Buffer-p.ring.size-p.lost, len(b))
		if k <= 0 {
			p.writers.wait(earlier(p.writeDeadline, p.breakTime()))
			continue
		}
		if p.cutting {
			k = int(min(int64(k), p.cutLeft))
		}
		p.put(b[:k])
		p.sent += int64(k)
		n += k
		b = b[k:]
		if p.cutting {
			if p.cutLeft -= int64(k); p.cutLeft > 0 {
				continue
			}
			p.cutting = false
			onCut(p.cutHow)
			if p.cutHow == CutReset || p.cutHow == CutEOF {
				p.sent += int64(len(b))
				return n + len(b), nil // the rest had been taken, and is lost
			}
		}
	}
}

// writeError says why nothing can be written now.
func (p *pipe) writeError() error {
	if p.writeClosed != nil {
		return p.writeClosed
	}
	now := p.now(p.writeDeadline)
	if expired(p.writeDeadline, now) {
		return os.ErrDeadlineExceeded
	}
	if p.broken != nil && !p.held && !now.Before(p.brokenAt) {
		return p.broken
	}
	return nil
}

func (p *pipe) breakTime() time.Time {
	if p.broken == nil || p.held {
		return time.Time{}
	}
	return p.brokenAt
}

// put sends b on its way.
func (p *pipe) put(b []byte) {
	switch {
	case len(b) == 0:
		return
	case p.mute:
		p.lost += len(b)
		return
	case p.readClosed:
		// The peer is gone: the octets get there, and a reset comes back.
		p.breakWriter(syscall.EPIPE, p.after(2*p.cfg.Latency))
		return
	}
	p.ring.push(b)
	if !p.delays && !p.held && len(p.flight) == 0 {
		p.arrived += len(b)
	} else if p.cfg.Bandwidth == 0 {
		p.send(len(b))
	} else {
		for left := len(b); left > 0; left -= segmentSize {
			p.send(min(left, segmentSize))
		}
	}
	p.readers.wake()
}

// send adds a segment to those under way.
func (p *pipe) send(octets int) {
	if at := p.after(p.cfg.Latency); p.cfg.Bandwidth == 0 {
		p.enqueue(octets, at)
		return
	}
	now := time.Now()
	if p.freeAt.Before(now) {
		p.freeAt = now
	}
	p.freeAt = p.freeAt.Add(time.Duration(int64(octets) * int64(time.Second) / int64(p.cfg.Bandwidth)))
	p.enqueue(octets, p.freeAt.Add(p.cfg.Latency))
}

func (p *pipe) enqueue(octets int, at time.Time) {
	if last := len(p.flight) - 1; last >= 0 && p.flight[last].at.Equal(at) {
		p.flight[last].octets += octets
		return
	}
	p.flight = append(p.flight, segment{octets, at})
}

// finish puts an end behind the octets sent so far. The first end stays.
func (p *pipe) finish(end error) {
	if p.end != nil || p.mute {
		return
	}
	p.end, p.endAt = end, p.after(p.cfg.Latency)
	if p.delays && p.freeAt.Add(p.cfg.Latency).After(p.endAt) {
		p.endAt = p.freeAt.Add(p.cfg.Latency)
	}
	p.readers.wake()
}

// reset ends the stream before the octets that have not been read when it arrives.
func (p *pipe) reset() {
	if p.mute {
		return
	}
	p.end, p.endAt, p.abort = syscall.ECONNRESET, p.after(p.cfg.Latency), true
	p.readers.wake()
	p.writers.wake()
}

// breakWriter lets Write fail from the given time on. The earliest cause stays.
func (p *pipe) breakWriter(err error, at time.Time) {
	if p.broken == nil || at.Before(p.brokenAt) {
		p.broken, p.brokenAt = err, at
	}
	p.writers.wake()
}

// closeRead is the reading owner's Close.
func (p *pipe) closeRead() {
	if p.readClosed {
		return
	}
	if p.ring.size > 0 && !p.mute {
		p.breakWriter(syscall.ECONNRESET, p.after(p.cfg.Latency))
	}
	p.readClosed = true
	p.discard()
	p.readers.stop()
	p.readers.wake()
}

// closeWrite is the writing owner's Close (net.ErrClosed) or CloseWrite (EPIPE).
func (p *pipe) closeWrite(err error) {
	if p.writeClosed == nil {
		p.finish(io.EOF)
	}
	if p.writeClosed != net.ErrClosed {
		p.writeClosed = err
	}
	p.writers.stop()
	p.writers.wake()
}

func (p *pipe) discard() {
	p.ring.drop()
	p.arrived, p.flight = 0, nil
	p.writers.wake()
}

// hold stops or resumes all arrivals. What was under way starts anew when they resume.
func (p *pipe) hold(held bool) {
	if held == p.held {
		return
	}
	if held {
		p.settle(p.now(time.Time{}))
	}
	p.held = held
	if held {
		return
	}
	at := p.after(p.cfg.Latency)
	for i := range p.flight {
		p.flight[i].at = later(p.flight[i].at, at)
	}
	if p.end != nil {
		p.endAt = later(p.endAt, at)
	}
	if p.broken != nil {
		p.brokenAt = later(p.brokenAt, at)
	}
	p.readers.wake()
	p.writers.wake()
}

func expired(deadline, now time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

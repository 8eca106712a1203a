package mxsend

import (
	"bufio"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// A wire writes to a connection and knows of every octet whether it was handed
// over: that decides about doubt. conn.mu guards it, but for the atomics.
type wire struct {
	*bufio.Writer
	handed handedOver
}

// handedOver counts what the kernel (or TLS) took.
type handedOver struct {
	nc      net.Conn
	octets  int64
	offered atomic.Int64 // octets, with the chunk under way; the reader looks at it
	patient func()       // called before each chunk: it sets the chunk's deadline
	revoked func() bool  // asked before each chunk: nobody wants the content any more

	chunks int64        // begun
	chunk  atomic.Int64 // the one being written, counted from one; 0: none; interrupted
}

// interrupted is handedOver.chunk after an interruption: nothing more is written.
const interrupted = -1

const (
	writeBuffer = 32 << 10
	writeChunk  = 64 << 10
)

func (w *wire) init(nc net.Conn, patient func(), revoked func() bool) {
	w.handed.nc, w.handed.patient, w.handed.revoked = nc, patient, revoked
	w.Writer = bufio.NewWriterSize(&w.handed, writeBuffer)
}

// offset is the number of octets of the connection up to what was written last.
func (w *wire) offset() int64 { return w.handed.octets + int64(w.Buffered()) }

func (h *handedOver) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		h.patient()
		h.chunks++
		if !h.chunk.CompareAndSwap(0, h.chunks) {
			return n, errInterrupted
		}
		// From here on a cancellation interrupts; one that came before is seen here.
		if h.revoked() {
			h.chunk.Store(interrupted)
			return n, errInterrupted
		}
		var m int
		chunk := p[n:min(len(p), n+writeChunk)]
		h.offered.Store(h.octets + int64(len(chunk)))
		m, err = h.nc.Write(chunk)
		n += m
		h.octets += int64(m)
		if !h.chunk.CompareAndSwap(h.chunks, 0) && err == nil {
			err = errInterrupted
		}
	}
	return n, err
}

var errInterrupted = errors.New("the Write was interrupted")

// interrupt ends a Write that is under way, from another goroutine, if there is a
// reason to end that very Write. The connection is not written to again.
func (h *handedOver) interrupt(reason func() bool) {
	n := h.chunk.Load()
	if n <= 0 || !reason() || !h.chunk.CompareAndSwap(n, interrupted) {
		return
	}
	if h.nc.SetWriteDeadline(time.Unix(1, 0)) != nil {
		_ = h.nc.Close()
	}
}

// message writes content with what the signer put in front, and the final dot.
// Without a line that begins with a dot there is nothing to search for.
func (w *wire) message(header, content []byte, dots bool) error {
	var err error
	if dots {
		err = smtpwire.WriteContent(w, header, content)
	} else if _, err = w.Write(header); err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		_, err = w.Write(smtpwire.Terminator(content))
	}
	return err
}

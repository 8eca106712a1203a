package mxsend

import (
	"bufio"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// A wire writes to a connection and knows of every octet whether it was handed
// over: that decides about doubt. conn.mu guards it, but for interrupt.
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

	mu          sync.Mutex // guards what follows
	writing     bool
	interrupted bool
}

const (
	writeBuffer = 32 << 10
	writeChunk  = 64 << 10
)

func (w *wire) init(nc net.Conn, patient func()) {
	w.handed.nc, w.handed.patient = nc, patient
	w.Writer = bufio.NewWriterSize(&w.handed, writeBuffer)
}

// offset is the number of octets of the connection up to what was written last.
func (w *wire) offset() int64 { return w.handed.octets + int64(w.Buffered()) }

func (h *handedOver) Write(p []byte) (n int, err error) {
	h.setWriting(true)
	defer h.setWriting(false)
	for n < len(p) && err == nil {
		h.patient()
		var m int
		chunk := p[n:min(len(p), n+writeChunk)]
		h.offered.Store(h.octets + int64(len(chunk)))
		m, err = h.nc.Write(chunk)
		n += m
		h.octets += int64(m)
	}
	return n, err
}

func (h *handedOver) setWriting(writing bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writing = writing
	if writing && h.interrupted {
		h.interrupted = false
		_ = h.nc.SetWriteDeadline(time.Time{})
	}
}

// interrupt ends a Write that is under way, from another goroutine.
func (h *handedOver) interrupt() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.writing {
		h.interrupted = true
		_ = h.nc.SetWriteDeadline(time.Unix(1, 0))
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

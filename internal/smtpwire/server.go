package smtpwire

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

// Limits of the server half.
const (
	serverLineLimit = 4096     // octets of a command line; RFC 5321 §4.5.3.1.4 asks for 512, extensions for more
	serverBuffer    = 16 << 10 // octets of read buffer
)

// Errors of the server half.
var (
	ErrServerLine      = errors.New("smtpwire: command line too long")
	ErrServerPlaintext = errors.New("smtpwire: octets in clear behind STARTTLS")
)

// A ServerConn is the server's end of an SMTP connection. Replies are queued, and go out in one write
// when the next read would block: a client that pipelines a group of commands gets a group of replies.
// One goroutine at a time may use it, but for Close.
type ServerConn struct {
	conn    net.Conn
	in      *bufio.Reader
	out     []byte
	timeout time.Duration
	closed  atomic.Bool
	trace   func(sent bool, octets []byte)
}

// NewServerConn takes over conn.
func NewServerConn(conn net.Conn) *ServerConn {
	c := &ServerConn{conn: conn}
	c.in = bufio.NewReaderSize(serverReader{c}, serverBuffer)
	return c
}

// serverReader is the connection as the read buffer sees it: replies go out before input is waited for.
type serverReader struct{ c *ServerConn }

func (r serverReader) Read(p []byte) (int, error) {
	if err := r.c.Flush(); err != nil {
		return 0, err
	}
	if r.c.timeout > 0 {
		if err := r.c.conn.SetReadDeadline(time.Now().Add(r.c.timeout)); err != nil {
			return 0, err
		}
	}
	return r.c.conn.Read(p)
}

// SetTimeout bounds every wait for input and every write of replies. Zero: no bound.
func (c *ServerConn) SetTimeout(d time.Duration) { c.timeout = d }

// SetTrace has f called with every command line and every reply as written. Content is not traced.
// The octets are f's for the call only.
func (c *ServerConn) SetTrace(f func(sent bool, octets []byte)) { c.trace = f }

// ReadLine returns the next command line without its line end (LF, or CRLF), valid until the next read.
// Past 4096 octets it reads the line to its end and returns ErrServerLine.
func (c *ServerConn) ReadLine() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull || err == nil && len(line) > serverLineLimit {
		for err == bufio.ErrBufferFull {
			_, err = c.in.ReadSlice('\n')
		}
		if err == nil {
			err = ErrServerLine
		}
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	line = line[:len(line)-1]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if c.trace != nil {
		c.trace(false, line)
	}
	return line, nil
}

// Pending reports whether input has arrived that nobody has read: after DATA, a client that did not
// wait for its 354.
func (c *ServerConn) Pending() bool { return c.in.Buffered() > 0 }

// Reply queues a reply; several lines make a multi-line reply (RFC 5321 §4.2.1). A status ("2.1.0", RFC 2034) is put before
// each line; "" puts none.
func (c *ServerConn) Reply(code int, status string, lines ...string) {
	start := len(c.out)
	if len(lines) == 0 {
		lines = []string{""}
	}
	for i, line := range lines {
		c.out = strconv.AppendInt(c.out, int64(code), 10)
		if i < len(lines)-1 {
			c.out = append(c.out, '-')
		} else {
			c.out = append(c.out, ' ')
		}
		if status != "" {
			c.out = append(c.out, status...)
			c.out = append(c.out, ' ')
		}
		c.out = append(c.out, line...)
		c.out = append(c.out, '\r', '\n')
	}
	if c.trace != nil {
		c.trace(true, c.out[start:])
	}
}

// Raw queues octets as they are.
func (c *ServerConn) Raw(octets string) {
	c.out = append(c.out, octets...)
	if c.trace != nil {
		c.trace(true, []byte(octets))
	}
}

// Queued takes back the replies that are queued and not written.
func (c *ServerConn) Queued() []byte {
	out := c.out
	c.out = nil
	return out
}

// Flush writes what is queued.
func (c *ServerConn) Flush() error {
	if len(c.out) == 0 {
		return nil
	}
	if c.timeout > 0 {
		if err := c.conn.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
			return err
		}
	}
	_, err := c.conn.Write(c.out)
	c.out = c.out[:0]
	return err
}

// Drain reads and throws away input until the connection ends.
func (c *ServerConn) Drain() error {
	c.timeout = 0
	_, err := io.Copy(io.Discard, c.in)
	return err
}

// Upgrade goes on over another connection, made from the one it has: a TLS server's. Replies must
// have been flushed. Where the client has sent anything in clear behind STARTTLS it is refused
// with ErrServerPlaintext, lest commands injected in clear run as if they had come over TLS (RFC 3207 §4.2).
func (c *ServerConn) Upgrade(wrap func(net.Conn) net.Conn) error {
	if c.Pending() {
		return ErrServerPlaintext
	}
	c.conn = wrap(c.conn)
	c.in.Reset(serverReader{c})
	return nil
}

// Conn is the connection.
func (c *ServerConn) Conn() net.Conn { return c.conn }

// Close closes the connection. What is queued is lost.
func (c *ServerConn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.conn.Close()
}

// Await waits until input has arrived, and reads none of it.
func (c *ServerConn) Await() error {
	_, err := c.in.Peek(1)
	return err
}

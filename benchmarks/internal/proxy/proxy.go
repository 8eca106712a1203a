// Package proxy puts a round-trip time between a client and a server, and counts
// the round trips that a client makes.
package proxy

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Proxy passes connections on to one address.
type Proxy struct {
	Address string

	target   string
	delay    atomic.Int64 // nanoseconds
	listener *net.TCPListener
	turns    atomic.Int64
}

// Listen starts a proxy on a port of its own. What the server says arrives delay
// later, what the client says at once: the sum is what a round trip takes.
func Listen(target string, delay time.Duration) (*Proxy, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{Address: l.Addr().String(), target: target, listener: l.(*net.TCPListener)}
	p.SetDelay(delay)
	go p.accept()
	return p, nil
}

// Turns is how often a client spoke again after it had been answered: the round
// trips that its connections have made.
func (p *Proxy) Turns() int64 { return p.turns.Load() }

// SetDelay changes the delay of whatever the server says from now on.
func (p *Proxy) SetDelay(delay time.Duration) { p.delay.Store(int64(delay)) }

// Close ends the listening; connections end with their ends.
func (p *Proxy) Close() error { return p.listener.Close() }

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.pass(client)
	}
}

func (p *Proxy) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp4", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	var answered atomic.Bool
	answered.Store(true)
	var both sync.WaitGroup
	both.Go(func() {
		defer closeWrite(client)
		p.later(server, client, &answered)
	})
	buf := make([]byte, 128<<10)
	for {
		n, err := client.Read(buf)
		if n > 0 {
			if answered.Swap(false) {
				p.turns.Add(1)
			}
			if _, err := server.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	closeWrite(server)
	both.Wait()
}

// A delayed piece is due at the far end at a time.
type delayed struct {
	octets []byte
	due    time.Time
}

// later copies what the server says, each piece the delay after it came.
func (p *Proxy) later(server io.Reader, client io.Writer, answered *atomic.Bool) {
	pieces := make(chan delayed, 1024)
	go func() {
		defer close(pieces)
		buf := make([]byte, 32<<10)
		for {
			n, err := server.Read(buf)
			if n > 0 {
				pieces <- delayed{append([]byte(nil), buf[:n]...), time.Now().Add(time.Duration(p.delay.Load()))}
			}
			if err != nil {
				return
			}
		}
	}()
	for piece := range pieces {
		pause(time.Until(piece.due))
		answered.Store(true)
		_, _ = client.Write(piece.octets) // a client that has gone needs nothing more
	}
}

func closeWrite(nc net.Conn) {
	if t, ok := nc.(*net.TCPConn); ok {
		_ = t.CloseWrite()
	}
}

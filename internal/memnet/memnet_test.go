package memnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const address = "127.0.0.11:25"

// pair connects two ends over n.
func pair(t testing.TB, n *Network) (client, server *Conn) {
	t.Helper()
	l, err := n.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := n.Dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return c.(*Conn), s.(*Conn)
}

func read(t testing.TB, c net.Conn, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatalf("read %d octets: %v", n, err)
	}
	return string(b)
}

func write(t testing.TB, c net.Conn, s string) {
	t.Helper()
	if n, err := io.WriteString(c, s); n != len(s) || err != nil {
		t.Fatalf("write of %d octets = %d, %v", len(s), n, err)
	}
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func wantSince(t testing.TB, what string, since time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(since); got != want {
		t.Errorf("%s took %v, want %v", what, got, want)
	}
}

func TestAddresses(t *testing.T) {
	n := New(Config{})
	c, s := pair(t, n)
	if got, want := c.RemoteAddr().String(), address; got != want {
		t.Errorf("client's remote address = %s, want %s", got, want)
	}
	if c.LocalAddr().String() != s.RemoteAddr().String() || s.LocalAddr().String() != address {
		t.Errorf("client %v→%v, server %v→%v do not match", c.LocalAddr(), c.RemoteAddr(), s.LocalAddr(), s.RemoteAddr())
	}
	if _, ok := c.RemoteAddr().(*net.TCPAddr); !ok {
		t.Errorf("remote address is a %T, want *net.TCPAddr", c.RemoteAddr())
	}
	if _, ok := net.Conn(c).(net.PacketConn); ok {
		t.Error("a stream connection passes as a net.PacketConn")
	}
}

func TestLatencyIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const latency = 20 * time.Millisecond
		n := New(Config{Latency: latency})
		l, _ := n.Listen("tcp", address)
		defer l.Close()
		var wg sync.WaitGroup
		start := time.Now()
		wg.Go(func() {
			s, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			wantSince(t, "accept", start, 3*latency)
			write(t, s, "220 ready\r\n")
			if got := read(t, s, 6); got != "EHLO\r\n" {
				t.Errorf("server read %q", got)
			}
			wantSince(t, "request", start, 5*latency)
			s.Close()
		})
		c, err := n.Dial(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		wantSince(t, "dial", start, 2*latency)
		read(t, c, 11)
		wantSince(t, "greeting", start, 4*latency)
		write(t, c, "EHLO\r\n")
		wantSince(t, "write", start, 4*latency)
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after the close: %v, want EOF", err)
		}
		wantSince(t, "end", start, 6*latency)
		c.Close()
		wg.Wait()
	})
}

func TestBandwidth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Latency: 10 * time.Millisecond, Bandwidth: 1000})
		c, s := pair(t, n)
		start := time.Now()
		write(t, c, strings.Repeat("x", 3000))
		c.Close()
		wantSince(t, "write", start, 0)
		got, err := io.ReadAll(s)
		if len(got) != 3000 || err != nil {
			t.Errorf("read %d octets, %v", len(got), err)
		}
		wantSince(t, "transfer", start, 3*time.Second+10*time.Millisecond)
	})
}

func TestReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, New(Config{}))
		start := time.Now()
		c.SetReadDeadline(start.Add(time.Hour))
		_, err := c.Read(make([]byte, 1))
		wantErr(t, "read", err, os.ErrDeadlineExceeded)
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("%v is no time-out", err)
		}
		wantSince(t, "read", start, time.Hour)

		c.SetReadDeadline(time.Time{})
		start = time.Now()
		time.AfterFunc(time.Second, func() { c.SetReadDeadline(time.Now().Add(time.Second)) })
		time.AfterFunc(1500*time.Millisecond, func() { c.SetReadDeadline(time.Now().Add(time.Second)) })
		_, err = c.Read(make([]byte, 1))
		wantErr(t, "read with moving deadline", err, os.ErrDeadlineExceeded)
		wantSince(t, "read with moving deadline", start, 2500*time.Millisecond)

		start = time.Now()
		c.SetReadDeadline(start.Add(time.Hour))
		time.AfterFunc(time.Second, func() { c.SetReadDeadline(start.Add(time.Minute)) })
		_, err = c.Read(make([]byte, 1))
		wantErr(t, "read with a deadline that comes nearer", err, os.ErrDeadlineExceeded)
		wantSince(t, "read with a deadline that comes nearer", start, time.Minute)
	})
}

func TestWriteDeadlineCountsExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t, New(Config{Buffer: 10}))
		c.SetWriteDeadline(time.Now().Add(time.Minute))
		time.AfterFunc(time.Second, func() { read(t, s, 7) })
		n, err := c.Write(make([]byte, 100))
		wantErr(t, "write", err, os.ErrDeadlineExceeded)
		if n != 17 {
			t.Errorf("write took %d octets, want 17", n)
		}
	})
}

func TestTransferBothWays(t *testing.T) {
	for _, cfg := range []Config{{}, {Buffer: 1000}, {Latency: time.Millisecond}} {
		synctest.Test(t, func(t *testing.T) {
			c, s := pair(t, New(cfg))
			var wg sync.WaitGroup
			data := make([]byte, 2<<20)
			for i := range data {
				data[i] = byte(i * 7 >> 3)
			}
			for _, end := range []*Conn{c, s} {
				wg.Go(func() {
					for rest := data; len(rest) > 0; {
						k := min(len(rest), 70001)
						if _, err := end.Write(rest[:k]); err != nil {
							t.Error(err)
							return
						}
						rest = rest[k:]
					}
					end.CloseWrite()
				})
				wg.Go(func() {
					got, err := io.ReadAll(end)
					if err != nil || !bytes.Equal(got, data) {
						t.Errorf("%+v: read %d octets, %v; want the %d written", cfg, len(got), err, len(data))
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestDialRefused(t *testing.T) {
	n := New(Config{})
	_, err := n.Dial(t.Context(), "tcp", address)
	wantErr(t, "dial", err, syscall.ECONNREFUSED)
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "dial" || op.Addr.String() != address {
		t.Errorf("got %#v, want a *net.OpError of dial", err)
	}
}

func TestDialBlackHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{})
		l, _ := n.Listen("tcp", address)
		defer l.Close()
		n.SetHost("127.0.0.11", BlackHole)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := n.Dial(ctx, "tcp", address)
		wantErr(t, "dial", err, context.DeadlineExceeded)
		wantSince(t, "dial", start, 10*time.Second)

		start = time.Now()
		time.AfterFunc(time.Minute, func() { n.SetHost("127.0.0.11", Up) })
		c, err := n.Dial(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		wantSince(t, "dial", start, time.Minute)
		c.Close()
	})
}

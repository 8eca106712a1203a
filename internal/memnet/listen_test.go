package memnet

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestListenErrors(t *testing.T) {
	n := New(Config{})
	l, err := n.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	if l.Addr().(*net.TCPAddr).Port == 0 {
		t.Error("port 0 chose no port")
	}
	_, err = n.Listen("tcp", l.Addr().String())
	wantErr(t, "second listen", err, syscall.EADDRINUSE)
	for _, bad := range [][2]string{{"tcp", "relay.example:25"}, {"tcp", "127.0.0.1"}, {"tcp", "127.0.0.1:smtp"},
		{"tcp", "127.0.0.1:70000"}, {"tcp4", "[::1]:25"}, {"udp", "127.0.0.1:25"}, {"unix", "/x"}} {
		if _, err := n.Listen(bad[0], bad[1]); err == nil {
			t.Errorf("Listen(%q, %q) succeeds", bad[0], bad[1])
		}
		if _, err := n.Dial(t.Context(), bad[0], bad[1]); bad[0] != "udp" && err == nil {
			t.Errorf("Dial(%q, %q) succeeds", bad[0], bad[1])
		}
	}
	l.Close()
	wantErr(t, "second close", l.Close(), net.ErrClosed)
	_, err = l.Accept()
	wantErr(t, "accept after close", err, net.ErrClosed)
	again, err := n.Listen("tcp", l.Addr().String())
	if err != nil {
		t.Fatalf("listen after close: %v", err)
	}
	again.Close()
}

func TestUnspecifiedListener(t *testing.T) {
	n := New(Config{})
	l, _ := n.Listen("tcp", ":25")
	defer l.Close()
	for _, to := range []string{"127.0.0.9:25", "[2001:db8::1]:25", "[::ffff:192.0.2.1]:25"} {
		c, err := n.Dial(t.Context(), "tcp", to)
		if err != nil {
			t.Errorf("dial %s: %v", to, err)
			continue
		}
		c.Close()
	}
}

func TestHostStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Latency: time.Second})
		l, _ := n.Listen("tcp", address)
		defer l.Close()
		for _, test := range []struct {
			state HostState
			want  error
			takes time.Duration
		}{{Refuse, syscall.ECONNREFUSED, 2 * time.Second}, {Unreachable, syscall.ENETUNREACH, 0}, {Up, nil, 2 * time.Second}} {
			n.SetHost("127.0.0.11", test.state)
			start := time.Now()
			_, err := n.Dial(t.Context(), "tcp", address)
			wantErr(t, test.state.String(), err, test.want)
			wantSince(t, test.state.String(), start, test.takes)
		}
	})
}

func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Backlog: 2})
		l, _ := n.Listen("tcp", address)
		for range 2 {
			if _, err := n.Dial(t.Context(), "tcp", address); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := n.Dial(ctx, "tcp", address)
		wantErr(t, "dial into a full backlog", err, context.DeadlineExceeded)

		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := n.Dial(t.Context(), "tcp", address); err != nil {
				t.Errorf("dial once there is room: %v", err)
			}
		})
		synctest.Wait()
		l.Accept()
		wg.Wait()

		wg.Go(func() {
			_, err := n.Dial(t.Context(), "tcp", address)
			wantErr(t, "dial when the listener closes", err, syscall.ECONNREFUSED)
		})
		synctest.Wait()
		l.Close()
		wg.Wait()
	})
}

func TestListenerCloseResetsWhatIsPending(t *testing.T) {
	for _, latency := range []time.Duration{0, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			n := New(Config{Latency: latency})
			l, _ := n.Listen("tcp", address)
			c, err := n.Dial(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
			_, err = c.Read(make([]byte, 1))
			wantErr(t, "read", err, syscall.ECONNRESET)
			c.Close()
			if got := n.Stats().Open; got != 0 {
				t.Errorf("%d ends are open", got)
			}
		})
	}
}

// Whatever the order of events, every dial ends in a connection that is accepted or reset, or in an error.
func TestDialRacesClose(t *testing.T) {
	n := New(Config{})
	for range 200 {
		l, err := n.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				c, err := n.Dial(t.Context(), "tcp", address)
				if err != nil {
					if !errors.Is(err, syscall.ECONNREFUSED) {
						t.Errorf("dial: %v", err)
					}
					return
				}
				defer c.Close()
				c.Read(make([]byte, 1))
			})
		}
		wg.Go(func() {
			if c, err := l.Accept(); err == nil {
				c.Close()
			}
			l.Close()
		})
		wg.Wait()
	}
	if got := n.Stats(); got.Open != 0 || len(n.ports) != 0 {
		t.Errorf("%d ends are open, %d ports in use; want none", got.Open, len(n.ports))
	}
}

func TestDatagrams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Latency: time.Second})
		srv, err := n.ListenPacket("udp", "192.0.2.53:53")
		if err != nil {
			t.Fatal(err)
		}
		other, _ := n.ListenPacket("udp", "192.0.2.53:54")
		c, err := n.Dial(t.Context(), "udp", "192.0.2.53:53")
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := c.(net.PacketConn); !ok {
			t.Error("a datagram connection does not pass as a net.PacketConn")
		}
		start := time.Now()
		write(t, c, "question")
		b := make([]byte, 100)
		k, from, err := srv.ReadFrom(b)
		if string(b[:k]) != "question" || err != nil || from.String() != c.LocalAddr().String() {
			t.Errorf("server read %q from %v, %v", b[:k], from, err)
		}
		wantSince(t, "question", start, time.Second)
		other.WriteTo([]byte("forged"), from)
		srv.WriteTo([]byte("answer"), from)
		k, err = c.Read(b)
		if string(b[:k]) != "answer" || err != nil {
			t.Errorf("client read %q, %v", b[:k], err)
		}
		wantSince(t, "answer", start, 2*time.Second)

		c.SetReadDeadline(time.Now().Add(time.Minute))
		_, err = c.Read(b)
		wantErr(t, "read", err, os.ErrDeadlineExceeded)
		c.SetReadDeadline(time.Time{})
		srv.Close()
		start = time.Now()
		write(t, c, "question")
		_, err = c.Read(b)
		wantErr(t, "read when nobody is there", err, syscall.ECONNREFUSED)
		wantSince(t, "refusal", start, 2*time.Second)

		n.SetHost("192.0.2.53", BlackHole)
		write(t, c, "question")
		n.SetHost("192.0.2.53", Unreachable)
		_, err = c.Write(b)
		wantErr(t, "write", err, syscall.ENETUNREACH)
		_, err = n.Dial(t.Context(), "udp", "192.0.2.53:53")
		wantErr(t, "dial", err, syscall.ENETUNREACH)
		time.AfterFunc(time.Second, func() { c.Close() })
		_, err = c.Read(b)
		wantErr(t, "read across a close", err, net.ErrClosed)
		other.Close()
		if got, want := n.Stats(), (Stats{Datagrams: 5, Dropped: 3}); got != want {
			t.Errorf("stats = %+v, want %+v", got, want)
		}
	})
}

func TestDialCancelledInTheHandshakeFreesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Latency: time.Second, Backlog: 1})
		l, _ := n.Listen("tcp", address)
		defer l.Close()
		for _, after := range []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			_, err := n.Dial(ctx, "tcp", address)
			cancel()
			wantErr(t, "dial", err, context.DeadlineExceeded)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c, err := n.Dial(ctx, "tcp", address)
		if err != nil {
			t.Fatalf("dial into what should be free: %v", err)
		}
		c.Close()
	})
}

func TestDialFrom(t *testing.T) {
	n := New(Config{})
	l, _ := n.Listen("tcp", address)
	defer l.Close()
	c, err := n.DialFrom(t.Context(), "tcp", "192.0.2.7", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, _ := l.Accept()
	if got := s.RemoteAddr().(*net.TCPAddr).IP.String(); got != "192.0.2.7" {
		t.Errorf("connection comes from %s", got)
	}
	for _, bad := range []string{"2001:db8::1", "name.example"} {
		if _, err := n.DialFrom(t.Context(), "tcp", bad, address); err == nil {
			t.Errorf("dial from %s succeeds", bad)
		}
	}
	n.SetHost("192.0.2.7", Unreachable)
	if n.Host("192.0.2.7") != Unreachable || n.Host("192.0.2.8") != Up {
		t.Error("host states are not as set")
	}
	_, err = n.DialFrom(t.Context(), "tcp", "192.0.2.7", address)
	wantErr(t, "dial from a host without a route", err, syscall.ENETUNREACH)
}

func TestDatagramErrors(t *testing.T) {
	n := New(Config{Buffer: 100})
	a, err := n.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.ListenPacket("udp", a.LocalAddr().String())
	wantErr(t, "second bind", err, syscall.EADDRINUSE)
	_, err = a.(*PacketConn).Write([]byte("x"))
	wantErr(t, "write without an address", err, syscall.EDESTADDRREQ)
	c, err := n.Dial(t.Context(), "udp", a.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.(*PacketConn).WriteTo([]byte("x"), a.LocalAddr())
	wantErr(t, "WriteTo when connected", err, net.ErrWriteToConnected)
	_, err = c.Write(make([]byte, maxDatagram+1))
	wantErr(t, "write of too much", err, syscall.EMSGSIZE)
	for range 3 {
		write(t, c, "0123456789012345678901234567890123456789") // the third finds no room
	}
	b := make([]byte, 10)
	for range 2 {
		if k, _, err := a.ReadFrom(b); k != 10 || err != nil {
			t.Errorf("read %d octets, %v; want the 10 there is room for", k, err)
		}
	}
	for range 10 { // what was read makes room
		write(t, c, "0123456789012345678901234567890123456789")
		a.ReadFrom(b)
	}
	a.SetDeadline(time.Unix(1, 0))
	_, _, err = a.ReadFrom(b)
	wantErr(t, "read after the deadline", err, os.ErrDeadlineExceeded)
	_, err = a.WriteTo(b, c.LocalAddr())
	wantErr(t, "write after the deadline", err, os.ErrDeadlineExceeded)
	a.Close()
	_, err = a.WriteTo(b, c.LocalAddr())
	wantErr(t, "write after close", err, net.ErrClosed)
	wantErr(t, "deadline after close", a.SetWriteDeadline(time.Time{}), net.ErrClosed)
	wantErr(t, "second close", a.Close(), net.ErrClosed)
	if got, want := n.Stats().Dropped, 1; got != want {
		t.Errorf("%d datagrams dropped, want %d", got, want)
	}
}

package memnet

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestCloseLetsThePeerReadTheRest(t *testing.T) {
	c, s := pair(t, New(Config{}))
	write(t, s, "421 bye\r\n")
	s.Close()
	write(t, c, "MAIL FROM:<>\r\n") // taken: the reset is still to come
	if _, err := c.Write([]byte("RCPT")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("second write after the peer's close: %v, want EPIPE", err)
	}
	got, err := io.ReadAll(c)
	if string(got) != "421 bye\r\n" || err != nil {
		t.Errorf("read %q, %v; want the rest and EOF", got, err)
	}
	_, err = s.Read(make([]byte, 1))
	wantErr(t, "read after own close", err, net.ErrClosed)
	_, err = s.Write(nil)
	wantErr(t, "write after own close", err, net.ErrClosed)
	wantErr(t, "second close", s.Close(), net.ErrClosed)
	wantErr(t, "deadline after own close", s.SetDeadline(time.Now()), net.ErrClosed)
}

func TestWriteAfterPeerCloseFailsARoundTripLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t, New(Config{Latency: 10 * time.Millisecond}))
		s.Close()
		write(t, c, "x")
		time.Sleep(20*time.Millisecond - time.Nanosecond)
		write(t, c, "y")
		time.Sleep(time.Nanosecond)
		_, err := c.Write([]byte("z"))
		wantErr(t, "write", err, syscall.EPIPE)
	})
}

func TestHalfClose(t *testing.T) {
	c, s := pair(t, New(Config{}))
	write(t, c, "all")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_, err := c.Write([]byte("x"))
	wantErr(t, "write after CloseWrite", err, syscall.EPIPE)
	if got, err := io.ReadAll(s); string(got) != "all" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	write(t, s, "answer")
	if got := read(t, c, 6); got != "answer" {
		t.Errorf("read %q", got)
	}
}

func TestCloseWakesBlockedCalls(t *testing.T) {
	tests := []struct {
		name string
		do   func(c, s *Conn)
		r, w error
	}{
		{"own close", func(c, s *Conn) { c.Close() }, net.ErrClosed, net.ErrClosed},
		{"peer's close", func(c, s *Conn) { s.Close() }, io.EOF, syscall.ECONNRESET},
		{"peer's reset", func(c, s *Conn) { s.Reset() }, syscall.ECONNRESET, syscall.ECONNRESET},
		{"past deadline", func(c, s *Conn) { c.SetDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded},
		{"cut", func(c, s *Conn) { c.CutAfter(0, CutEOF) }, io.EOF, syscall.EPIPE},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := pair(t, New(Config{Buffer: 16}))
				var wg sync.WaitGroup
				wg.Go(func() {
					_, err := c.Read(make([]byte, 1))
					wantErr(t, "read", err, test.r)
				})
				for range 2 { // one fills the buffer, the other waits for its turn
					wg.Go(func() {
						_, err := c.Write(make([]byte, 100))
						wantErr(t, "write", err, test.w)
					})
				}
				synctest.Wait()
				test.do(c, s)
				wg.Wait()
			})
		})
	}
}

func TestResetDropsWhatIsUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t, New(Config{Latency: 10 * time.Millisecond}))
		write(t, s, "250 ok\r\n")
		time.Sleep(10 * time.Millisecond)
		s.Reset()
		if got := read(t, c, 3); got != "250" { // the reset is under way
			t.Errorf("read %q", got)
		}
		time.Sleep(10 * time.Millisecond)
		_, err := c.Read(make([]byte, 10))
		wantErr(t, "read", err, syscall.ECONNRESET)
		_, err = c.Write([]byte("x"))
		wantErr(t, "write", err, syscall.ECONNRESET)
	})
}

func TestBlackHoleSilencesConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Latency: 10 * time.Millisecond, Buffer: 10})
		c, s := pair(t, n)
		write(t, s, "early")
		time.Sleep(10 * time.Millisecond)
		write(t, s, "late")
		n.SetHost("127.0.0.11", BlackHole)
		write(t, c, "swallowed")
		if got := read(t, c, 5); got != "early" {
			t.Errorf("what had arrived reads %q", got)
		}
		for name, end := range map[string]*Conn{"client": c, "server": s} {
			end.SetReadDeadline(time.Now().Add(time.Hour))
			_, err := end.Read(make([]byte, 1))
			wantErr(t, name+"'s read", err, os.ErrDeadlineExceeded)
			end.SetReadDeadline(time.Time{})
		}
		c.SetWriteDeadline(time.Now().Add(time.Hour))
		k, err := c.Write([]byte("more"))
		wantErr(t, "write into a full buffer", err, os.ErrDeadlineExceeded)
		if k != 1 {
			t.Errorf("write took %d octets, want 1", k)
		}
		n.SetHost("127.0.0.11", Up)
		start := time.Now()
		if got := read(t, c, 4) + read(t, s, 10); got != "lateswallowedm" {
			t.Errorf("afterwards read %q", got)
		}
		wantSince(t, "retransmission", start, 10*time.Millisecond)
	})
}

func TestCloseReachesThePeerAfterABlackHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, end := range []struct {
			name string
			do   func(*Conn)
			want error
		}{
			{"close", func(s *Conn) { s.Close() }, io.EOF},
			{"reset", func(s *Conn) { s.Reset() }, syscall.ECONNRESET},
		} {
			n := New(Config{Latency: time.Second})
			c, s := pair(t, n)
			end.do(s)
			n.SetHost("127.0.0.11", BlackHole)
			time.Sleep(time.Hour)
			start := time.Now()
			time.AfterFunc(time.Minute, func() { n.SetHost("127.0.0.11", Up) })
			_, err := c.Read(make([]byte, 1))
			wantErr(t, end.name, err, end.want)
			wantSince(t, end.name, start, time.Minute+time.Second)
		}
	})
}

func TestConcurrentWritesDoNotMingle(t *testing.T) {
	c, s := pair(t, New(Config{Buffer: 10}))
	var wg sync.WaitGroup
	for _, letter := range "abcd" {
		wg.Go(func() { write(t, c, strings.Repeat(string(letter), 1000)) })
	}
	got := read(t, s, 4000)
	wg.Wait()
	for i := 0; i < len(got); i += 1000 {
		if part := got[i : i+1000]; strings.Count(part, part[:1]) != 1000 {
			t.Errorf("octets %d to %d are of several writes", i, i+1000)
		}
	}
}

func TestCutIsSilentForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := pair(t, New(Config{Buffer: 10}))
		write(t, c, "1")
		c.CutAfter(0, CutSilent)
		write(t, c, "234567890")
		s.Close()
		c.SetDeadline(time.Now().Add(time.Hour))
		_, err := c.Read(make([]byte, 1))
		wantErr(t, "read after the peer's close", err, os.ErrDeadlineExceeded)
		c.SetDeadline(time.Now().Add(time.Hour))
		n, err := c.Write([]byte("xy")) // the peer had got one octet
		wantErr(t, "write into the full buffer", err, os.ErrDeadlineExceeded)
		if n != 1 {
			t.Errorf("write took %d octets, want 1", n)
		}
	})
}

// FuzzRing checks a ring against a slice.
func FuzzRing(f *testing.F) {
	f.Add([]byte{200, 10, 200, 250, 1, 255})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var r ring
		var want []byte
		next := byte(0)
		for i, step := range steps {
			if k := int(step) * 33; i%2 == 0 {
				b := make([]byte, k)
				for j := range b {
					b[j] = next
					next++
				}
				r.push(b)
				want = append(want, b...)
			} else {
				b := make([]byte, k)
				got := b[:r.pop(b, k/2+1)]
				if k := min(k, k/2+1, len(want)); !bytes.Equal(got, want[:k]) {
					t.Fatalf("step %d: popped %d octets that differ from the %d pushed", i, len(got), k)
				}
				want = want[len(got):]
			}
			if r.size != len(want) {
				t.Fatalf("step %d: size %d, want %d", i, r.size, len(want))
			}
		}
	})
}

func TestCuts(t *testing.T) {
	tests := []struct {
		how             Cut
		n               int
		writeErr        error // of the write that crosses the cut
		after           error // of the next one
		readErr         error // of the reader, behind the octets before the cut
		nearErr, farErr error // of the writer's read and the reader's write
	}{
		{CutReset, 9, nil, syscall.ECONNRESET, syscall.ECONNRESET, syscall.ECONNRESET, syscall.ECONNRESET},
		{CutShort, 5, syscall.ECONNRESET, syscall.ECONNRESET, syscall.ECONNRESET, syscall.ECONNRESET, syscall.ECONNRESET},
		{CutEOF, 9, nil, syscall.EPIPE, io.EOF, io.EOF, syscall.EPIPE},
		{CutSilent, 9, nil, nil, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded, nil},
	}
	for _, test := range tests {
		for _, side := range []string{"client writes", "server writes"} {
			c, s := pair(t, New(Config{}))
			w, r := c, s
			if side == "server writes" {
				w, r = s, c
				c.CutReadAfter(7, test.how)
			} else {
				c.CutAfter(7, test.how)
			}
			write(t, w, "12")
			n, err := w.Write([]byte("345678901"))
			if n != test.n || !errors.Is(err, test.writeErr) {
				t.Errorf("%d, %s: write = %d, %v; want %d, %v", test.how, side, n, err, test.n, test.writeErr)
			}
			_, err = w.Write([]byte("x"))
			wantErr(t, side+": next write", err, test.after)
			if got := read(t, r, 7); got != "1234567" {
				t.Errorf("%d, %s: read %q", test.how, side, got)
			}
			_, err = r.Write([]byte("x"))
			wantErr(t, side+": reader's write", err, test.farErr)
			c.SetReadDeadline(time.Unix(1, 0))
			s.SetReadDeadline(time.Unix(1, 0))
			if test.how != CutSilent {
				c.SetReadDeadline(time.Time{})
				s.SetReadDeadline(time.Time{})
			}
			_, err = r.Read(make([]byte, 1))
			wantErr(t, side+": read behind the cut", err, test.readErr)
			_, err = w.Read(make([]byte, 1))
			wantErr(t, side+": writer's read", err, test.nearErr)
		}
	}
}

func TestResetHost(t *testing.T) {
	n := New(Config{})
	c, s := pair(t, n)
	if got := n.ResetHost("127.0.0.11"); got != 1 {
		t.Errorf("reset %d connections, want 1", got)
	}
	_, err := c.Read(make([]byte, 1))
	wantErr(t, "client's read", err, syscall.ECONNRESET)
	_, err = s.Read(make([]byte, 1))
	wantErr(t, "server's read", err, net.ErrClosed)
}

func TestStats(t *testing.T) {
	n := New(Config{})
	c, s := pair(t, n)
	write(t, s, "220\r\n")
	for range 3 {
		read(t, c, 5)
		write(t, c, "NOO")
		write(t, c, "P\r\n")
		read(t, s, 6)
		write(t, s, "250\r\n")
	}
	if got, want := c.Stats(), (ConnStats{Sent: 18, Read: 15, RoundTrips: 3}); got != want {
		t.Errorf("connection's stats = %+v, want %+v", got, want)
	}
	want := Stats{Dialled: 1, Open: 2, Sent: 18, Received: 20, RoundTrips: 3}
	if got := n.Stats(); got != want {
		t.Errorf("open network's stats = %+v, want %+v", got, want)
	}
	c.Close()
	s.Reset()
	want.Open = 0
	if got := n.Stats(); got != want {
		t.Errorf("closed network's stats = %+v, want %+v", got, want)
	}
}

func TestTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"a.relay.example"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		cert, _ := x509.ParseCertificate(der)
		pool := x509.NewCertPool()
		pool.AddCert(cert)
		c, s := pair(t, New(Config{Latency: time.Millisecond}))
		var wg sync.WaitGroup
		wg.Go(func() {
			tc := tls.Server(s, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
			got, err := io.ReadAll(tc)
			if err != nil || !bytes.Equal(got, bytes.Repeat([]byte("mail"), 1<<16)) {
				t.Errorf("server read %d octets, %v", len(got), err)
			}
			tc.Close()
		})
		tc := tls.Client(c, &tls.Config{RootCAs: pool, ServerName: "a.relay.example"})
		if _, err := tc.Write(bytes.Repeat([]byte("mail"), 1<<16)); err != nil {
			t.Error(err)
		}
		tc.Close()
		wg.Wait()
	})
}

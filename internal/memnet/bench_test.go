package memnet

import (
	"io"
	"net"
	"testing"
)

// BenchmarkRoundTrip has one end answer the other, over memory and over loopback.
func BenchmarkRoundTrip(b *testing.B) {
	request, answer := make([]byte, 100), make([]byte, 20)
	roundTrips := func(b *testing.B, c, s net.Conn) {
		defer c.Close()
		go func() {
			defer s.Close()
			in := make([]byte, len(request))
			for {
				if _, err := io.ReadFull(s, in); err != nil {
					return
				}
				s.Write(answer)
			}
		}()
		in := make([]byte, len(answer))
		b.ReportAllocs()
		for b.Loop() {
			c.Write(request)
			if _, err := io.ReadFull(c, in); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("memnet", func(b *testing.B) {
		c, s := pair(b, New(Config{}))
		roundTrips(b, c, s)
	})
	b.Run("loopback", func(b *testing.B) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		roundTrips(b, c, s)
	})
}

// BenchmarkStream pushes octets one way.
func BenchmarkStream(b *testing.B) {
	c, s := pair(b, New(Config{}))
	done := make(chan struct{})
	go func() {
		io.Copy(io.Discard, s)
		close(done)
	}()
	block := make([]byte, 64<<10)
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	for b.Loop() {
		c.Write(block)
	}
	c.Close()
	<-done
}

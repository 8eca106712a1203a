package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

func TestProxyDelaysAndCounts(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Skip("no loopback:", err)
	}
	defer l.Close()
	go func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		_, _ = io.Copy(nc, nc)
	}()
	const delay, trips = 5 * time.Millisecond, 4
	p, err := Listen(l.Addr().String(), delay)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	nc, err := net.Dial("tcp4", p.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	start, in := time.Now(), bufio.NewReader(nc)
	for i := range trips {
		fmt.Fprintf(nc, "trip %d\n", i)
		got, err := in.ReadString('\n')
		if want := fmt.Sprintf("trip %d\n", i); got != want || err != nil {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
	if got := time.Since(start); got < trips*delay {
		t.Errorf("%d round trips took %v, want at least %v", trips, got, trips*delay)
	}
	if got := p.Turns(); got != trips {
		t.Errorf("got %d turns, want %d", got, trips)
	}
}

package mxsend

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// C30: a relay says 250 while the last octets of the content are stuck in Write,
// and then resets the connection. Over real sockets, with small buffers, for
// contents of every length about the buffer and the chunks of the client.
func earlyAnswers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		secured bool
		dots    bool // a line begins with a dot: content goes by another way
	}{
		{"clear", false, false}, {"clear, dots", false, true}, {"TLS", true, false}, {"TLS, dots", true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stuck atomic.Int64
			t.Run("lengths", func(t *testing.T) { // beside each other: small buffers make all of it slow
				for _, about := range []int{writeBuffer, writeChunk, writeChunk + writeBuffer, 90_000} {
					for off := -700; off <= 700; off += 700 {
						for unread := 0; unread <= 48<<10; unread += 12 << 10 {
							t.Run(fmt.Sprintf("%d, %d unread", about+off, unread), func(t *testing.T) {
								t.Parallel()
								stuck.Add(earlyAnswer(t, about+off, unread, tt.secured, tt.dots))
							})
						}
					}
				}
			})
			if stuck.Load() == 0 {
				t.Error("no Write failed: nothing was tried")
			}
		})
	}
}

// earlyAnswer sends one content of a length to a relay that reads all but what
// the client writes last and so much before that, which fills the sockets' buffers.
// It returns 1 if a Write failed.
func earlyAnswer(t *testing.T, length, unread int, secured, dots bool) int64 {
	content := testContentOf(length)
	if !dots {
		content = slices.Concat([]byte("From: a@app.test\r\n\r\n"), content[len(testContent):])
	}
	var config *tls.Config
	if secured {
		config = testCA().issue("p1.relays.test", certEnd)
	}
	last := len(content) % writeChunk
	if dots {
		last = len(content) % writeBuffer
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Skip("no loopback:", err)
	}
	defer l.Close()
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			earlyRelay(nc.(*net.TCPConn), config, len(content)-last-unread)
		}
	}()
	var failed atomic.Bool
	cfg := Config{Resolver: StaticRelays(loopbackHost("p1.relays.test", l.Addr().String())), LocalName: "app.test", TLS: TLSDisabled, Retry: noRetryNow}
	if secured {
		cfg.TLS, cfg.TLSConfig, cfg.RelayNames = TLSImplicit, &tls.Config{RootCAs: testCA().pool()}, []string{"p1.relays.test"}
	}
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			_ = nc.(*net.TCPConn).SetWriteBuffer(4 << 10)
		}
		return failNoting{nc, &failed}, err
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m := testMessage(1)
	m.Content = content
	r, _ := c.Send(t.Context(), m)
	if !failed.Load() {
		return 0 // all of it was handed over: a relay that lies now is believed
	}
	if o := r.Recipients[0].Outcome; o == Accepted {
		t.Errorf("content of %d octets: %v", len(content), o)
	}
	return 1
}

// failNoting notes that a Write of a connection failed.
type failNoting struct {
	net.Conn
	failed *atomic.Bool
}

func (c failNoting) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		c.failed.Store(true)
	}
	return n, err
}

// earlyRelay accepts a mail of which it reads only so much.
func earlyRelay(nc *net.TCPConn, config *tls.Config, octets int) {
	_ = nc.SetReadBuffer(8 << 10)
	_ = nc.SetLinger(0)
	defer nc.Close()
	var s net.Conn = nc
	if config != nil {
		s = tls.Server(nc, config)
	}
	in := bufio.NewReaderSize(s, 16)
	fmt.Fprint(s, "220 p1\r\n")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch {
		case strings.HasPrefix(line, "EHLO"):
			fmt.Fprint(s, "250-p1\r\n250 PIPELINING\r\n")
		case strings.HasPrefix(line, "DATA"):
			fmt.Fprint(s, "354 go\r\n")
			_, _ = io.CopyN(io.Discard, in, int64(max(0, octets)))
			fmt.Fprint(s, "250 2.0.0 Ok: queued as EARLY\r\n")
			time.Sleep(3 * time.Millisecond) // the client reads it
			return
		default:
			fmt.Fprint(s, "250 2.1.0 Ok\r\n")
		}
	}
}

package mxsend

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// sink takes everything over real TCP and says as little as it may.
func sink(tb testing.TB) (port int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Skip("no loopback:", err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go sinkSession(nc)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func sinkSession(nc net.Conn) {
	defer nc.Close()
	in, out := bufio.NewReaderSize(nc, 32<<10), bufio.NewWriter(nc)
	_, _ = out.WriteString("220 sink\r\n")
	data := false
	for {
		if in.Buffered() == 0 {
			_ = out.Flush()
		}
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		switch {
		case data:
			if bytes.Equal(line, []byte(".\r\n")) {
				data = false
				_, _ = out.WriteString("250 2.0.0 Ok: queued as 4XyZ\r\n")
			}
		case bytes.HasPrefix(line, []byte("EHLO")):
			_, _ = out.WriteString("250-sink\r\n250 PIPELINING\r\n")
		case bytes.HasPrefix(line, []byte("DATA")):
			data = true
			_, _ = out.WriteString("354 go\r\n")
		default:
			_, _ = out.WriteString("250 2.1.0 Ok\r\n")
		}
	}
}

// BenchmarkSendAll submits messages of 4 KiB over two relays on loopback, in this
// process: the relays' work is in the figures.
func BenchmarkSendAll(b *testing.B) {
	hosts := []Host{}
	for i := range 2 {
		hosts = append(hosts, Host{Name: "p" + strconv.Itoa(i), Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Port: sink(b)})
	}
	c, err := New(Config{Resolver: StaticRelays(hosts...), TLS: TLSDisabled, Limits: Limits{Connections: 5, Reserved: -1}})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	content := []byte("From: a@b.test\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 57))
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for r := range c.SendAll(b.Context(), func(yield func(*Message) bool) {
		m := make([]Message, b.N)
		to := []string{"you@example.test"}
		for i := range m {
			m[i] = Message{ReturnPath: "bounce@b.test", Recipients: to, Content: content}
			if !yield(&m[i]) {
				return
			}
		}
	}) {
		if r.Err != nil {
			b.Fatal(r.Err)
		}
		n++
	}
	if n != b.N {
		b.Fatal(n)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "messages/s")
}

// rsaSigner signs a digest of the content with RSA, and nothing else.
type rsaSigner struct{ key *rsa.PrivateKey }

func (s rsaSigner) Sign(_ context.Context, content []byte) ([]byte, error) {
	digest := sha256.Sum256(content)
	signature, err := s.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	return fmt.Appendf(nil, "DKIM-Signature: b=%s\r\n", base64.StdEncoding.EncodeToString(signature)), err
}

// BenchmarkSendAllSigned is BenchmarkSendAll with RSA-2048 signatures of messages
// that differ. ×bare is the rate as a multiple of that of the same signatures on all
// cores with nothing beside them.
func BenchmarkSendAllSigned(b *testing.B) {
	hosts := []Host{}
	for i := range 2 {
		hosts = append(hosts, Host{Name: "p" + strconv.Itoa(i), Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Port: sink(b)})
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	signer := rsaSigner{key}
	c, err := New(Config{Resolver: StaticRelays(hosts...), TLS: TLSDisabled, Signer: signer, Limits: Limits{Connections: 5, Reserved: -1}})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	content := func(i int) []byte {
		return []byte("From: a@b.test\r\n\r\n" + strconv.Itoa(i) + "\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 57))
	}
	start := time.Now()
	var bare sync.WaitGroup
	cores := runtime.GOMAXPROCS(0)
	for k := range cores {
		bare.Go(func() {
			for i := k; i < b.N; i += cores {
				if _, err := signer.Sign(b.Context(), content(i)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	bare.Wait()
	alone := time.Since(start)
	b.ResetTimer()
	n := 0
	for r := range c.SendAll(b.Context(), func(yield func(*Message) bool) {
		for i := range b.N {
			if !yield(&Message{ReturnPath: "bounce@b.test", Recipients: []string{"you@example.test"}, Content: content(i)}) {
				return
			}
		}
	}) {
		if r.Err != nil {
			b.Fatal(r.Err)
		}
		n++
	}
	if n != b.N {
		b.Fatal(n)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64(alone)/float64(b.Elapsed()), "×bare")
}

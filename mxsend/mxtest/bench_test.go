package mxtest_test

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// BenchmarkAccept is the rate at which one relay accepts mails of 4 KiB over one connection, pipelined across messages:
// content and the next envelope go out as one write.
func BenchmarkAccept(b *testing.B) {
	for _, memory := range []bool{false, true} {
		b.Run(fmt.Sprintf("memory=%v", memory), func(b *testing.B) {
			c, err := mxtest.Start(mxtest.Config{Memory: memory, KeepContent: -1, Relay: func(string) mxtest.RelayConfig {
				return mxtest.RelayConfig{SMTPDTLSSecurityLevel: "none"}
			}})
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			conn, err := c.Dial(context.Background(), "tcp", c.Primary(0).Addr())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			r := bufio.NewReader(conn)
			expect := func(code string) {
				for {
					line, err := r.ReadString('\n')
					if err != nil || !strings.HasPrefix(line, code) {
						b.Fatalf("got %q, %v; want %s", line, err, code)
					}
					if line[3] == ' ' {
						return
					}
				}
			}
			expect("220")
			fmt.Fprint(conn, "EHLO app.test\r\n")
			expect("250")
			envelope := "MAIL FROM:<b+x@app.test>\r\nRCPT TO:<jane@example.test>\r\nDATA\r\n"
			group := []byte("Message-ID: <x@app.test>\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 57) + ".\r\n" + envelope)
			fmt.Fprint(conn, envelope)
			b.ReportAllocs()
			for b.Loop() {
				for _, code := range []string{"250", "250", "354"} {
					expect(code)
				}
				conn.Write(group)
				expect("250")
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

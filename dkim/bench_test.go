package dkim

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
)

// nullKey takes no time to sign, so what is left is everything but the cryptography.
type nullKey struct {
	crypto.PublicKey
	signature []byte
}

func (k nullKey) Public() crypto.PublicKey { return k.PublicKey }
func (k nullKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return k.signature, nil
}

// benchmarkMail is a mail with nine header fields and a body of plain text.
func benchmarkMail(n int) []byte {
	const head = "From: News <news@example.org>\r\nTo: bob@example.net\r\nSubject: What is new this week\r\n" +
		"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <abcdefghijklmnop@example.org>\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" +
		"List-Unsubscribe: <https://example.org/u/abcdefghijklmnop>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\n"
	const line = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all.\r\n"
	return []byte(head + strings.Repeat(line, n/len(line)))
}

func BenchmarkSign(b *testing.B) {
	null := func(c *Config) {
		c.Keys = []Key{{Selector: "e1", Signer: nullKey{ed25519.PublicKey(make([]byte, 32)), make([]byte, 64)}}}
	}
	for _, size := range []int{4 << 10, 64 << 10} {
		for _, same := range []bool{false, true} {
			b.Run(fmt.Sprintf("no-crypto/%dKiB/same=%v", size>>10, same), func(b *testing.B) {
				s := testSigner(b, null)
				mail := benchmarkMail(size)
				b.ReportAllocs()
				b.SetBytes(int64(len(mail)))
				for i := 0; b.Loop(); i++ {
					if !same {
						for j, n := 0, i; j < 6; j, n = j+1, n/10 {
							mail[len(mail)-60+j] = byte('0' + n%10)
						}
					}
					if _, err := s.Sign(context.Background(), mail); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkSignParallel shows what goroutines cost each other: time for one signature on all cores,
// everything but the cryptography.
func BenchmarkSignParallel(b *testing.B) {
	s := testSigner(b, func(c *Config) {
		c.Keys = []Key{{Selector: "e1", Signer: nullKey{ed25519.PublicKey(make([]byte, 32)), make([]byte, 64)}}}
	})
	var goroutines atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		mail := benchmarkMail(4 << 10)
		n := goroutines.Add(1) << 32
		for pb.Next() {
			n++
			for j, rest := 0, n; rest > 0; j, rest = j+1, rest/10 {
				mail[len(mail)-60+j] = byte('0' + rest%10)
			}
			if _, err := s.Sign(context.Background(), mail); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

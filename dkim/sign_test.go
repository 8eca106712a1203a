package dkim

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"strings"
	"sync"
	"testing"

	msgauth "github.com/emersion/go-msgauth/dkim"
)

var testKeys = sync.OnceValue(func() (k struct{ rsa, ed crypto.Signer }) {
	var err1, err2 error
	k.rsa, err1 = GenerateKey(RSA2048)
	k.ed, err2 = GenerateKey(Ed25519)
	if err := errors.Join(err1, err2); err != nil {
		panic(err)
	}
	return k
})

func testSigner(tb testing.TB, change func(*Config)) *Signer {
	tb.Helper()
	cfg := Config{Domain: "example.org", Keys: []Key{
		{Selector: "r1", Signer: testKeys().rsa},
		{Selector: "e1", Signer: testKeys().ed},
	}}
	if change != nil {
		change(&cfg)
	}
	s, err := NewSigner(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

const simpleMail = "From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: hi\r\n" +
	"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\nHello,\r\n\r\nBob.\r\n"

func sign(tb testing.TB, s *Signer, content string) string {
	tb.Helper()
	fields, err := s.Sign(context.Background(), []byte(content))
	if err != nil {
		tb.Fatal(err)
	}
	return string(fields) + content
}

// verify checks every signature of signed with go-msgauth and the keys of s.
func verify(tb testing.TB, s *Signer, signed string) {
	tb.Helper()
	lookup := func(name string) ([]string, error) {
		for _, k := range s.keys.Load().keys {
			if name == k.Selector+"._domainkey."+s.domain {
				r, err := Record(k.Signer.Public())
				return []string{r}, err
			}
		}
		return nil, errors.New("no such record")
	}
	got, err := msgauth.VerifyWithOptions(strings.NewReader(signed), &msgauth.VerifyOptions{LookupTXT: lookup})
	if err != nil {
		tb.Fatalf("verification: %v", err)
	}
	if want := len(s.keys.Load().keys); len(got) != want {
		tb.Fatalf("got %d signatures, want %d", len(got), want)
	}
	for _, v := range got {
		if v.Err != nil {
			tb.Errorf("signature of %s does not verify: %v\n%s", v.Domain, v.Err, signed)
		}
	}
}

func TestSignVerifies(t *testing.T) {
	s := testSigner(t, nil)
	for range 4 { // the body is remembered from the third time on
		verify(t, s, sign(t, s, simpleMail))
	}
	if _, ok := s.memory.find(nil, []byte("Hello,\r\n\r\nBob.\r\n")); !ok {
		t.Error("the body that came four times is not remembered")
	}
}

func TestFoldingKeepsToWidth(t *testing.T) {
	s := testSigner(t, func(c *Config) { c.Identity = "@news.example.org"; c.Expiration = DefaultQueueLifetime })
	fields, err := s.Sign(context.Background(), []byte(simpleMail))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.SplitSeq(bytes.TrimSuffix(fields, crlf), crlf) {
		if len(line) > 78 {
			t.Errorf("line of %d octets: %q", len(line), line)
		}
	}
}

func TestBareOctetsOfAKeyAreNotNeeded(t *testing.T) {
	var k crypto.Signer = testKeys().rsa
	if _, ok := k.(*rsa.PrivateKey); ok {
		t.Error("GenerateKey returns the bare key, which prints its secret")
	}
}

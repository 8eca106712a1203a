package main

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"github.com/mxsend/go-mxsend/benchmarks/internal/openssl"
	"github.com/mxsend/go-mxsend/dkim"
)

const (
	small = 4 << 10
	large = 64 << 10
)

// bench holds the keys and what is signed.
type bench struct {
	rsa    *rsa.PrivateKey
	ed     ed25519.PrivateKey
	digest [sha256.Size]byte
	open   crypto.Signer // an RSA key inside OpenSSL; nil where it is not built in
}

func newBench() (*bench, error) {
	b := &bench{digest: sha256.Sum256([]byte("digest"))}
	var err error
	if b.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	if _, b.ed, err = ed25519.GenerateKey(rand.Reader); err != nil {
		return nil, err
	}
	if b.open, err = openssl.Key(b.rsa); errors.Is(err, openssl.ErrNotBuilt) {
		return b, nil
	}
	return b, err
}

// noKey takes no time to sign: what is left is everything but the cryptography.
type noKey struct{ public ed25519.PublicKey }

func (k noKey) Public() crypto.PublicKey { return k.public }

func (k noKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return noSignature[:], nil }

var noSignature [ed25519.SignatureSize]byte

func (b *bench) noKey() crypto.Signer { return noKey{b.ed.Public().(ed25519.PublicKey)} }

// mail is a message with nine header fields and a body that differs each time it is asked for, unless
// it is to stay the same.
type mail struct {
	content []byte
	same    bool
	count   int
}

func newMail(size int, same bool) *mail {
	const head = "From: News <news@example.org>\r\nTo: bob@example.net\r\nSubject: What is new this week\r\n" +
		"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <abcdefghijklmnop@example.org>\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" +
		"List-Unsubscribe: <https://example.org/u/abcdefghijklmnop>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\n"
	const line = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all.\r\n"
	text := head + strings.Repeat(line, size/len(line)+1)
	return &mail{content: []byte(text[:size-2] + "\r\n"), same: same}
}

func (m *mail) next() []byte {
	if !m.same {
		m.count++
		for at, n := len(m.content)-20, m.count; n > 0; at, n = at-1, n/10 {
			m.content[at] = byte('0' + n%10)
		}
	}
	return m.content
}

// ours signs with this library, as mxsend does.
func (b *bench) ours(size int, same bool, keys ...crypto.Signer) operation {
	cfg := dkim.Config{Domain: "example.org"}
	for i, k := range keys {
		cfg.Keys = append(cfg.Keys, dkim.Key{Selector: fmt.Sprintf("s%d", i), Signer: k})
	}
	s, err := dkim.NewSigner(cfg)
	m := newMail(size, same)
	return func() error {
		if err != nil {
			return err
		}
		_, err := s.Sign(context.Background(), m.next())
		return err
	}
}

// signedHeaders is for go-msgauth, so that both sign the same fields.
var signedHeaders = []string{"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
	"List-Unsubscribe", "List-Unsubscribe-Post",
	"From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"}

// theirs signs with go-msgauth, once for each key, as its users have to.
func (b *bench) theirs(size int, keys ...crypto.Signer) operation {
	m := newMail(size, false)
	return func() error {
		content := m.next()
		for _, k := range keys {
			s, err := msgauth.NewSigner(&msgauth.SignOptions{Domain: "example.org", Selector: "s1", Signer: k,
				HeaderCanonicalization: msgauth.CanonicalizationRelaxed, BodyCanonicalization: msgauth.CanonicalizationRelaxed,
				HeaderKeys: signedHeaders})
			if err != nil {
				return err
			}
			if _, err = s.Write(content); err != nil {
				return err
			}
			if err = s.Close(); err != nil {
				return err
			}
			_ = s.Signature()
		}
		return nil
	}
}

func (b *bench) bareEd() error {
	_, err := b.ed.Sign(rand.Reader, b.digest[:], crypto.Hash(0))
	return err
}

func (b *bench) bareRSA() error {
	_, err := b.rsa.Sign(rand.Reader, b.digest[:], crypto.SHA256)
	return err
}

func (b *bench) bareBoth() error {
	if err := b.bareRSA(); err != nil {
		return err
	}
	return b.bareEd()
}

func (b *bench) bareOpen() error {
	_, err := b.open.Sign(rand.Reader, b.digest[:], crypto.SHA256)
	return err
}

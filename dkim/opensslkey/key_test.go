//go:build cgo && openssl

package opensslkey

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/mxsend/go-mxsend/dkim"
)

func testKey(t *testing.T) (goKey *rsa.PrivateKey, key *Key) {
	t.Helper()
	goKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text, err := dkim.MarshalKey(goKey)
	if err != nil {
		t.Fatal(err)
	}
	if key, err = ParseKey(text); err != nil {
		t.Fatal(err)
	}
	return goKey, key
}

// PKCS #1 v1.5 is deterministic, so OpenSSL and Go must agree to the octet.
func TestSignsAsGoDoes(t *testing.T) {
	goKey, key := testKey(t)
	for i := range 20 {
		digest := sha256.Sum256([]byte{byte(i)})
		want, err := rsa.SignPKCS1v15(nil, goKey, crypto.SHA256, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		got, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("got %x, want %x", got, want)
		}
	}
}

func TestConcurrently(t *testing.T) {
	_, key := testKey(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				digest := sha256.Sum256([]byte{byte(i), byte(j)})
				signature, err := key.Sign(nil, digest[:], crypto.SHA256)
				if err == nil {
					err = rsa.VerifyPKCS1v15(key.public, crypto.SHA256, digest[:], signature)
				}
				if err != nil {
					t.Error(err)
				}
				runtime.GC() // the key must not be freed while it is in use
			}
		})
	}
	wg.Wait()
}

func TestUnsupported(t *testing.T) {
	_, key := testKey(t)
	digest := make([]byte, 32)
	for name, f := range map[string]func() ([]byte, error){
		"SHA-1":  func() ([]byte, error) { return key.Sign(nil, digest[:20], crypto.SHA1) },
		"length": func() ([]byte, error) { return key.Sign(nil, digest[:31], crypto.SHA256) },
		"PSS":    func() ([]byte, error) { return key.Sign(nil, digest, &rsa.PSSOptions{Hash: crypto.SHA256}) },
	} {
		if _, err := f(); !errors.Is(err, errUnsupported) {
			t.Errorf("%s: got %v, want errUnsupported", name, err)
		}
	}
}

func TestKeyForms(t *testing.T) {
	goKey, _ := testKey(t)
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(goKey)})
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, append([]byte("a comment\n"), pkcs1...), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := LoadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if !goKey.PublicKey.Equal(key.Public()) {
		t.Error("got another key")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(path); runtime.GOOS != "windows" && !errors.Is(err, dkim.ErrKeyFile) {
		t.Errorf("mode 0644: got %v, want ErrKeyFile", err)
	}
	ed, err := dkim.GenerateKey(dkim.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	text, err := dkim.MarshalKey(ed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseKey(text); !errors.Is(err, dkim.ErrNoKey) {
		t.Errorf("Ed25519: got %v, want ErrNoKey", err)
	}
}

func TestHidden(t *testing.T) {
	goKey, key := testKey(t)
	out := fmt.Sprintf("%v %+v %#v %s %d %x %v %+v", key, key, key, key, key, key, dkim.Key{Selector: "s", Signer: key}, struct{ k *Key }{key})
	for _, secret := range []string{goKey.D.String(), fmt.Sprintf("%x", goKey.D)} {
		if strings.Contains(out, secret) {
			t.Error("the secret is printed")
		}
	}
}

func TestSigner(t *testing.T) {
	_, key := testKey(t)
	s, err := dkim.NewSigner(dkim.Config{Domain: "example.org", Keys: []dkim.Key{{Selector: "s1", Signer: key}}})
	if err != nil {
		t.Fatal(err)
	}
	mail := []byte("From: a@example.org\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\nhello\r\n")
	fields, err := s.Sign(context.Background(), mail)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(append(fields, mail...)); err != nil {
		t.Error(err)
	}
}

func BenchmarkSign(b *testing.B) {
	goKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	text, err := dkim.MarshalKey(goKey)
	if err != nil {
		b.Fatal(err)
	}
	key, err := ParseKey(text)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256(nil)
	for name, k := range map[string]crypto.Signer{"openssl": key, "go": goKey} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Sign(nil, digest[:], crypto.SHA256); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

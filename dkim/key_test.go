package dkim

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestGenerateKey(t *testing.T) {
	for _, c := range []struct {
		algorithm Algorithm
		bits      int
	}{{RSA2048, 2048}, {Ed25519, 0}, {RSA3072, 3072}} {
		key, err := GenerateKey(c.algorithm)
		if err != nil {
			t.Fatal(err)
		}
		switch p := key.Public().(type) {
		case *rsa.PublicKey:
			if p.N.BitLen() != c.bits {
				t.Errorf("got %d bits, want %d", p.N.BitLen(), c.bits)
			}
		case ed25519.PublicKey:
			if c.bits != 0 {
				t.Errorf("got Ed25519, want RSA-%d", c.bits)
			}
		}
		text, err := MarshalKey(key)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseKey(text)
		if err != nil {
			t.Fatal(err)
		}
		if p := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !p.Equal(again.Public()) {
			t.Error("another key came back")
		}
	}
	if _, err := GenerateKey(99); err == nil {
		t.Error("an unknown algorithm is accepted")
	}
	if _, err := MarshalKey(publicOnly{testKeys().ed.Public()}); err == nil {
		t.Error("a key in an HSM is exported")
	}
	if _, err := Record(&ecdsa.PublicKey{}); err == nil {
		t.Error("a record is made for ECDSA")
	}
	if _, err := NewSigner(Config{Domain: "example.org", Keys: []Key{{"s", publicOnly{&ecdsa.PublicKey{}}}}}); err == nil {
		t.Error("an ECDSA key is accepted")
	}
}

func TestVerify(t *testing.T) {
	s := testSigner(t, nil)
	signed := sign(t, s, simpleMail)
	one := testSigner(t, func(c *Config) { c.Keys = c.Keys[:1] })
	old := testSigner(t, func(c *Config) { c.Keys = []Key{{"old", c.Keys[1].Signer}} })
	for _, c := range []struct {
		name, mail string
		good       bool
	}{
		{"signed", signed, true},
		{"not signed", simpleMail, false},
		{"signed with one key of two", sign(t, one, simpleMail), false},
		{"and with an older key", sign(t, old, signed), true},
		{"body changed", strings.Replace(signed, "Bob.", "Eve.", 1), false},
		{"header changed", strings.Replace(signed, "bob@", "eve@", 1), false},
		{"field added", "Subject: other\r\n" + signed, false},
		{"trace added", "Received: by relay\r\nReturn-Path: <>\r\n" + signed, true},
		{"no message", "", false},
	} {
		if err := s.Verify([]byte(c.mail)); (err == nil) != c.good {
			t.Errorf("%s: got %v, want good: %v", c.name, err, c.good)
		}
	}
}

func TestRefusalIsPermanent(t *testing.T) {
	_, err := testSigner(t, nil).Sign(context.Background(), nil)
	var permanent interface{ Permanent() bool }
	if !errors.As(err, &permanent) || !permanent.Permanent() {
		t.Errorf("got %v, want a permanent error", err)
	}
}

func TestDefaultHeadersIsACopy(t *testing.T) {
	DefaultHeaders()[0] = "X"
	if !slices.Contains(DefaultHeaders(), "From") {
		t.Error("the list itself was returned")
	}
}

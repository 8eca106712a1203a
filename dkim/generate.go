package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// Algorithm is a kind of key for [GenerateKey].
type Algorithm uint8

// RSA2048 is what every verifier knows and RFC 8301 recommends. Ed25519 (RFC 8463) signs many times
// as fast, with a record of 60 octets, but a good part of the receivers does not know it: use it
// beside RSA, not instead. RSA4096 is many times slower than RSA2048.
const (
	RSA2048 Algorithm = iota
	Ed25519
	RSA3072
	RSA4096
)

// GenerateKey makes a new private key. What it returns hides the secret when printed; [MarshalKey]
// gives its PEM text.
func GenerateKey(a Algorithm) (crypto.Signer, error) {
	bits := 0
	switch a {
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("dkim: generating a key: %w", err)
		}
		return hide(key), nil
	case RSA2048:
		bits = 2048
	case RSA3072:
		bits = 3072
	case RSA4096:
		bits = 4096
	default:
		return nil, fmt.Errorf("dkim: generating a key: unknown Algorithm %d", a)
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("dkim: generating a key: %w", err)
	}
	return hide(key), nil
}

// MarshalKey returns key as PEM text (PKCS #8), which [ParseKey] reads. It takes keys of this package
// and those of crypto/rsa and crypto/ed25519; a key in an HSM cannot be had. The text is the secret:
// write it to a file of mode 0600.
func MarshalKey(key crypto.Signer) ([]byte, error) {
	if h, ok := key.(*hiddenKey); ok {
		key = h.reveal()
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("dkim: a key of type %T cannot be exported", key)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

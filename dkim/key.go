package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Key is a private key and the selector that its record is published under.
//
// A Key, however printed or logged, shows its selector and its kind, never the secret. That holds for
// the Key itself and for exported fields that hold one; a key as [LoadKey], [ParseKey] and
// [GenerateKey] return it shows nothing anywhere.
type Key struct {
	// Selector names the record: it is Selector._domainkey.Domain. Required.
	Selector string
	// Signer signs with an RSA (PKCS #1 v1.5, SHA-256) or Ed25519 key. Any crypto.Signer will do, so
	// the secret may live in an HSM or a KMS. It is used concurrently. Required.
	Signer crypto.Signer
}

// String returns the selector and the kind of key.
func (k Key) String() string {
	if k.Signer == nil {
		return k.Selector + " (no key)"
	}
	return k.Selector + " (" + kind(k.Signer.Public()) + ")"
}

// GoString is String for %#v.
func (k Key) GoString() string { return "dkim.Key{" + k.String() + "}" }

// Format writes String, whatever the verb: %d would print the numbers of the secret otherwise.
func (k Key) Format(f fmt.State, verb rune) { formatHidden(f, verb, k.String(), k.GoString()) }

// LogValue is String for log/slog.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText is String for encoders, which would write the secret otherwise.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func formatHidden(f fmt.State, verb rune, text, goText string) {
	if verb == 'v' && f.Flag('#') {
		text = goText
	}
	fmt.Fprint(f, text)
}

// hiddenKey keeps the secret from being printed. A function is all that it holds, because fmt looks
// into anything else: even into what a pointer in an unexported field leads to, where the verb does
// not fit.
type hiddenKey struct{ reveal func() crypto.Signer }

func hide(key crypto.Signer) *hiddenKey {
	return &hiddenKey{func() crypto.Signer { return key }}
}

// Public implements crypto.Signer.
func (k *hiddenKey) Public() crypto.PublicKey { return k.reveal().Public() }

// Sign implements crypto.Signer.
func (k *hiddenKey) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.reveal().Sign(rand, digest, opts)
}

func (k *hiddenKey) String() string               { return kind(k.Public()) + " private key" }
func (k *hiddenKey) GoString() string             { return k.String() }
func (k *hiddenKey) LogValue() slog.Value         { return slog.StringValue(k.String()) }
func (k *hiddenKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func (k *hiddenKey) Format(f fmt.State, verb rune) {
	formatHidden(f, verb, k.String(), k.GoString())
}

// kind names a public key as people do.
func kind(public crypto.PublicKey) string {
	switch p := public.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", p.N.BitLen())
	case ed25519.PublicKey:
		return "Ed25519"
	default:
		return fmt.Sprintf("unsupported %T", public)
	}
}

const (
	minRSABits         = 1024 // RFC 8301 §3.2: signers MUST NOT use less
	recommendedRSABits = 2048 // RFC 8301 §3.2: signers SHOULD use at least
	maxRSABits         = 4096 // RFC 8301 §3.2: verifiers need not handle more
)

// ErrWeakKey is in the error for an RSA key of less than 1024 bits.
var ErrWeakKey = errors.New("dkim: RSA key too short")

// checkPublicKey refuses a key that verifiers would not accept, and names its algorithm as a= does.
func checkPublicKey(public crypto.PublicKey) (algorithm string, err error) {
	switch p := public.(type) {
	case *rsa.PublicKey:
		switch bits := p.N.BitLen(); {
		case bits < minRSABits:
			return "", fmt.Errorf("%w: %d bits; RFC 8301 demands 1024 and recommends 2048", ErrWeakKey, bits)
		case bits > maxRSABits:
			return "", fmt.Errorf("dkim: RSA key of %d bits: verifiers take no more than 4096 (RFC 8301); use 2048", bits)
		}
		return "rsa-sha256", nil
	case ed25519.PublicKey:
		return "ed25519-sha256", nil
	default:
		return "", fmt.Errorf("dkim: unsupported key %T: use RSA or Ed25519", public)
	}
}

// checkKey validates k and names its algorithm.
func checkKey(k Key) (algorithm string, err error) {
	var errs []error
	if !isDomain(k.Selector) {
		errs = append(errs, fmt.Errorf("dkim: selector %.64q is no name: use letters, digits and hyphens", k.Selector))
	}
	if k.Signer == nil {
		errs = append(errs, fmt.Errorf("dkim: selector %.64q has no Signer", k.Selector))
	} else if algorithm, err = checkPublicKey(k.Signer.Public()); err != nil {
		errs = append(errs, fmt.Errorf("selector %.64q: %w", k.Selector, err))
	}
	return algorithm, errors.Join(errs...)
}

// isDomain reports whether s can be a domain name or selector: labels of letters, digits, hyphens
// and underscores.
func isDomain(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
				return false
			}
		}
	}
	return true
}

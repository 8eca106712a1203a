package dkim

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"strings"
	"testing"
)

func TestFaults(t *testing.T) {
	t.Run("F7", testFieldsOnce)
	t.Run("F8", testForbiddenFields)
	t.Run("G1", testSecretsHidden)
	t.Run("G7", testKeyFiles)
	t.Run("G8", testKeySizes)
	t.Run("G9", testPublishedRecord)
}

// without returns simpleMail without the field of the given name.
func without(name string) string {
	var b strings.Builder
	for line := range strings.SplitAfterSeq(simpleMail, "\r\n") {
		if !strings.HasPrefix(line, name+":") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func wantRefusal(t *testing.T, s interface {
	Sign(context.Context, []byte) ([]byte, error)
}, mail string, want Refusal) {
	t.Helper()
	fields, err := s.Sign(context.Background(), []byte(mail))
	var got *Refusal
	if !errors.As(err, &got) || !errors.Is(err, ErrRefused) {
		t.Fatalf("got %q, %v; want the refusal %v", fields, err, &want)
	}
	if *got != want {
		t.Errorf("got %+v, want %+v", *got, want)
	}
	if strings.Contains(err.Error(), "@") {
		t.Errorf("the error holds an address: %v", err)
	}
}

func testFieldsOnce(t *testing.T) {
	s := testSigner(t, nil)
	for _, c := range []struct {
		name, mail string
		want       Refusal
	}{
		{"no From", without("From"), Refusal{Reason: MissingFrom}},
		{"two From", "From: ann@example.org\r\n" + simpleMail, Refusal{Reason: DuplicateField, Field: "From"}},
		{"two From, other case", "fRoM : ann@example.org\r\n" + simpleMail, Refusal{Reason: DuplicateField, Field: "From"}},
		{"two Date", "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n" + simpleMail, Refusal{Reason: DuplicateField, Field: "Date"}},
		{"two Subject", "Subject: other\r\n" + simpleMail, Refusal{Reason: DuplicateField, Field: "Subject"}},
		{"two To", "To: eve@example.net\r\n" + simpleMail, Refusal{Reason: DuplicateField, Field: "To"}},
		{"two Message-ID", "Message-Id: <2@example.org>\r\n" + simpleMail, Refusal{Reason: DuplicateField, Field: "Message-ID"}},
		{"no Date", without("Date"), Refusal{Reason: MissingDate}},
		{"no Message-ID", without("Message-ID"), Refusal{Reason: MissingMessageID}},
	} {
		t.Run(c.name, func(t *testing.T) { wantRefusal(t, s, c.mail, c.want) })
	}
}

func testForbiddenFields(t *testing.T) {
	s := testSigner(t, nil)
	for _, field := range []string{"Bcc", "Return-Path", "Resent-Bcc"} {
		t.Run(field, func(t *testing.T) {
			for _, spelling := range []string{field, strings.ToUpper(field), strings.ToLower(field) + " "} {
				mail := spelling + ": <eve@example.net>,\r\n <joe@example.net>\r\n" + simpleMail
				wantRefusal(t, s, mail, Refusal{Reason: ForbiddenField, Field: field})
				prepared, err := Prepare([]byte(mail), PrepareOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(prepared, []byte("eve")) || bytes.Contains(prepared, []byte("joe")) {
					t.Errorf("%s: Prepare left it in: %q", spelling, prepared)
				}
				verify(t, s, sign(t, s, string(prepared)))
			}
		})
	}
}

// testSecretsHidden prints keys, and all that holds them, in every way there is.
func testSecretsHidden(t *testing.T) {
	bare, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, bareEd, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := []crypto.Signer{bare, bareEd}
	for _, k := range keys[:2] { // and as they come from a file
		text, err := MarshalKey(k)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := ParseKey(text)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, parsed)
	}
	var secrets []string
	for _, octets := range [][]byte{bare.D.Bytes(), bare.Primes[0].Bytes(), bareEd.Seed()} {
		n := len(octets)
		decimal := strings.Trim(fmt.Sprint(octets[:n/2]), "[]")
		secrets = append(secrets,
			hex.EncodeToString(octets[:n/2]), base64.StdEncoding.EncodeToString(octets[:n/2/3*3]),
			decimal, strings.ReplaceAll(decimal, " ", ", "), new(big.Int).SetBytes(octets).String(), string(octets[:n/2]),
			strings.ToUpper(hex.EncodeToString(octets[:n/2])), strings.ReplaceAll(decimal, " ", ","))
	}
	private := fmt.Sprint(bare.D.Bits()[:4]) // the words of the number, as %v prints a big.Int's inside
	secrets = append(secrets, strings.Trim(private, "[]"))

	for i, k := range keys {
		cfg := Config{Domain: "example.org", Keys: []Key{{"s1", k}}}
		s, err := NewSigner(cfg)
		if err != nil {
			t.Fatal(err)
		}
		values := []any{cfg.Keys[0], &cfg.Keys[0], cfg, &cfg, cfg.Keys, s, ByDomain(s), map[string]Key{"k": cfg.Keys[0]}}
		if i >= 2 { // keys of this package hide themselves even where Key is out of reach
			values = append(values, k, struct{ k crypto.Signer }{k}, struct{ k Key }{cfg.Keys[0]})
		}
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		logJSON := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		for _, v := range values {
			for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%b", "%o"} {
				fmt.Fprintf(&out, format+"\n", v)
			}
			log.Debug("key", "value", v)
			logJSON.Debug("key", "value", v)
			if text, err := json.Marshal(v); err == nil {
				out.Write(text)
			}
		}
		for _, secret := range secrets {
			if strings.Contains(out.String(), secret) {
				at := strings.Index(out.String(), secret)
				t.Fatalf("key %d (%T): the secret is in the output: …%.200q", i, k, out.String()[max(0, at-100):])
			}
		}
		if !strings.Contains(out.String(), "s1") {
			t.Error("the selector is not in the output, so the test shows nothing")
		}
	}
}

// publicOnly is a key of which there is but the public half.
type publicOnly struct{ crypto.PublicKey }

func (k publicOnly) Public() crypto.PublicKey { return k.PublicKey }
func (k publicOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("no private half")
}

func rsaOf(bits int) crypto.Signer {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return publicOnly{&rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}}
}

func testKeySizes(t *testing.T) {
	for _, c := range []struct {
		bits          int
		refused, warn bool
	}{
		{512, true, false}, {1023, true, false}, {1024, false, true}, {2047, false, true},
		{2048, false, false}, {4096, false, false}, {4097, true, false}, {8192, true, false},
	} {
		t.Run(fmt.Sprint(c.bits), func(t *testing.T) {
			key := rsaOf(c.bits)
			s, err := NewSigner(Config{Domain: "example.org", Keys: []Key{{"s", key}}})
			if (err != nil) != c.refused {
				t.Fatalf("NewSigner: got %v, want an error: %v", err, c.refused)
			}
			if want := c.refused && c.bits < 1024; errors.Is(err, ErrWeakKey) != want {
				t.Errorf("got %v, want ErrWeakKey: %v", err, want)
			}
			if _, err := Record(key.Public()); (err != nil) != c.refused {
				t.Errorf("Record: got %v, want an error: %v", err, c.refused)
			}
			if c.refused {
				return
			}
			warned := false
			for _, f := range s.weaknesses(s.keys.Load().keys) {
				warned = warned || strings.Contains(f.text, "is weak") && f.severity == warning
			}
			if warned != c.warn {
				t.Errorf("warned: %v, want %v", warned, c.warn)
			}
		})
	}
	t.Run("sha1 never", func(t *testing.T) {
		s := testSigner(t, func(c *Config) { c.Keys = []Key{{"r", hashSpy{testKeys().rsa, t}}} })
		if signed := sign(t, s, simpleMail); !strings.Contains(signed, "a=rsa-sha256;") {
			t.Errorf("not rsa-sha256:\n%s", signed)
		}
	})
}

// hashSpy fails the test if it is to sign anything but SHA-256.
type hashSpy struct {
	crypto.Signer
	t *testing.T
}

func (k hashSpy) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.SHA256 || len(digest) != 32 {
		k.t.Errorf("asked to sign %d octets of %v", len(digest), opts.HashFunc())
	}
	return k.Signer.Sign(rand, digest, opts)
}

package dkim

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
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

func testKeyFiles(t *testing.T) {
	text, err := MarshalKey(testKeys().ed)
	if err != nil {
		t.Fatal(err)
	}
	write := func(t *testing.T, path string, text []byte, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("modes", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("Windows has no permission bits")
		}
		path := filepath.Join(t.TempDir(), "key.pem")
		for mode := os.FileMode(0); mode <= 0o777; mode++ {
			write(t, path, text, mode)
			_, err := LoadKey(path)
			switch {
			case mode&0o077 != 0 && !errors.Is(err, ErrKeyFile) && !errors.Is(err, os.ErrPermission):
				t.Errorf("mode %04o: got %v, want ErrKeyFile", mode, err)
			case mode&0o077 == 0 && mode&0o400 != 0 && err != nil:
				t.Errorf("mode %04o: %v", mode, err)
			}
			os.Remove(path)
		}
	})
	t.Run("symbolic link", func(t *testing.T) {
		dir := t.TempDir()
		inside, outside := filepath.Join(dir, "in"), t.TempDir()
		if err := os.Mkdir(inside, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(inside, "real.pem"), text, 0o600)
		write(t, filepath.Join(outside, "real.pem"), text, 0o600)
		link := func(target, name string) string {
			path := filepath.Join(dir, name)
			if err := os.Symlink(target, path); err != nil {
				t.Skip("no symbolic links here:", err)
			}
			return path
		}
		if _, err := LoadKey(link(filepath.Join("in", "real.pem"), "good.pem")); err != nil {
			t.Errorf("link inside its directory: %v", err)
		}
		for _, target := range []string{filepath.Join(outside, "real.pem"), filepath.Join("..", filepath.Base(outside), "real.pem")} {
			if _, err := LoadKey(link(target, "bad.pem")); !errors.Is(err, ErrKeyFile) {
				t.Errorf("link out of its directory: got %v, want ErrKeyFile", err)
			}
			os.Remove(filepath.Join(dir, "bad.pem"))
		}
	})
	t.Run("no file", func(t *testing.T) {
		if _, err := LoadKey(filepath.Join(t.TempDir(), "none.pem")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v, want os.ErrNotExist", err)
		}
	})
	t.Run("directory", func(t *testing.T) {
		if _, err := LoadKey(t.TempDir()); !errors.Is(err, ErrKeyFile) {
			t.Errorf("got %v, want ErrKeyFile", err)
		}
	})
	t.Run("too large", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "key.pem")
		write(t, path, make([]byte, maxKeyFile), 0o600)
		if _, err := LoadKey(path); !errors.Is(err, ErrKeyFile) {
			t.Errorf("got %v, want ErrKeyFile", err)
		}
	})
	t.Run("forms", testKeyForms)
}

func testKeyForms(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(k any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key),
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}})
	for _, c := range []struct {
		name string
		text []byte
		want error
		key  crypto.PublicKey
	}{
		{"PKCS #1", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), nil, &key.PublicKey},
		{"PKCS #8 RSA", block("PRIVATE KEY", pkcs8(key)), nil, &key.PublicKey},
		{"PKCS #8 Ed25519", block("PRIVATE KEY", pkcs8(ed)), nil, ed.Public()},
		{"behind a certificate", append(block("CERTIFICATE", []byte("x")), block("PRIVATE KEY", pkcs8(ed))...), nil, ed.Public()},
		{"encrypted PKCS #8", block("ENCRYPTED PRIVATE KEY", pkcs8(key)), ErrEncryptedKey, nil},
		{"encrypted PKCS #1", encrypted, ErrEncryptedKey, nil},
		{"ECDSA", block("PRIVATE KEY", pkcs8(ec)), ErrNoKey, nil},
		{"public key", block("PUBLIC KEY", public), ErrNoKey, nil},
		{"OpenSSH", block("OPENSSH PRIVATE KEY", []byte("x")), ErrNoKey, nil},
		{"garbage in PKCS #1", block("RSA PRIVATE KEY", pkcs8(ed)[:20]), ErrNoKey, nil},
		{"garbage in PKCS #8", block("PRIVATE KEY", pkcs8(ed)[:20]), ErrNoKey, nil},
		{"DER", pkcs8(key), ErrNoKey, nil},
		{"nothing", nil, ErrNoKey, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseKey(c.text)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if c.want != nil {
				for _, secret := range [][]byte{pkcs8(key), pkcs8(ed)} {
					if s := base64.StdEncoding.EncodeToString(secret[20:44]); strings.Contains(err.Error(), s) {
						t.Error("the error holds octets of the key")
					}
				}
				return
			}
			if e := got.Public().(interface{ Equal(crypto.PublicKey) bool }); !e.Equal(c.key) {
				t.Errorf("got another key")
			}
		})
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
			for _, f := range s.Warnings() {
				warned = warned || f.Problem == WeakKey && f.Severity == SeverityWarning
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

func testPublishedRecord(t *testing.T) {
	good, err := Record(testKeys().rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	otherKey, err := GenerateKey(RSA2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Record(otherKey.Public())
	if err != nil {
		t.Fatal(err)
	}
	p := strings.TrimPrefix(good, "v=DKIM1; k=rsa; ")
	pkcs1 := base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(testKeys().rsa.Public().(*rsa.PublicKey)))
	edRecord, err := Record(testKeys().ed.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		records  []string
		err      error
		identity string
		want     Problem
		severity Severity
	}{
		{name: "good", records: []string{good}},
		{name: "good, PKCS #1", records: []string{"v=DKIM1; p=" + pkcs1}},
		{name: "good, white space", records: []string{" v = DKIM1 ; k = rsa ; p = " + p[2:50] + " \t" + p[50:] + " ; "}},
		{name: "good, all tags", records: []string{"v=DKIM1; h=sha1:sha256; s=email; t=s; n=note; x=unknown; " + p}},
		{name: "good, t=s and i= in d=", records: []string{good + "; t=s"}, identity: "news@example.org"},
		{name: "NXDOMAIN", err: &net.DNSError{IsNotFound: true}, want: RecordMissing, severity: SeverityError},
		{name: "NXDOMAIN, other resolver", err: notFound{}, want: RecordMissing, severity: SeverityError},
		{name: "no record", want: RecordMissing, severity: SeverityError},
		{name: "SERVFAIL", err: &net.DNSError{IsTemporary: true}, want: LookupFailed, severity: SeverityError},
		{name: "mismatch", records: []string{other}, want: KeyMismatch, severity: SeverityError},
		{name: "revoked", records: []string{"v=DKIM1; k=rsa; p="}, want: KeyRevoked, severity: SeverityError},
		{name: "revoked, white space", records: []string{"v=DKIM1; p= ;"}, want: KeyRevoked, severity: SeverityError},
		{name: "no p=", records: []string{"v=DKIM1; k=rsa"}, want: RecordMalformed, severity: SeverityError},
		{name: "k= wrong", records: []string{"v=DKIM1; k=ed25519; " + p}, want: WrongKeyType, severity: SeverityError},
		{name: "Ed25519 record", records: []string{edRecord}, want: WrongKeyType, severity: SeverityError},
		{name: "Ed25519 in a record of RSA", records: []string{strings.Replace(edRecord, "ed25519", "rsa", 1)}, want: RecordMalformed, severity: SeverityError},
		{name: "h=sha1", records: []string{"v=DKIM1; h=sha1; " + p}, want: HashNotAllowed, severity: SeverityError},
		{name: "s=other", records: []string{"v=DKIM1; s=tlsrpt; " + p}, want: ServiceNotAllowed, severity: SeverityError},
		{name: "t=y", records: []string{"v=DKIM1; t=y:s; " + p}, want: TestMode, severity: SeverityWarning},
		{name: "t=s with i= below", records: []string{"v=DKIM1; t=s; " + p}, identity: "@news.example.org", want: IdentityBelow, severity: SeverityError},
		{name: "two records", records: []string{good, good}, want: SeveralRecords, severity: SeverityError},
		{name: "strings as records", records: []string{good[:200], good[200:]}, want: SeveralRecords, severity: SeverityError},
		{name: "over-long string cut", records: []string{good[:255]}, want: RecordCut, severity: SeverityError},
		{name: "long record", records: []string{good + "; n=" + strings.Repeat("n", longRecord)}, want: RecordLong, severity: SeverityWarning},
		{name: "version", records: []string{"v=DKIM2; " + p}, want: RecordMalformed, severity: SeverityError},
		{name: "version not first", records: []string{p + "; v=DKIM1"}, want: RecordMalformed, severity: SeverityError},
		{name: "SPF", records: []string{"v=spf1 -all"}, want: RecordMalformed, severity: SeverityError},
		{name: "text", records: []string{"hello"}, want: RecordMalformed, severity: SeverityError},
		{name: "zone file's marks", records: []string{`"v=DKIM1\; k=rsa\; ` + p + `"`}, want: RecordMalformed, severity: SeverityError},
		{name: "tag twice", records: []string{good + "; " + p}, want: RecordMalformed, severity: SeverityError},
		{name: "not base64", records: []string{"v=DKIM1; p=???"}, want: RecordMalformed, severity: SeverityError},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := testSigner(t, func(cfg *Config) { cfg.Keys, cfg.Identity = cfg.Keys[:1], c.identity })
			got, err := s.Check(context.Background(), func(_ context.Context, name string) ([]string, error) {
				if want := "r1._domainkey.example.org"; name != want {
					t.Errorf("looked up %s, want %s", name, want)
				}
				return c.records, c.err
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || got[0].Problem != c.want || got[0].Severity != c.severity || got[0].Selector != "r1" || got[0].Text == "" {
				t.Errorf("got %v, want one finding: problem %d, %v", got, c.want, c.severity)
			}
		})
	}
	t.Run("broken key", func(t *testing.T) {
		broken := mixedKey{testKeys().rsa, otherKey}
		s := testSigner(t, func(cfg *Config) { cfg.Keys = []Key{{"r1", broken}} })
		got, err := s.Check(context.Background(), func(context.Context, string) ([]string, error) { return []string{good}, nil })
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || got[0].Problem != BrokenKey || got[0].Severity != SeverityError {
			t.Errorf("got %v, want BrokenKey first", got)
		}
	})
	t.Run("only Ed25519", func(t *testing.T) {
		s := testSigner(t, func(cfg *Config) { cfg.Keys = cfg.Keys[1:] })
		got, err := s.Check(context.Background(), func(context.Context, string) ([]string, error) { return []string{edRecord}, nil })
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || got[0].Problem != NoRSAKey || got[1].Severity != SeverityOK {
			t.Errorf("got %v, want NoRSAKey and an OK", got)
		}
	})
	t.Run("context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		_, err := testSigner(t, nil).Check(ctx, func(context.Context, string) ([]string, error) {
			cancel()
			return nil, ctx.Err()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

type notFound struct{}

func (notFound) Error() string  { return "no such name" }
func (notFound) NotFound() bool { return true }

// mixedKey signs with another key than it says, as a wrongly set up HSM does.
type mixedKey struct{ public, private crypto.Signer }

func (k mixedKey) Public() crypto.PublicKey { return k.public.Public() }
func (k mixedKey) Sign(r io.Reader, d []byte, o crypto.SignerOpts) ([]byte, error) {
	return k.private.Sign(r, d, o)
}

package dkim

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

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
			if len(got) != 1 || got[0].Problem != c.want || got[0].Severity != c.severity || got[0].Selector != "r1" || got[0].Domain != "example.org" || got[0].Text == "" {
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
	t.Run("by domain", func(t *testing.T) {
		d := ByDomain(testSigner(t, nil), testSigner(t, func(cfg *Config) { cfg.Domain = "example.net"; cfg.Keys = cfg.Keys[:1] }))
		got, err := d.Check(context.Background(), func(_ context.Context, name string) ([]string, error) {
			return map[string][]string{"r1._domainkey.example.org": {good}, "e1._domainkey.example.org": {edRecord}}[name], nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 3 || got[0].Severity != SeverityOK || got[1].Severity != SeverityOK ||
			got[2].Problem != RecordMissing || got[2].Domain != "example.net" {
			t.Errorf("got %v", got)
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

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

// What the findings are about, by words of theirs.
const (
	noProblem         = "the record is the key's"
	noRSAKey          = "there is no RSA key"
	brokenKey         = "own signature does not verify"
	lookupFailed      = "could not be looked up"
	recordMissing     = "there is no record"
	severalRecords    = "TXT records, and a verifier may take any"
	recordCut         = "ends after 255 octets"
	recordLong        = "needs DNS over TCP"
	keyRevoked        = "the key is revoked"
	keyMismatch       = "another key than the one that signs"
	wrongKeyType      = "k= says"
	hashNotAllowed    = "h= does not allow sha256"
	serviceNotAllowed = "s= does not allow email"
	testMode          = "t=y"
	identityBelow     = "t=s forbids"
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
		want     string
		severity string
	}{
		{name: "good", records: []string{good}, want: noProblem, severity: fine},
		{name: "good, PKCS #1", records: []string{"v=DKIM1; p=" + pkcs1}, want: noProblem, severity: fine},
		{name: "good, white space", records: []string{" v = DKIM1 ; k = rsa ; p = " + p[2:50] + " \t" + p[50:] + " ; "}, want: noProblem, severity: fine},
		{name: "good, all tags", records: []string{"v=DKIM1; h=sha1:sha256; s=email; t=s; n=note; x=unknown; " + p}, want: noProblem, severity: fine},
		{name: "good, t=s and i= in d=", records: []string{good + "; t=s"}, identity: "news@example.org", want: noProblem, severity: fine},
		{name: "NXDOMAIN", err: &net.DNSError{IsNotFound: true}, want: recordMissing, severity: failure},
		{name: "NXDOMAIN, other resolver", err: notFound{}, want: recordMissing, severity: failure},
		{name: "no record", want: recordMissing, severity: failure},
		{name: "SERVFAIL", err: &net.DNSError{IsTemporary: true}, want: lookupFailed, severity: failure},
		{name: "mismatch", records: []string{other}, want: keyMismatch, severity: failure},
		{name: "revoked", records: []string{"v=DKIM1; k=rsa; p="}, want: keyRevoked, severity: failure},
		{name: "revoked, white space", records: []string{"v=DKIM1; p= ;"}, want: keyRevoked, severity: failure},
		{name: "no p=", records: []string{"v=DKIM1; k=rsa"}, want: "holds no key", severity: failure},
		{name: "k= wrong", records: []string{"v=DKIM1; k=ed25519; " + p}, want: wrongKeyType, severity: failure},
		{name: "Ed25519 record", records: []string{edRecord}, want: wrongKeyType, severity: failure},
		{name: "Ed25519 in a record of RSA", records: []string{strings.Replace(edRecord, "ed25519", "rsa", 1)}, want: "does not hold a key of the kind", severity: failure},
		{name: "h=sha1", records: []string{"v=DKIM1; h=sha1; " + p}, want: hashNotAllowed, severity: failure},
		{name: "s=other", records: []string{"v=DKIM1; s=tlsrpt; " + p}, want: serviceNotAllowed, severity: failure},
		{name: "t=y", records: []string{"v=DKIM1; t=y:s; " + p}, want: testMode, severity: warning},
		{name: "t=s with i= below", records: []string{"v=DKIM1; t=s; " + p}, identity: "@news.example.org", want: identityBelow, severity: failure},
		{name: "two records", records: []string{good, good}, want: severalRecords, severity: failure},
		{name: "strings as records", records: []string{good[:200], good[200:]}, want: severalRecords, severity: failure},
		{name: "over-long string cut", records: []string{good[:255]}, want: recordCut, severity: failure},
		{name: "long record", records: []string{good + "; n=" + strings.Repeat("n", longRecord)}, want: recordLong, severity: warning},
		{name: "version", records: []string{"v=DKIM2; " + p}, want: "v= must be DKIM1", severity: failure},
		{name: "version not first", records: []string{p + "; v=DKIM1"}, want: "v= must be DKIM1", severity: failure},
		{name: "SPF", records: []string{"v=spf1 -all"}, want: "v= must be DKIM1", severity: failure},
		{name: "text", records: []string{"hello"}, want: "not a list of name=value; (RFC 6376 §3.2): `hello`", severity: failure},
		{name: "zone file's marks", records: []string{`"v=DKIM1\; k=rsa\; ` + p + `"`}, want: "quotation marks or backslashes", severity: failure},
		{name: "backslash behind the version", records: []string{`v=DKIM1\; k=rsa\; ` + p}, want: "zone files only; publish it without them: `v=DKIM1\\; k=rsa", severity: failure},
		{name: "backslash behind the key's kind", records: []string{`v=DKIM1; k=rsa\; ` + p}, want: "zone files only", severity: failure},
		{name: "backslash behind the key", records: []string{good + `\;`}, want: "zone files only", severity: failure},
		{name: "quotes around all", records: []string{`"` + good + `"`}, want: "zone files only", severity: failure},
		{name: "quotes between strings", records: []string{good[:200] + `" "` + good[200:]}, want: "zone files only", severity: failure},
		{name: "quotes in a note", records: []string{`v=DKIM1; n="for news"; ` + p}, want: noProblem, severity: fine},
		{name: "curly quotes", records: []string{"\u201cv=DKIM1; " + p + "\u201d"}, want: "(RFC 6376 §3.2): `\u201cv=DKIM1", severity: failure},
		{name: "tag twice", records: []string{good + "; " + p}, want: "comes twice", severity: failure},
		{name: "not base64", records: []string{"v=DKIM1; p=???"}, want: "does not hold a key", severity: failure},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := testSigner(t, func(cfg *Config) { cfg.Keys, cfg.Identity = cfg.Keys[:1], c.identity })
			got, err := s.check(context.Background(), func(_ context.Context, name string) ([]string, error) {
				if want := "r1._domainkey.example.org"; name != want {
					t.Errorf("looked up %s, want %s", name, want)
				}
				return c.records, c.err
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || !strings.Contains(got[0].text, c.want) || got[0].severity != c.severity || got[0].subject != "r1._domainkey.example.org" {
				t.Errorf("got %v, want one finding: %s: %q", got, c.severity, c.want)
			}
		})
	}
	t.Run("broken key", func(t *testing.T) {
		broken := mixedKey{testKeys().rsa, otherKey}
		s := testSigner(t, func(cfg *Config) { cfg.Keys = []Key{{"r1", broken}} })
		got, err := s.check(context.Background(), func(context.Context, string) ([]string, error) { return []string{good}, nil })
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || !strings.Contains(got[0].text, brokenKey) || got[0].severity != failure {
			t.Errorf("got %v, want brokenKey first", got)
		}
	})
	t.Run("only Ed25519", func(t *testing.T) {
		s := testSigner(t, func(cfg *Config) { cfg.Keys = cfg.Keys[1:] })
		got, err := s.check(context.Background(), func(context.Context, string) ([]string, error) { return []string{edRecord}, nil })
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || !strings.Contains(got[0].text, noRSAKey) || got[1].severity != fine {
			t.Errorf("got %v, want noRSAKey and an OK", got)
		}
	})
	t.Run("by domain", func(t *testing.T) {
		d := ByDomain(testSigner(t, nil), testSigner(t, func(cfg *Config) { cfg.Domain = "example.net"; cfg.Keys = cfg.Keys[:1] }))
		var got []finding
		err := d.CheckRecords(context.Background(), func(_ context.Context, name string) ([]string, error) {
			return map[string][]string{"r1._domainkey.example.org": {good}, "e1._domainkey.example.org": {edRecord}}[name], nil
		}, func(severity, subject, text string) { got = append(got, finding{severity, subject, text}) })
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 3 || got[0].severity != fine || got[1].severity != fine ||
			!strings.Contains(got[2].text, recordMissing) || got[2].subject != "r1._domainkey.example.net" {
			t.Errorf("got %v", got)
		}
	})
	t.Run("context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		_, err := testSigner(t, nil).check(ctx, func(context.Context, string) ([]string, error) {
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

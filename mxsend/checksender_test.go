package mxsend

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/mxsend/go-mxsend/internal/mxdns/dnstable"
)

func TestCheckReturnPath(t *testing.T) {
	zone := dnstable.Table{"b.test MX": "mx1.test|mx2.test", "mx1.test A": "192.0.2.1", "mx2.test A": "192.0.2.2",
		"half.test MX": "mx1.test|gone.test", "null.test MX": ".", "implicit.test A": "192.0.2.3", "implicit.test TXT": "",
		"nowhere.test MX": "gone.test", "servfail.test MX": "servfail"}
	for _, tc := range []struct {
		domain   string
		severity Severity
		want     []string
		lines    int
	}{
		{"b.test", SeverityOK, []string{"bounces go to 10 mx1.test [192.0.2.1], 10 mx2.test"}, 1},
		{"half.test", SeverityWarning, []string{"gone.test gets no bounces"}, 2},
		{"null.test", SeverityError, []string{"null MX", "publish an MX"}, 1},
		{"implicit.test", SeverityWarning, []string{"no MX record"}, 1},
		{"nowhere.test", SeverityError, []string{"no bounce comes back", "an address for that host"}, 1},
		{"gone.test", SeverityError, []string{"no such domain"}, 1},
		{"servfail.test", SeverityError, []string{"try again"}, 1},
	} {
		t.Run(tc.domain, func(t *testing.T) {
			lines := checkReturnPath(t.Context(), zone, tc.domain)
			if len(lines) != tc.lines {
				t.Fatalf("got %v", lines)
			}
			checkIs(t, lines[len(lines)-1], tc.severity, tc.want...)
		})
	}
}

func TestCheckPTR(t *testing.T) {
	zone := dnstable.Table{
		"192.0.2.1 PTR": "p1.test", "p1.test A": "192.0.2.1|2001:db8::1", "2001:db8::1 PTR": "p1.test",
		"192.0.2.2 PTR": "other.test|p2.test", "other.test A": "192.0.2.99", "p2.test A": "192.0.2.2",
		"192.0.2.3 PTR": "other.test", "192.0.2.4 PTR": "gone.test", "192.0.2.5 PTR": "servfail", "192.0.2.6 PTR": "servfail.test", "servfail.test A": "servfail",
	}
	for _, tc := range []struct {
		name, ip string
		severity Severity
		want     string
	}{
		{"confirmed", "192.0.2.1", SeverityOK, "p1.test, which has the address"},
		{"IPv6", "2001:db8::1", SeverityOK, "p1.test, which has the address"},
		{"one of two names", "192.0.2.2", SeverityOK, "p2.test"},
		{"another address", "192.0.2.3", SeverityError, "other.test"},
		{"name does not exist", "192.0.2.4", SeverityError, "gone.test"},
		{"none", "192.0.2.7", SeverityError, "has no name"},
		{"name servers fail", "192.0.2.5", SeverityError, "try again"},
		{"name servers fail for the name", "192.0.2.6", SeverityError, "try again"},
		{"private", "10.0.0.1", SeverityWarning, "behind NAT"},
		{"unique local", "fd00::1", SeverityWarning, "private"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checkIs(t, checkPTR(t.Context(), zone, netip.MustParseAddr(tc.ip)), tc.severity, tc.want)
		})
	}
}

func TestCheckDMARC(t *testing.T) {
	for _, tc := range []struct {
		name, from string
		zone       dnstable.Table
		severity   Severity
		want       string
		at, org    string
	}{
		{"own", "shop.test", dnstable.Table{"_dmarc.shop.test TXT": "v=DMARC1; p=reject"}, SeverityOK, "_dmarc.shop.test has p=reject", "shop.test", "shop.test"},
		{"none", "shop.test", dnstable.Table{}, SeverityError, "has no DMARC record", "", ""},
		{"other text", "shop.test", dnstable.Table{"_dmarc.shop.test TXT": "hello|v=DMARC2; p=none"}, SeverityError, "has no DMARC record", "", ""},
		{"beside other text", "shop.test", dnstable.Table{"_dmarc.shop.test TXT": "hello|v = DMARC1 ;P=None"}, SeverityOK, "p=none", "shop.test", "shop.test"},
		{"from above", "mail.shop.test", dnstable.Table{"_dmarc.shop.test TXT": "v=DMARC1; p=reject; sp=quarantine"}, SeverityOK, "_dmarc.shop.test has sp=quarantine", "shop.test", "shop.test"},
		{"from far above", "a.b.c.d.e.f.g.h.i.shop.test", dnstable.Table{"_dmarc.shop.test TXT": "v=DMARC1; p=reject"}, SeverityOK, "p=reject", "shop.test", "shop.test"},
		{"own and above", "mail.shop.test", dnstable.Table{"_dmarc.mail.shop.test TXT": "v=DMARC1; p=none", "_dmarc.shop.test TXT": "v=DMARC1; p=reject"},
			SeverityOK, "_dmarc.mail.shop.test has p=none", "mail.shop.test", "shop.test"},
		{"registry above", "shop.co.test", dnstable.Table{"_dmarc.shop.co.test TXT": "v=DMARC1; p=none", "_dmarc.co.test TXT": "v=DMARC1; p=reject; psd=y"},
			SeverityOK, "_dmarc.shop.co.test has p=none", "shop.co.test", "shop.co.test"},
		{"registry only", "shop.co.test", dnstable.Table{"_dmarc.co.test TXT": "v=DMARC1; p=reject; psd=y"}, SeverityError, "has no DMARC record", "", ""},
		{"two", "shop.test", dnstable.Table{"_dmarc.shop.test TXT": "v=DMARC1; p=none|v=DMARC1; p=reject"}, SeverityError, "more than one record", "", ""},
		{"no policy", "shop.test", dnstable.Table{"_dmarc.shop.test TXT": "v=DMARC1; rua=mailto:you@shop.test"}, SeverityError, "is void", "", ""},
		{"wrong policy", "shop.test", dnstable.Table{"_dmarc.shop.test TXT": "v=DMARC1; p=rejected"}, SeverityError, `p="rejected"`, "", ""},
		{"malformed", "shop.test", dnstable.Table{"_dmarc.shop.test TXT": "v=DMARC1; p=none; reject"}, SeverityError, "is void", "", ""},
		{"malformed above a good one", "mail.shop.test", dnstable.Table{"_dmarc.mail.shop.test TXT": "v=DMARC1; p=none", "_dmarc.shop.test TXT": "v=DMARC1; p"},
			SeverityOK, "p=none", "mail.shop.test", "mail.shop.test"},
		{"no semicolon", "shop.test", dnstable.Table{"_dmarc.shop.test TXT": "v=DMARC1 p=reject"}, SeverityError,
			"has no DMARC record that counts, and large receivers refuse bulk mail from it: receivers pass over `v=DMARC1 p=reject` at _dmarc.shop.test: behind \"v=DMARC1\" there must be a semicolon", "", ""},
		{"backslash", "shop.test", dnstable.Table{"_dmarc.shop.test TXT": `v=DMARC1\; p=reject`}, SeverityError, "`v=DMARC1\\; p=reject` at _dmarc.shop.test: it has quotation marks or backslashes", "", ""},
		{"backslash later", "shop.test", dnstable.Table{"_dmarc.shop.test TXT": `v=DMARC1; p=reject\; rua=mailto:a@b.test`}, SeverityError, "backslashes in it, which belong to zone files only: `v=DMARC1; p=reject\\; rua=mailto:…`", "", ""},
		{"quotes", "shop.test", dnstable.Table{"_dmarc.shop.test TXT": `"v=DMARC1; p=reject"`}, SeverityError, "quotation marks", "", ""},
		{"no-break space later", "shop.test", dnstable.Table{"_dmarc.shop.test TXT": "v=DMARC1;\u00a0p=reject"}, SeverityError, "is void: _dmarc.shop.test: p=\"\" is none of none, quarantine and reject; it has the character U+00A0", "", ""},
		{"quotes later", "shop.test", dnstable.Table{"_dmarc.shop.test TXT": `v=DMARC1; p=reject; rua="mailto:a@b.test"`}, SeverityWarning, "has p=reject; it has quotation marks", "shop.test", "shop.test"},
		{"leading space", "shop.test", dnstable.Table{"_dmarc.shop.test TXT": " v=DMARC1; p=reject"}, SeverityError, "begins with white space", "", ""},
		{"near miss below a good one", "mail.shop.test", dnstable.Table{"_dmarc.mail.shop.test TXT": "v=DMARC1 p=none", "_dmarc.shop.test TXT": "v=DMARC1; p=reject"},
			SeverityWarning, "_dmarc.shop.test has p=reject; receivers pass over `v=DMARC1 p=none` at _dmarc.mail.shop.test", "shop.test", "shop.test"},
		{"beside the place", "mail.shop.test", dnstable.Table{"shop.test TXT": "hello|v=DMARC1; p=reject"}, SeverityError, "at shop.test: receivers look for it at _dmarc.shop.test", "", ""},
		{"between", "a.mail.shop.test", dnstable.Table{"_dmarc.mail.shop.test TXT": "v=DMARC1; p=none"}, SeverityWarning,
			"(DMARCbis) find it; others look at a.mail.shop.test and shop.test; publish it at _dmarc.a.mail.shop.test, or at _dmarc.shop.test", "mail.shop.test", "mail.shop.test"},
		{"registry of the list", "news.shop.co.uk", dnstable.Table{}, SeverityError, "at _dmarc.news.shop.co.uk, or at _dmarc.shop.co.uk for all", "", ""},
		{"name servers for the place beside", "shop.test", dnstable.Table{"shop.test TXT": "servfail"}, SeverityError, "try again", "", ""},
		{"name servers", "shop.test", dnstable.Table{"_dmarc.shop.test TXT": "servfail"}, SeverityError, "try again", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			policy, l := checkDMARC(t.Context(), tc.zone, tc.from)
			checkIs(t, l, tc.severity, tc.want)
			if policy.At != tc.at || policy.Author.Walked != tc.org {
				t.Errorf("got the record at %q, organisation %q; want %q, %q", policy.At, policy.Author.Walked, tc.at, tc.org)
			}
		})
	}
}

func TestCheckSenderFrom(t *testing.T) {
	signs := func(d ...string) Signer {
		return checkSigner(func([]byte) ([]byte, error) {
			var h strings.Builder
			for _, d := range d {
				h.WriteString("DKIM-Signature: v=1; a=rsa-sha256;\r\n d=" + d + "; s=s1; b=\r\n abc=\r\n")
			}
			return []byte(h.String()), nil
		})
	}
	zone := dnstable.Table{"_dmarc.shop.test TXT": "v=DMARC1; p=none", "_dmarc.strict.test TXT": "v=DMARC1; p=none; adkim=s; aspf=s",
		"_dmarc.a.part.test TXT": "v=DMARC1; p=none", "_dmarc.github.io TXT": "v=DMARC1; p=none", "_dmarc.fails.test TXT": "servfail"}
	type want struct {
		severity Severity
		part     string
	}
	for _, tc := range []struct {
		name, from, returnPath string
		signer                 Signer
		lines                  []want // after DMARC's
	}{
		{"both", "shop.test", "bounce.shop.test", signs("shop.test"), []want{{SeverityOK, "return path in bounce.shop.test is aligned (relaxed)"}, {SeverityOK, "d=shop.test is aligned"}}},
		{"signature only", "shop.test", "bounce.other.test", signs("shop.test"), []want{{SeverityWarning, "rests on the signature alone"}, {SeverityOK, "aligned"}}},
		{"return path only", "shop.test", "shop.test", signs("esp.example"), []want{{SeverityOK, "aligned"}, {SeverityWarning, "fails where mail is forwarded"}}},
		{"neither", "shop.test", "esp.example", signs("esp.example"), []want{{SeverityError, "not aligned"}, {SeverityError, "d=esp.example is not aligned"}}},
		{"strict", "strict.test", "b.strict.test", signs("mail.strict.test"), []want{{SeverityError, "strict"}, {SeverityError, "strict"}}},
		{"one of two signatures", "shop.test", "", signs("esp.example", "SHOP.test."), []want{{SeverityOK, "d=esp.example, d=shop.test is aligned"}}},
		{"no signer", "shop.test", "shop.test", nil, []want{{SeverityOK, ""}, {SeverityWarning, "no Config.Signer"}}},
		{"signer refuses", "shop.test", "", checkSigner(func([]byte) ([]byte, error) { return nil, errors.New("not for check@shop.test") }), []want{{SeverityError, "is not signed: not for …"}}},
		{"signs nothing", "shop.test", "", signs(), []want{{SeverityError, "adds no DKIM signature"}}},
		{"malformed", "shop.test", "", checkSigner(func([]byte) ([]byte, error) { return []byte("no field"), nil }), []want{{SeverityError, "malformed"}}},
		{"side by side", "a.none.test", "", signs("b.none.test"), []want{{SeverityOK, "d=b.none.test is aligned"}}},
		{"side by side, policy below", "a.part.test", "", signs("b.part.test"), []want{{SeverityWarning, "by the list of public suffixes, but not for those that go by DMARC records"}}},
		{"side by side, policy below, and one above", "a.part.test", "", signs("b.part.test", "a.part.test"), []want{{SeverityOK, "is aligned"}}},
		{"within a registry", "shop.co.uk", "other.co.uk", signs("third.co.uk"), []want{{SeverityError, "not aligned"}, {SeverityError, "not aligned"}}},
		{"users of a platform with a policy", "a.github.io", "", signs("b.github.io"), []want{{SeverityWarning, "by DMARC records (DMARCbis), but not"}}},
		{"return paths of two lanes", "shop.test", "b1.shop.test b2.shop.test", signs("esp.example"),
			[]want{{SeverityOK, "in b1.shop.test is aligned"}, {SeverityOK, "in b2.shop.test is aligned"}, {SeverityWarning, "fails where mail is forwarded"}}},
		{"one of two return paths", "shop.test", "b1.shop.test esp.example", signs("esp.example"),
			[]want{{SeverityOK, "in b1.shop.test is aligned"}, {SeverityError, "in esp.example is not aligned"}, {SeverityError, "d=esp.example is not aligned"}}},
		{"name servers fail, but are not needed", "fails.test", "fails.test", signs("fails.test"), []want{{SeverityOK, "aligned"}, {SeverityOK, "aligned"}}},
		{"name servers", "shop.test", "b.fails.test", signs("b.fails.test"), []want{{SeverityError, "could not be looked up"}, {SeverityError, "could not be looked up"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &Client{cfg: Config{Signer: tc.signer, Check: CheckConfig{ReturnPathDomains: strings.Fields(tc.returnPath)}}}
			lines := c.checkFromDomain(t.Context(), zone, tc.from)
			if len(lines) != 1+len(tc.lines) {
				t.Fatalf("got %v", lines)
			}
			for i, w := range tc.lines {
				checkIs(t, lines[i+1], w.severity, w.part)
			}
			if strings.Contains(CheckResult{Findings: lines}.String(), "@") {
				t.Errorf("an address in %v", lines)
			}
		})
	}
}

package mxsend

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mxsend/go-mxsend/dkim"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// checkCluster checks a cluster in its own DNS.
func checkCluster(t *testing.T, cluster *mxtest.Cluster, change func(*Config)) CheckResult {
	t.Helper()
	cfg := Config{Domain: cluster.Domain(), Resolver: NewResolver(cluster.DNSAddr()), Port: cluster.Port(), Dial: cluster.Dial, TLSConfig: cluster.TLSConfig(), LocalName: "app.test"}
	if change != nil {
		change(&cfg)
	}
	client, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	p, err := client.Check(ctx)
	if err != nil {
		t.Fatalf("%v\n%s", err, p)
	}
	return p
}

func TestCheckTLS(t *testing.T) {
	struck := func(kind mxtest.FaultKind) func(*mxtest.Cluster, *Config) {
		return func(c *mxtest.Cluster, _ *Config) {
			c.Primary(0).Inject(mxtest.Fault{Kind: kind, At: mxtest.AtStartTLS, Times: mxtest.Always})
		}
	}
	for _, tc := range []struct {
		name     string
		change   func(*mxtest.Cluster, *Config)
		severity Severity
		want     []string
	}{
		{"verified", nil, SeverityOK, []string{"TLS 1.3", "verified, valid until " + time.Now().AddDate(5, 0, 0).UTC().Format("2006-")}},
		{"stripped", struck(mxtest.TLSStripped), SeverityError, []string{"does not offer STARTTLS"}},
		{"refused", struck(mxtest.TLSRefused), SeverityError, []string{"454"}},
		{"expired", struck(mxtest.TLSExpired), SeverityError, []string{"expired", "renew"}},
		{"wrong name", struck(mxtest.TLSWrongName), SeverityError, []string{"wrong.invalid", "name that its MX record bears"}},
		{"untrusted", struck(mxtest.TLSUntrusted), SeverityError, []string{"unknown authority", "RootCAs"}},
		{"octets in clear", struck(mxtest.TLSInjected), SeverityError, []string{"octets in clear"}},
		{"name out of bounds", func(_ *mxtest.Cluster, c *Config) { c.RelayNames = []string{"*.elsewhere.test"} }, SeverityError, []string{"RelayNames"}},
		{"implicit against STARTTLS", func(_ *mxtest.Cluster, c *Config) { c.TLS = TLSImplicit }, SeverityError, []string{"Config.Port", "465"}},
		{"unverified", func(_ *mxtest.Cluster, c *Config) { c.TLS = TLSOpportunistic }, SeverityWarning, []string{"not verified", "TLSRequired"}},
		{"verified otherwise", func(_ *mxtest.Cluster, c *Config) {
			c.TLSConfig = &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(tls.ConnectionState) error { return nil }}
		}, SeverityOK, []string{"Config.TLSConfig's own verification"}},
		{"unverified, expired", func(cl *mxtest.Cluster, c *Config) {
			struck(mxtest.TLSExpired)(cl, c)
			c.TLS = TLSOpportunistic
		}, SeverityWarning, []string{"expired", "renew"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cluster := mxtest.NewCluster(t, mxtest.Config{Primaries: 1})
			p := checkCluster(t, cluster, func(cfg *Config) {
				if tc.change != nil {
					tc.change(cluster, cfg)
				}
			})
			checkIs(t, p.only(t, TopicTLS), tc.severity, tc.want...)
			if got := cluster.Ledger().Mails(); len(got) != 0 {
				t.Errorf("the check sent %d mails", len(got))
			}
		})
	}
}

func TestCheckImplicitTLS(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{Primaries: 1, Relay: func(string) mxtest.RelayConfig { return mxtest.RelayConfig{SMTPDTLSWrapperMode: true} }})
	p := checkCluster(t, cluster, func(c *Config) { c.TLS = TLSImplicit })
	checkIs(t, p.only(t, TopicRelay), SeverityOK)
	checkIs(t, p.only(t, TopicTLS), SeverityOK, "verified")
}

func TestCheckAuth(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{Primaries: 1, Users: map[string]string{"app": "open sesame"}})
	for _, tc := range []struct {
		name, password string
		severity       Severity
		want           string
	}{
		{"accepted", "open sesame", SeverityOK, "is accepted"},
		{"refused", "guess-what", SeverityError, "failed at AUTH: 535"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := checkCluster(t, cluster, func(c *Config) {
				c.Auth = func() sasl.Client { return sasl.NewPlainClient("", "app", tc.password) }
			})
			checkIs(t, p.only(t, TopicAuth), tc.severity, tc.want)
			checkIs(t, p.only(t, TopicTLS), SeverityOK)
			checkIs(t, p.only(t, TopicExtensions), SeverityOK)
			if strings.Contains(p.String(), tc.password) {
				t.Errorf("the password in\n%s", p)
			}
		})
	}
}

func TestCheckDNSOfCluster(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{})
	cluster.DNS().SetMX(cluster.Domain(), mxtest.MX{Preference: 10, Host: cluster.Primary(0).Name()},
		mxtest.MX{Preference: 20, Host: cluster.Primary(1).Name()}, mxtest.MX{Preference: 20, Host: "gone.mail.test"})
	p := checkCluster(t, cluster, nil)
	lines := p.find(TopicDNS)
	if len(lines) != 2 {
		t.Fatalf("got\n%s", p)
	}
	checkIs(t, lines[0], SeverityOK, "2 relays of 10 p1.mail.test [10.0.0.11], 20 p2.mail.test [10.0.0.12]", "asked again in")
	if left := time.Until(lines[0].Until); left <= 0 || left > time.Minute {
		t.Errorf("expires in %v", left)
	}
	checkIs(t, lines[1], SeverityWarning, "gone.mail.test is skipped")
	if !p.OK() {
		t.Errorf("got\n%s", p)
	}
}

func TestCheckSignerRecords(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{Primaries: 1})
	signerOf := func(domain, selector string) (*dkim.Signer, string) {
		key, err := dkim.GenerateKey(dkim.RSA2048)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := dkim.NewSigner(dkim.Config{Domain: domain, Keys: []dkim.Key{{Selector: selector, Signer: key}}})
		if err != nil {
			t.Fatal(err)
		}
		record, err := dkim.Record(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		return signer, record
	}
	published, record := signerOf("shop.test", "s1")
	cluster.DNS().SetTXT("s1._domainkey.shop.test", record)
	missing, _ := signerOf("shop.test", "s2")
	other, _ := signerOf("shop.test", "s1")
	for _, tc := range []struct {
		name     string
		signer   Signer
		severity []Severity
		want     string
	}{
		{"none", nil, []Severity{SeverityOK}, "content goes out as it is"},
		{"published", published, []Severity{SeverityOK}, "s1._domainkey.shop.test"},
		{"missing", missing, []Severity{SeverityError}, "s2._domainkey.shop.test"},
		{"mismatch", other, []Severity{SeverityError}, "s1._domainkey.shop.test"},
		{"by domain", dkim.ByDomain(published, missing), []Severity{SeverityOK, SeverityError}, "s1._domainkey.shop.test"},
		{"no method", checkSigner(nil), []Severity{SeverityWarning}, "CheckRecords"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lines := checkCluster(t, cluster, func(c *Config) { c.Signer = tc.signer }).find(TopicSigner)
			if len(lines) != len(tc.severity) {
				t.Fatalf("got %v", lines)
			}
			checkIs(t, lines[0], tc.severity[0], tc.want)
			for i, want := range tc.severity {
				checkIs(t, lines[i], want)
			}
		})
	}
}

type checkSigner func(content []byte) ([]byte, error)

func (f checkSigner) Sign(_ context.Context, content []byte) ([]byte, error) { return f(content) }

func TestCertificateUntil(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	until := func(days int) *x509.Certificate {
		return &x509.Certificate{NotAfter: now.AddDate(0, 0, days)}
	}
	for _, tc := range []struct {
		name     string
		chains   [][]*x509.Certificate
		severity Severity
		want     string
	}{
		{"long", [][]*x509.Certificate{{until(60), until(900)}}, SeverityOK, "valid until 2026-04-30"},
		{"21 days", [][]*x509.Certificate{{until(21), until(900)}}, SeverityOK, "valid until 2026-03-22"},
		{"20 days", [][]*x509.Certificate{{until(20), until(900)}}, SeverityWarning, "20 days more"},
		{"the CA ends first", [][]*x509.Certificate{{until(60), until(3)}}, SeverityWarning, "3 days more"},
		{"another chain lasts", [][]*x509.Certificate{{until(60), until(3)}, {until(60), until(90)}}, SeverityOK, "valid until 2026-04-30"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &conn{client: &Client{}}
			l := c.checkCertificate(tls.ConnectionState{Version: tls.VersionTLS12, PeerCertificates: []*x509.Certificate{until(60)}, VerifiedChains: tc.chains}, now)
			checkIs(t, l, tc.severity, tc.want, "TLS 1.2")
		})
	}
}

// Everything at once, in the order of the way of mail, over real DNS.
func TestCheckTheWholeWay(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{})
	dns := cluster.DNS()
	key, err := dkim.GenerateKey(dkim.RSA2048)
	if err != nil {
		t.Fatal(err)
	}
	record, err := dkim.Record(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	dns.SetTXT("s1._domainkey.shop.test", record)
	dns.SetTXT("_dmarc.shop.test", "v=DMARC1; p=reject; rua=mailto:dmarc@shop.test")
	dns.SetTXT("bounce.shop.test", "verification=1", "v=spf1 include:_spf.shop.test -all")
	dns.SetTXT("_spf.shop.test", "v=spf1 a:out.shop.test mx:bounce.shop.test ~all")
	dns.SetAddress("out.shop.test", "10.0.0.11", "10.0.0.12", "10.0.0.21")
	dns.SetMX("bounce.shop.test", mxtest.MX{Preference: 10, Host: "in.shop.test"})
	dns.SetAddress("in.shop.test", "10.0.0.22")
	signer, err := dkim.NewSigner(dkim.Config{Domain: "shop.test", Keys: []dkim.Key{{Selector: "s1", Signer: key}}})
	if err != nil {
		t.Fatal(err)
	}
	p := checkCluster(t, cluster, func(c *Config) {
		c.Signer = signer
		c.Check = CheckConfig{FromDomains: []string{"Shop.test", "news.shop.test"}, ReturnPathDomains: []string{"bounce.shop.test"},
			NameServers: []string{cluster.DNSAddr()}}
		for _, ip := range []string{"10.0.0.11", "10.0.0.12", "10.0.0.21", "10.0.0.22"} {
			c.Check.OutboundIPs = append(c.Check.OutboundIPs, netip.MustParseAddr(ip))
		}
	})
	var got []string
	for _, l := range p.Findings {
		got = append(got, l.Severity.String()+" "+string(l.Topic)+" "+l.Subject)
	}
	want := []string{
		"ok dns mail.test",
		"ok relay p1.mail.test 10.0.0.11:25", "ok tls p1.mail.test 10.0.0.11:25", "ok extensions p1.mail.test 10.0.0.11:25",
		"ok relay p2.mail.test 10.0.0.12:25", "ok tls p2.mail.test 10.0.0.12:25", "ok extensions p2.mail.test 10.0.0.12:25",
		"ok signer s1._domainkey.shop.test",
		"ok return path bounce.shop.test",
		"ok spf bounce.shop.test", "ok spf 10.0.0.11", "ok spf 10.0.0.12", "ok spf 10.0.0.21", "ok spf 10.0.0.22",
		"warning ptr 10.0.0.11", "warning ptr 10.0.0.12", "warning ptr 10.0.0.21", "warning ptr 10.0.0.22",
		"ok dmarc shop.test", "ok alignment shop.test", "ok alignment shop.test",
		"ok dmarc news.shop.test", "ok alignment news.shop.test", "ok alignment news.shop.test",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", p)
	}
	if n := len(cluster.Ledger().Mails()); n > 0 {
		t.Errorf("%d mails were sent", n)
	}
}

// Lanes with return paths of their own: each domain is looked at, and each
// address is held against the record of each.
func TestCheckSeveralReturnPaths(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{Domain: "mail.test"})
	dns := cluster.DNS()
	dns.SetAddress("in.shop.test", "10.0.0.22")
	for _, d := range []string{"b.shop.test", "t.shop.test"} {
		dns.SetMX(d, mxtest.MX{Preference: 10, Host: "in.shop.test"})
	}
	dns.SetTXT("b.shop.test", "v=spf1 ip4:192.0.2.0/24 -all")
	dns.SetTXT("t.shop.test", "v=spf1 ip4:192.0.2.11 -all")
	p := checkCluster(t, cluster, func(c *Config) {
		c.Check = CheckConfig{ReturnPathDomains: []string{"b.shop.test", "t.shop.test"}, NameServers: []string{cluster.DNSAddr()},
			OutboundIPs: []netip.Addr{netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("192.0.2.21")}}
	})
	if paths := p.find(TopicReturnPath); len(paths) != 2 || paths[0].Subject != "b.shop.test" || paths[1].Subject != "t.shop.test" {
		t.Errorf("got %v", paths)
	}
	spf := p.find(TopicSPF)
	if len(spf) != 6 {
		t.Fatalf("got\n%s", p)
	}
	checkIs(t, spf[0], SeverityOK, "spf b.shop.test")
	checkIs(t, spf[1], SeverityOK, "spf 192.0.2.11", "in the SPF record of b.shop.test")
	checkIs(t, spf[2], SeverityOK, "spf 192.0.2.21", "in the SPF record of b.shop.test")
	checkIs(t, spf[3], SeverityOK, "spf t.shop.test")
	checkIs(t, spf[4], SeverityOK, "spf 192.0.2.11", "in the SPF record of t.shop.test")
	checkIs(t, spf[5], SeverityError, "spf 192.0.2.21", "add ip4:192.0.2.21 to the SPF record of t.shop.test")
}

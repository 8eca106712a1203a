package mxtest_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/miekg/dns"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// ask asks the cluster's DNS server.
func ask(t *testing.T, c *mxtest.Cluster, network, name string, kind uint16) (*dns.Msg, error) {
	t.Helper()
	conn, err := c.Dial(t.Context(), network, c.DNSAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	reply, _, err := new(dns.Client).ExchangeWithConnContext(context.Background(), q, &dns.Conn{Conn: conn})
	return reply, err
}

// answers are the data of a reply's answers.
func answers(m *dns.Msg) string {
	var list []string
	for _, rr := range m.Answer {
		list = append(list, strings.TrimSpace(strings.TrimPrefix(rr.String(), rr.Header().String())))
	}
	return strings.Join(list, "|")
}

func TestDNS(t *testing.T) {
	c := mxtest.NewCluster(t, mxtest.Config{})
	d := c.DNS()
	d.SetAddress("dual.test", "192.0.2.1", "2001:db8::1")
	d.SetMX("null.test", mxtest.MX{Host: "."})
	d.SetMX("bare.test")
	d.SetCNAME("alias.test", "dual.test")
	d.SetTXT("key._domainkey.app.test", strings.Repeat("k", 300))
	d.SetPTR("192.0.2.1", "mail.test", "www.test.")
	d.SetPTR("2001:DB8::1", "mail.test")
	d.SetPTR("192.0.2.2")
	d.SetPTR("mail.test", "mail.test") // no address
	d.SetTTL(90 * time.Second)
	for _, tt := range []struct {
		name  string
		kind  uint16
		want  string
		rcode int
	}{
		{"mail.test", dns.TypeMX, "10 p1.mail.test.|10 p2.mail.test.", dns.RcodeSuccess},
		{"P1.mail.TEST", dns.TypeA, "10.0.0.11", dns.RcodeSuccess},
		{"g2.mail.test", dns.TypeA, "10.0.1.12", dns.RcodeSuccess},
		{"p1.mail.test", dns.TypeAAAA, "", dns.RcodeSuccess},
		{"dual.test", dns.TypeAAAA, "2001:db8::1", dns.RcodeSuccess},
		{"null.test", dns.TypeMX, "0 .", dns.RcodeSuccess},
		{"bare.test", dns.TypeMX, "", dns.RcodeSuccess},
		{"alias.test", dns.TypeA, "dual.test.|192.0.2.1", dns.RcodeSuccess},
		{"key._domainkey.app.test", dns.TypeTXT, `"` + strings.Repeat("k", 255) + `" "` + strings.Repeat("k", 45) + `"`, dns.RcodeSuccess},
		{"1.2.0.192.in-addr.arpa", dns.TypePTR, "mail.test.|www.test.", dns.RcodeSuccess},
		{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", dns.TypePTR, "mail.test.", dns.RcodeSuccess},
		{"2.2.0.192.in-addr.arpa", dns.TypePTR, "", dns.RcodeSuccess},
		{"3.2.0.192.in-addr.arpa", dns.TypePTR, "", dns.RcodeNameError},
		{"_domainkey.app.test", dns.TypeTXT, "", dns.RcodeSuccess},
		{"nowhere.test", dns.TypeMX, "", dns.RcodeNameError},
	} {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(tt.name+"/"+dns.TypeToString[tt.kind]+"/"+network, func(t *testing.T) {
				m, err := ask(t, c, network, tt.name, tt.kind)
				if err != nil {
					t.Fatal(err)
				}
				if got := answers(m); got != tt.want || m.Rcode != tt.rcode {
					t.Errorf("got %s (%s), want %s (%s)", got, dns.RcodeToString[m.Rcode], tt.want, dns.RcodeToString[tt.rcode])
				}
				if len(m.Answer) == 0 && (len(m.Ns) != 1 || m.Ns[0].(*dns.SOA).Minttl != 90) {
					t.Errorf("got authority %v, want a SOA (RFC 2308)", m.Ns)
				}
				for _, rr := range m.Answer {
					if rr.Header().Ttl != 90 {
						t.Errorf("got TTL %d, want 90", rr.Header().Ttl)
					}
				}
			})
		}
	}
	if got := d.Queries("mail.test", "mx"); got != 2 {
		t.Errorf("got %d queries, want 2", got)
	}
	d.Remove("dual.test")
	if m, err := ask(t, c, "udp", "dual.test", dns.TypeA); err != nil || m.Rcode != dns.RcodeNameError {
		t.Errorf("after Remove: got %v, %v", m, err)
	}
}

func TestDNSFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault mxtest.DNSFault
		check func(*dns.Msg, error) bool
		tcp   bool // check holds over TCP too
	}{
		{"SERVFAIL", mxtest.DNSServFail, func(m *dns.Msg, err error) bool { return err == nil && m.Rcode == dns.RcodeServerFailure }, true},
		{"REFUSED", mxtest.DNSRefused, func(m *dns.Msg, err error) bool { return err == nil && m.Rcode == dns.RcodeRefused }, true},
		{"silence", mxtest.DNSSilence, func(m *dns.Msg, err error) bool { return err != nil }, true},
		{"truncated", mxtest.DNSTruncate, func(m *dns.Msg, err error) bool { return err == nil && m.Truncated && len(m.Answer) == 0 }, false},
		{"TCP cut", mxtest.DNSTCPCut, func(m *dns.Msg, err error) bool { return err != nil || m.Truncated }, true},
		{"wrong id", mxtest.DNSWrongID, func(m *dns.Msg, err error) bool { return err != nil }, true},
		{"another question", mxtest.DNSWrongName, func(m *dns.Msg, err error) bool {
			return err != nil || m.Question[0].Name == "another.mail.test."
		}, true},
		{"spoofed", mxtest.DNSSpoof, func(m *dns.Msg, err error) bool { return err == nil && len(m.Answer) == 2 }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
				for _, network := range []string{"udp", "tcp"} {
					if network == "tcp" && !tt.tcp {
						continue
					}
					c.DNS().Fail("mail.test", tt.fault, 1)
					if m, err := ask(t, c, network, "mail.test", dns.TypeMX); !tt.check(m, err) {
						t.Errorf("%s: got %v, %v", network, m, err)
					}
					c.DNS().Fail("mail.test", 0, 0)
					if m, err := ask(t, c, network, "mail.test", dns.TypeMX); err != nil || len(m.Answer) != 2 {
						t.Errorf("%s, after the fault: got %v, %v", network, m, err)
					}
				}
			})
		})
	}
}

// A destination verifies signatures with keys from the cluster's DNS.
func TestSignatures(t *testing.T) {
	c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.DNS().SetTXT("s1._domainkey.app.test", "v=DKIM1; k=ed25519; p="+base64.StdEncoding.EncodeToString(public))
	var signed strings.Builder
	if err := dkim.Sign(&signed, strings.NewReader(mail("s", "u@x.test")), &dkim.SignOptions{Domain: "app.test", Selector: "s1", Signer: private}); err != nil {
		t.Fatal(err)
	}
	s := client(t, c, c.Primary(0))
	for _, text := range []string{signed.String(), strings.Replace(signed.String(), "Hello", "Hallo", 1), mail("u", "u@x.test")} {
		if err := send(s, "b@app.test", text, "u@x.test"); err != nil {
			t.Fatal(err)
		}
	}
	idle(t, c)
	d := c.Ledger().Deliveries("x.test")
	if got := d[0].Signatures(); len(got) != 1 || got[0].Err != nil || got[0].Domain != "app.test" {
		t.Errorf("signed: got %+v", got)
	}
	if got := d[1].Signatures(); len(got) != 1 || got[0].Err == nil {
		t.Errorf("changed on its way: got %+v", got)
	}
	if got := d[2].Signatures(); got != nil {
		t.Errorf("unsigned: got %+v", got)
	}
}

func TestKeepContent(t *testing.T) {
	for _, tt := range []struct {
		keep int64
		want string
	}{{0, "true true true"}, {-1, "false false false"}, {200, "false false true"}} {
		t.Run(fmt.Sprint(tt.keep), func(t *testing.T) {
			c := mxtest.NewCluster(t, mxtest.Config{Memory: true, KeepContent: tt.keep})
			s := client(t, c, c.Primary(0))
			for _, id := range []string{"1", "2", "3"} {
				if err := send(s, "b@app.test", mail(id, "u@x.test"), "u@x.test"); err != nil {
					t.Fatal(err)
				}
			}
			idle(t, c)
			m := c.Ledger().Mails()
			if got := fmt.Sprint(m[0].Content != nil, m[1].Content != nil, m[2].Content != nil); got != tt.want {
				t.Errorf("kept: got %s, want %s (each of %d octets)", got, tt.want, m[0].Size)
			}
		})
	}
}

package mxsend_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// What receivers look up is looked up in a real DNS: names, addresses and reverse
// names, of both families.
func TestCheckAsReceiversDo(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{Primaries: 1, Graveyards: 1})
	dns := cluster.DNS()
	const domain = "b.shop.test"
	dns.SetAddress("p1.shop.test", "192.0.2.11", "2001:db8::11")
	dns.SetPTR("192.0.2.11", "P1.shop.test.")
	dns.SetPTR("2001:db8::11", "gone.shop.test", "p1.shop.test")
	dns.SetPTR("192.0.2.12", "p1.shop.test")
	dns.SetAddress("192.0.2.13.list.shop.test", "127.0.0.2")
	dns.SetTXT("v6.shop.test", "v=spf1 a:p1.shop.test//120 -all")
	dns.SetMX(domain, mxtest.MX{Preference: 10, Host: "p1.shop.test"})
	dns.SetTXT(domain, "unrelated", "v=spf1 a:p1.shop.test exists:%{i}.list.shop.test redirect=V6.shop.test")
	dns.SetPTR("192.0.2.15", "slow.shop.test")
	dns.Fail("slow.shop.test", mxtest.DNSServFail, mxtest.Always)

	type want struct {
		ip       string
		spf, ptr mxsend.Severity
		parts    []string
	}
	wants := []want{
		{"192.0.2.11", mxsend.SeverityOK, mxsend.SeverityOK, []string{"pass by a:p1.shop.test (1 lookup)", "the name p1.shop.test, which has the address"}},
		{"2001:db8::11", mxsend.SeverityOK, mxsend.SeverityOK, []string{"pass by a:p1.shop.test (1 lookup)", "the name p1.shop.test, which has the address"}},
		{"2001:db8::12", mxsend.SeverityOK, mxsend.SeverityError, []string{"pass by a:p1.shop.test//120 of v6.shop.test (4 lookups)", "has no name"}},
		{"192.0.2.12", mxsend.SeverityError, mxsend.SeverityError, []string{"not covered: fail by -all of v6.shop.test", `["p1.shop.test"], which does not have the address`}},
		{"192.0.2.13", mxsend.SeverityOK, mxsend.SeverityError, []string{"pass by exists:%{i}.list.shop.test (2 lookups)", "has no name"}},
		{"192.0.2.15", mxsend.SeverityError, mxsend.SeverityError, []string{"not covered", "its name could not be looked up"}},
	}
	cfg := mxsend.Config{Domain: cluster.Domain(), Resolver: mxsend.NewResolver(cluster.DNSAddr()), Port: cluster.Port(), Dial: cluster.Dial,
		TLSConfig: cluster.TLSConfig(), Check: mxsend.CheckConfig{ReturnPathDomains: []string{domain}}}
	for _, w := range wants {
		cfg.Check.OutboundIPs = append(cfg.Check.OutboundIPs, netip.MustParseAddr(w.ip))
	}
	client, err := mxsend.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	p, err := client.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range wants {
		found := ""
		for _, l := range p.Findings {
			if l.Subject != w.ip {
				continue
			}
			found += l.String() + "\n"
			if l.Topic == mxsend.TopicSPF && l.Severity != w.spf || l.Topic == mxsend.TopicPTR && l.Severity != w.ptr {
				t.Errorf("got %v", l)
			}
		}
		if strings.Count(found, "\n") != 2 {
			t.Errorf("%s: got %q, want a line about spf and one about ptr", w.ip, found)
		}
		for _, part := range w.parts {
			if !strings.Contains(found, part) {
				t.Errorf("%s: got %q, want %q in it", w.ip, found, part)
			}
		}
	}
}

// An MX record with an address in place of a name is void, and the check says so
// of the relays' domain and of the return paths'.
func TestCheckMXNamesAnAddress(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{})
	dns := cluster.DNS()
	dns.SetMX("relays.shop.test", mxtest.MX{Preference: 10, Host: "10.0.0.11"})
	dns.SetMX("b.shop.test", mxtest.MX{Preference: 10, Host: "192.0.2.25"}, mxtest.MX{Preference: 20, Host: "in.shop.test"})
	dns.SetAddress("in.shop.test", "192.0.2.26")
	client, err := mxsend.New(mxsend.Config{Domain: "relays.shop.test", Resolver: mxsend.NewResolver(cluster.DNSAddr()),
		Check: mxsend.CheckConfig{ReturnPathDomains: []string{"b.shop.test"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	result, err := client.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"error: dns relays.shop.test: no relays", "an MX record names 10.0.0.11, an IP address, and is void: name a host",
		"warning: return path b.shop.test: an MX record names 192.0.2.25, an IP address",
		"ok: return path b.shop.test: bounces go to 20 in.shop.test",
	} {
		if !slices.ContainsFunc(result.Findings, func(f mxsend.Finding) bool { return strings.Contains(f.String(), want) }) {
			t.Errorf("want %q in\n%s", want, result)
		}
	}
}

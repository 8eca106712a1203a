package senderauth

import (
	"slices"
	"testing"
)

// What the tree walk finds, as DMARCbis §4.10 has it.
func TestOrganisationOf(t *testing.T) {
	at := func(domain, psd string) published {
		return published{domain: domain, parsed: DMARC{PublicSuffix: psd}}
	}
	for _, tc := range []struct {
		name, domain string
		found        []published // from below
		want         string
	}{
		{"no record", "shop.test", nil, ""},
		{"its own", "shop.test", []published{at("shop.test", "")}, "shop.test"},
		{"the topmost", "a.shop.test", []published{at("a.shop.test", ""), at("shop.test", "u")}, "shop.test"},
		{"below a registry", "a.shop.co.test", []published{at("shop.co.test", ""), at("co.test", "y")}, "shop.co.test"},
		{"below a registry, without a record", "a.shop.co.test", []published{at("co.test", "y")}, "shop.co.test"},
		{"a registry itself", "co.test", []published{at("co.test", "y")}, "co.test"},
		{"a registry below a registry", "shop.a.co.test", []published{at("a.co.test", "y"), at("co.test", "y")}, "shop.a.co.test"},
		{"says that it is one", "a.dept.shop.test", []published{at("dept.shop.test", "n"), at("shop.test", "")}, "dept.shop.test"},
	} {
		if got := organisationOf(tc.domain, tc.found); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestListed(t *testing.T) {
	for name, want := range map[string]string{
		"shop.example.com": "example.com", "example.com": "example.com", "a.b.shop.co.uk": "shop.co.uk", "co.uk": "co.uk",
		"www.ck": "www.ck", "a.b.ck": "a.b.ck", "a.github.io": "a.github.io", "x.a.github.io": "a.github.io",
		"news.shop.internal": "shop.internal", "a.xn--p1ai": "a.xn--p1ai", "b.a.xn--55qx5d.cn": "a.xn--55qx5d.cn",
	} {
		if got := listed(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestDMARCDomains(t *testing.T) {
	if got := walkedDomains("a.b.c.d.e.f.g.h.i.shop.test"); len(got) > dmarcWalk || got[0] != "a.b.c.d.e.f.g.h.i.shop.test" || got[len(got)-1] != "shop.test" {
		t.Errorf("got %q", got)
	}
	if got := walkedDomains("shop.test"); !slices.Equal(got, []string{"shop.test"}) {
		t.Errorf("got %q", got)
	}
}

// A record is either refused or holds a policy that there is.
func FuzzDMARC(f *testing.F) {
	for _, s := range []string{"v=DMARC1; p=none", "v=DMARC1;p=reject;sp=none;adkim=s; aspf=r;", "v=DMARC1; p=quarantine; rua=mailto:a@b.test!10m, mailto:c@d.test"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, record string) {
		if !isDMARC(record) {
			return
		}
		r, err := parseDMARC(record)
		if err != nil {
			return
		}
		policies := []string{"none", "quarantine", "reject"}
		if !slices.Contains(policies, r.Policy) || r.Subdomains != "" && !slices.Contains(policies, r.Subdomains) {
			t.Errorf("got %+v of %q", r, record)
		}
	})
}

package senderauth

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/mxsend/go-mxsend/internal/mxdns/dnstable"
)

func TestSPFRecords(t *testing.T) {
	for _, tc := range []struct{ record, want string }{
		{"v=spf1", ""},
		{"v=spf1  -all ", ""},
		{"V=SPF1 +MX ~ALL", ""},
		{"v=spf1 a/24 a//64 a:x.test/24//64 mx:x.test -all", ""},
		{"v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ip4:192.0.2.1 -all", ""},
		{"v=spf1 include:_spf.x.test redirect=y.test", ""},
		{"v=spf1 exists:%{ir}.%{v}._spf.%{d2} exp=explain.%{d} -all", ""},
		{"v=spf1 unknown=anything%%here -all", ""},
		{"v=spf1 ipv4:192.0.2.1 -all", "no mechanism of SPF"},
		{"v=spf1 ip4:192.0.2.300", "IP4 address"},
		{"v=spf1 ip4:2001:db8::1", "IP4 address"},
		{"v=spf1 ip4 -all", "IP4 address"},
		{"v=spf1 ip6:192.0.2.1", "IP6 address"},
		{"v=spf1 ip4:192.0.2.0/33", "prefix length"},
		{"v=spf1 ip4:192.0.2.0/024", "prefix length"},
		{"v=spf1 a/", "prefix length"},
		{"v=spf1 a:x.test//129", "prefix length"},
		{"v=spf1 a:192.0.2.1 -all", "use ip4"},
		{"v=spf1 a:localhost", "no complete domain"},
		{"v=spf1 a: -all", "no complete domain"},
		{"v=spf1 include -all", "needs a domain"},
		{"v=spf1 include:x.test/24", "no complete domain"},
		{"v=spf1 ptr/24", "no prefix length"},
		{"v=spf1 all:x.test", "nothing behind it"},
		{"v=spf1 -", "no mechanism"},
		{"v=spf1 redirect=x.test redirect=y.test", "twice"},
		{"v=spf1 redirect=", "no complete domain"},
		{"v=spf1 1x=y", "no modifier"},
		{"v=spf1 exists:%{q}.x.test", "macro that there is not"},
		{"v=spf1 exists:%{i}.%", "middle of a macro"},
		{"v=spf1 exists:%{ix}.x.test", "malformed macro"},
		{"v=spf1 exists:%{d0}.x.test", "malformed macro"},
		{"v=spf1 exists:%{c}.x.test", "explanations only"},
		{"v=spf1 exists:%{i}.123", "no top-level domain"},
		{"v=spf1 exists:%{i}test", "no top-level domain"},
		{"v=spf1 exists:x.test.%{i}", ""},
		{"v=spf1 exists:%{l1r+-/}._spf.%{D} include:%{d} a:%%.x.test/24//64 ptr:%{o} -all", ""},
		{"v=spf1 who=%{c}.%{r}.%{t}", ""},
		{"v=spf1 exists:%{i.x.test", "macro that there is not"},
		{"v=spf1 ip4:192.0.2.1;-all", "IP4 address"},
	} {
		t.Run(tc.record, func(t *testing.T) {
			if !isSPF(tc.record) {
				t.Fatal("not taken for an SPF record")
			}
			_, err := parseSPF(tc.record)
			if got := fmt.Sprint(err); (err == nil) != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	for _, record := range []string{"", "v=spf10 -all", "v=spf", "spf2.0/pra -all", "v=spf1;-all", " v=spf1"} {
		if isSPF(record) {
			t.Errorf("%q is taken for an SPF record", record)
		}
	}
}

func TestSPFEvaluation(t *testing.T) {
	includes := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " include:i%d.test", i)
		}
		return b.String()
	}
	zone := dnstable.Table{"a.test A": "192.0.2.1|2001:db8::1", "v4.test A": "192.0.2.4", "mx.test MX": "a.test|v4.test",
		"null.test MX": ".", "servfail.test TXT": "servfail", "servfail.test A": "servfail", "servfail.test MX": "servfail",
		"many.test MX": strings.Repeat("a.test|", 10) + "a.test", "noise.test TXT": "hello|v=spf1 ip4:192.0.2.1|verify=1",
		"two.test TXT": "v=spf1 -all|v=spf1 +all", "pass.test TXT": "v=spf1 ip4:192.0.2.9 -all", "fail.test TXT": "v=spf1 ~all",
		"loop.test TXT": "v=spf1 include:loop2.test", "loop2.test TXT": "v=spf1 redirect=LOOP.test.", "broken.test TXT": "v=spf1 ip4:x",
		"other.test TXT": "no SPF here",
		"192.0.2.7 PTR":  "Mail.Named.test.", "2001:db8::7 PTR": "mail.named.test", "mail.named.test A": "192.0.2.7|2001:db8::7", "192.0.2.8 PTR": "mail.named.test",
		"192.0.2.6 PTR": strings.Repeat("gone.named.test|", 10) + "late.named.test", "late.named.test A": "192.0.2.6", "192.0.2.5 PTR": "servfail",
		"192.0.2.7.list.test A": "127.0.0.2", "7.2.0.192.in-addr.x.test A": "127.0.0.2", "ip6.x.test TXT": "v=spf1 ip6:2001:db8::7",
		"_x.test TXT": "v=spf1 ip4:192.0.2.9", "mail.named.test.list.test A": "127.0.0.2", "unknown.list.test A": "127.0.0.2"}
	zone["miss.test TXT"], zone["v6.test A"] = "v=spf1,mx -all", "2001:db8::6"
	var crowd []string
	for i := range 200 {
		crowd = append(crowd, fmt.Sprintf("198.51.100.%d", i+1))
	}
	zone["crowd.test A"], zone["crowd.test MX"] = strings.Join(crowd, "|"), "crowd.test"
	for i := range 11 {
		zone[fmt.Sprintf("i%d.test TXT", i)] = "v=spf1 ip4:198.51.100.1"
	}
	for _, tc := range []struct {
		name, record, ip string
		want             Result
		lookups          int
		because          string // in the error, or what decided
	}{
		{"ip4", "ip4:192.0.2.9 -all", "192.0.2.9", Pass, 0, "ip4:192.0.2.9"},
		{"ip4 range", "ip4:192.0.2.0/24 -all", "192.0.2.200", Pass, 0, "ip4:192.0.2.0/24"},
		{"outside the range", "ip4:192.0.2.0/24 -all", "192.0.3.1", Fail, 0, "-all"},
		{"ip6", "ip6:2001:db8::/32 ~all", "2001:db8::5", Pass, 0, "ip6:2001:db8::/32"},
		{"the other family", "ip4:0.0.0.0/0 ~all", "2001:db8::5", SoftFail, 0, "~all"},
		{"qualifier", "?ip4:192.0.2.9 -all", "192.0.2.9", Neutral, 0, "?ip4:192.0.2.9"},
		{"no all", "ip4:192.0.2.9", "192.0.2.8", Neutral, 0, "end of the record"},
		{"a", "a:a.test -all", "192.0.2.1", Pass, 1, "a:a.test"},
		{"a by IPv6", "a:a.test -all", "2001:db8::1", Pass, 1, "a:a.test"},
		{"a with a range", "a:a.test/24 -all", "192.0.2.77", Pass, 1, "a:a.test/24"},
		{"a with an IPv6 range", "a:a.test//64 -all", "2001:db8::77", Pass, 1, "a:a.test//64"},
		{"mx", "mx:mx.test -all", "192.0.2.4", Pass, 1, "mx:mx.test"},
		{"mx is not implicit", "mx:v4.test -all", "192.0.2.4", Fail, 1, "-all"},
		{"null mx", "mx:null.test -all", "192.0.2.4", Fail, 1, "-all"},
		{"too many mx hosts", "mx:many.test -all", "192.0.2.1", PermError, 1, "11 MX hosts"},
		{"include passes", "include:pass.test -all", "192.0.2.9", Pass, 1, "include:pass.test"},
		{"include does not", "include:fail.test -all", "192.0.2.9", Fail, 1, "-all"},
		{"include of nothing", "include:gone.test -all", "192.0.2.9", PermError, 1, "has no SPF record"},
		{"include of other text", "include:other.test -all", "192.0.2.9", PermError, 1, "has no SPF record"},
		{"include of a broken one", "include:broken.test -all", "192.0.2.9", PermError, 1, "record of broken.test is malformed"},
		{"include beside other text", "include:noise.test -all", "192.0.2.1", Pass, 1, "include:noise.test"},
		{"include of one that misses being one", "include:miss.test -all", "192.0.2.9", PermError, 1, "`v=spf1,mx -all` is passed over: behind"},
		{"redirect to one that misses being one", "redirect=miss.test", "192.0.2.9", PermError, 1, "is passed over: behind"},
		{"zone file in the record", `"ip4:192.0.2.9" -all`, "192.0.2.9", PermError, 0, "belong to zone files only"},
		{"a mistake behind what names the address", "ip4:192.0.2.9 ipv4:192.0.2.8 -all", "192.0.2.9", PermError, 0, "no mechanism"},
		{"many addresses", "a:crowd.test -all", "198.51.100.200", Pass, 1, "a:crowd.test"},
		{"mx of many addresses", "mx:crowd.test -all", "198.51.100.200", Pass, 1, "mx:crowd.test"},
		{"exists by IPv6 alone", "exists:v6.test -all", "2001:db8::6", Fail, 1, "-all"},
		{"include of two", "include:two.test -all", "192.0.2.9", PermError, 1, "2 SPF records"},
		{"redirect", "redirect=pass.test", "192.0.2.9", Pass, 1, "ip4:192.0.2.9 of pass.test"},
		{"redirect to its fail", "redirect=fail.test", "192.0.2.9", SoftFail, 1, "~all of fail.test"},
		{"redirect beside all", "-all redirect=pass.test", "192.0.2.9", Fail, 0, "-all"},
		{"redirect before all", "redirect=pass.test ip4:192.0.2.8 ?all", "192.0.2.9", Neutral, 0, "?all"},
		{"redirect to nothing", "redirect=gone.test", "192.0.2.9", PermError, 1, "redirects to"},
		{"circle", "include:loop.test -all", "192.0.2.9", PermError, 3, "loop.test → loop2.test → loop.test"},
		{"circle to itself", "include:x.test -all", "192.0.2.9", PermError, 1, "x.test → x.test"},
		{"ten lookups", includes(10) + " ip4:192.0.2.9 -all", "192.0.2.9", Pass, 10, "ip4:192.0.2.9"},
		{"eleven lookups", includes(11) + " ip4:192.0.2.9 -all", "192.0.2.9", PermError, 11, "more than 10"},
		{"eleven, but named before", "ip4:192.0.2.9" + includes(11), "192.0.2.9", Pass, 0, "ip4:192.0.2.9"},
		{"two void lookups", "a:g1.test a:g2.test ip4:192.0.2.9", "192.0.2.9", Pass, 2, "ip4:192.0.2.9"},
		{"three void lookups", "a:g1.test mx:g2.test exists:g3.test ip4:192.0.2.9", "192.0.2.9", PermError, 3, "more than 2 lookups find nothing"},
		{"void in one family", "a:v4.test a:v4.test a:v4.test ip6:2001:db8::9", "2001:db8::9", PermError, 3, "find nothing"},
		{"exists", "exists:a.test -all", "2001:db8::9", Pass, 1, "exists:a.test"},
		{"ptr", "ptr:named.test -all", "192.0.2.7", Pass, 1, "ptr:named.test"},
		{"ptr of the record's own domain", "ptr -all", "192.0.2.7", Fail, 1, "-all"},
		{"ptr by IPv6", "ptr:NAMED.test. -all", "2001:db8::7", Pass, 1, "ptr:NAMED.test."},
		{"ptr of another end", "ptr:amed.test -all", "192.0.2.7", Fail, 1, "-all"},
		{"ptr whose name is not confirmed", "ptr:named.test -all", "192.0.2.8", Fail, 1, "-all"},
		{"ptr beyond ten names", "ptr:named.test -all", "192.0.2.6", Fail, 1, "-all"},
		{"ptr of nothing", "ptr:a.test ptr:a.test ptr:a.test", "198.51.100.1", PermError, 3, "find nothing"},
		{"name servers fail for ptr", "ptr:named.test -all", "192.0.2.5", Fail, 1, "-all"},
		{"macro of the address", "exists:%{i}.list.test -all", "192.0.2.7", Pass, 1, "exists:%{i}"},
		{"macro of an address not there", "exists:%{i}.list.test -all", "192.0.2.8", Fail, 1, "-all"},
		{"macro of the address reversed", "exists:%{ir}.%{v}.%{d2} -all", "192.0.2.7", Pass, 1, "exists:%{ir}"},
		{"macro of IPv6", "include:%{v}.%{d} -all", "2001:db8::7", Pass, 1, "include"},
		{"macro in redirect", "redirect=_%{d}", "192.0.2.9", Pass, 1, "of _x.test"},
		{"macro p", "exists:%{p}.list.test -all", "192.0.2.7", Pass, 1, "exists:%{p}"},
		{"macro p of no name", "exists:%{p}.list.test -all", "198.51.100.1", Pass, 1, "exists:%{p}"},
		{"macro of the mail", "exists:%{l}.list.test ip4:192.0.2.9 -all", "192.0.2.9", Pass, 1, "ip4"},
		{"macro that makes no name", "a:%%.x.test exists:%_.x.test -all", "192.0.2.9", Fail, 2, "-all"},
		{"macro that includes no name", "include:%%.x.test -all", "192.0.2.9", PermError, 1, "%.x.test"},
		{"macro in a circle", "include:%{o} -all", "192.0.2.9", PermError, 1, "x.test → x.test"},
		{"name servers fail", "a:servfail.test -all", "192.0.2.9", TempError, 1, "no usable answer"},
		{"name servers fail for mx", "mx:servfail.test -all", "192.0.2.9", TempError, 1, "no usable answer"},
		{"name servers fail for include", "include:servfail.test -all", "192.0.2.9", TempError, 1, "no usable answer"},
		{"case", "IP4:192.0.2.9 -ALL", "192.0.2.9", Pass, 0, "IP4:192.0.2.9"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			zone["x.test TXT"] = "v=spf1 " + tc.record
			s := EvaluateSPF(t.Context(), zone, "x.test", netip.MustParseAddr(tc.ip))
			got, err := s.Result, s.Err
			if got != tc.want || s.Lookups != tc.lookups {
				t.Errorf("got %s after %d lookups, want %s after %d (%v)", got, s.Lookups, tc.want, tc.lookups, err)
			}
			because := s.Decided
			if err != nil {
				because = err.Error()
			}
			if !strings.Contains(because, tc.because) {
				t.Errorf("got %q, want %q in it", because, tc.because)
			}
			if (err != nil) != (got == PermError || got == TempError) {
				t.Errorf("%s with error %v", got, err)
			}
		})
	}
}

// Whatever a record holds, parsing and evaluating it end, within bounds, and
// never in a pass that no term gives.
func FuzzSPF(f *testing.F) {
	for _, s := range []string{"v=spf1 a mx ip4:192.0.2.0/24 include:x.test -all", "v=spf1 redirect=x.test", "v=spf1 exists:%{ir}.x.test a:y.test/8//9 ?all", "v=spf1 a:%{d}/24 mx//64"} {
		f.Add(s)
	}
	ip := netip.MustParseAddr("192.0.2.9")
	f.Fuzz(func(t *testing.T, record string) {
		if !isSPF(record) || strings.Contains(record, "|") { // which dnstable.Table splits at
			return
		}
		parsed, err := parseSPF(record)
		if err == nil {
			for _, term := range parsed.terms {
				if term.kind != spfAll && term.domain != "" && checkDomainSpec(term.domain) != nil {
					t.Errorf("term %q with domain %q", term.text, term.domain)
				}
				if again, err := parseSPFTerm(term.text); err != nil || again != term {
					t.Errorf("term %q is parsed again as %+v, %v", term.text, again, err)
				}
			}
		}
		s := spfCheck{names: dnstable.Table{"x.test TXT": record, "x.test A": "198.51.100.1"}, ip: ip, most: SPFLookups}
		s.outcome(t.Context(), "x.test")
		result, rerr := s.Result, s.Err
		if s.Lookups > SPFLookups+1 || s.voids > spfVoids+1 {
			t.Errorf("%d lookups, %d void", s.Lookups, s.voids)
		}
		if err != nil && result != PermError {
			t.Errorf("malformed (%v), and the result is %s", err, result)
		}
		if result == Pass && (s.Decided == "" || rerr != nil) {
			t.Errorf("pass by %q, %v", s.Decided, rerr)
		}
	})
}

// The table of RFC 7208 §7.4, as far as it does not depend on the single mail.
func TestSPFMacros(t *testing.T) {
	for _, tc := range []struct{ spec, ip, want string }{
		{"%{o}", "192.0.2.3", "email.example.com"},
		{"%{d}", "192.0.2.3", "email.example.com"},
		{"%{d4}", "192.0.2.3", "email.example.com"},
		{"%{d3}", "192.0.2.3", "email.example.com"},
		{"%{d2}", "192.0.2.3", "example.com"},
		{"%{d1}", "192.0.2.3", "com"},
		{"%{dr}", "192.0.2.3", "com.example.email"},
		{"%{d2r}", "192.0.2.3", "example.email"},
		{"%{ir}.%{v}._spf.%{d2}", "192.0.2.3", "3.2.0.192.in-addr._spf.example.com"},
		{"%{ir}.%{v}._spf.%{d2}", "2001:db8::cb01",
			"1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"},
		{"%{Dr-}.%%.%_.%-.x.test", "192.0.2.3", "email.example.com.%. .%20.x.test"},
		{"%{d1l.}.x.test", "192.0.2.3", ""}, // malformed
		{"%{l}.x.test", "192.0.2.3", ""},
		{"%{s}.x.test", "192.0.2.3", ""},
		{"%{h}.x.test", "192.0.2.3", ""},
		{strings.Repeat("%{d}.", 15) + "x.test", "192.0.2.3", strings.TrimPrefix(strings.Repeat("email.example.com.", 14), "email.") + "x.test"},
	} {
		s := spfCheck{names: dnstable.Table{}, ip: netip.MustParseAddr(tc.ip), path: []string{"email.example.com"}}
		if got, known := s.expand(t.Context(), "", tc.spec, "email.example.com"); got != tc.want || known != (tc.want != "") {
			t.Errorf("%s: got %q, %v, want %q", tc.spec, got, known, tc.want)
		}
	}
}

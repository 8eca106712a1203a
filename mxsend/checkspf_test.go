package mxsend

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/mxsend/go-mxsend/internal/mxdns/dnstable"
)

func TestSPFLines(t *testing.T) {
	ips := []netip.Addr{netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("192.0.2.21")} // a primary and a graveyard
	long := "v=spf1 ip4:192.0.2.0/24"
	zone := dnstable.Table{"192.0.2.11 PTR": "p1.test", "p1.test A": "192.0.2.11"}
	for i := range 12 {
		long += fmt.Sprintf(" include:i%d.test", i)
		zone[fmt.Sprintf("i%d.test TXT", i)] = "v=spf1 -all"
	}
	some := func(includes int) string {
		return strings.Join(strings.Fields(long)[:2+includes], " ") + " -all"
	}
	type want struct {
		severity Severity
		parts    []string
	}
	for _, tc := range []struct {
		name, record string // "" is none
		lines        []want
	}{
		{"covered", "v=spf1 ip4:192.0.2.0/24 -all", []want{{SeverityOK, []string{"0 of 10 lookups"}}, {SeverityOK, []string{"192.0.2.11", "pass by ip4", "in the SPF record of b.test"}}, {SeverityOK, nil}}},
		{"graveyard forgotten", "v=spf1 ip4:192.0.2.11 -all", []want{{SeverityOK, nil}, {SeverityOK, nil},
			{SeverityError, []string{"192.0.2.21", "not covered: fail by -all", "add ip4:192.0.2.21 to the SPF record of b.test"}}}},
		{"none", "", []want{{SeverityError, []string{"no SPF record", "graveyards too"}}, {SeverityError, nil}, {SeverityError, nil}}},
		{"everybody", "v=spf1 +all", []want{{SeverityError, []string{"everybody"}}, {SeverityOK, nil}, {SeverityOK, nil}}},
		{"open end", "v=spf1 ip4:192.0.2.0/24", []want{{SeverityWarning, []string{"-all"}}, {SeverityOK, nil}, {SeverityOK, nil}}},
		{"too long, but covered", long, []want{{SeverityWarning, []string{"12 of 10 lookups"}}, {SeverityOK, nil}, {SeverityOK, nil}}},
		{"misses being one", `v=spf1\; ip4:192.0.2.0/24 -all`, []want{{SeverityError, []string{"has no SPF record that counts", "`v=spf1\\; ip4:192.0.2.0/24 -all` at b.test", "backslashes", "publish it anew"}},
			{SeverityError, []string{"no SPF record that counts", "correct that of b.test, and have ip4:192.0.2.11 in it"}}, {SeverityError, nil}}},
		{"a space in front", " v=spf1 ip4:192.0.2.0/24 -all", []want{{SeverityError, []string{"begins with white space"}}, {SeverityError, nil}, {SeverityError, nil}}},
		{"eight lookups", some(8), []want{{SeverityOK, []string{"8 of 10 lookups"}}, {SeverityOK, nil}, {SeverityOK, nil}}},
		{"nine lookups", some(9), []want{{SeverityWarning, []string{"9 of 10 lookups: as soon as"}}, {SeverityOK, nil}, {SeverityOK, nil}}},
		{"ten lookups", some(10), []want{{SeverityWarning, []string{"10 of 10 lookups: as soon as"}}, {SeverityOK, nil}, {SeverityOK, nil}}},
		{"malformed", "v=spf1 ipv4:192.0.2.0/24", []want{{SeverityError, []string{"permerror", "ipv4"}}, {SeverityError, nil}, {SeverityError, nil}}},
		{"macro", "v=spf1 ip4:192.0.2.11 exists:%{i}._spf.b.test -all", []want{{SeverityOK, []string{"1 of 10 lookups", "different for each address: exists:%{i}"}}, {SeverityOK, nil},
			{SeverityError, []string{"not covered: fail by -all"}}}},
		{"macro of the mail", "v=spf1 ip4:192.0.2.11 exists:%{l}._spf.b.test -all", []want{{SeverityWarning, []string{"cannot be evaluated here", "exists:%{l}"}}, {SeverityOK, nil},
			{SeverityWarning, []string{"fail, but for what cannot be evaluated"}}}},
		{"macro of the mail in the way", "v=spf1 -exists:%{l}._spf.b.test ip4:192.0.2.0/24 -all", []want{{SeverityWarning, nil},
			{SeverityWarning, []string{"pass by ip4:192.0.2.0/24, unless", "-exists:%{l}", "in front"}}, {SeverityWarning, nil}}},
		{"macro of the mail, to pass by", "v=spf1 exists:%{l}._spf.b.test ip4:192.0.2.0/24 -all", []want{{SeverityWarning, nil}, {SeverityOK, []string{"pass by ip4"}}, {SeverityOK, nil}}},
		{"ptr", "v=spf1 ptr:p1.test -all", []want{{SeverityWarning, []string{"1 of 10 lookups", "uses ptr"}}, {SeverityOK, []string{"pass by ptr"}}, {SeverityError, nil}}},
		{"two records", "v=spf1 -all|v=spf1 +all", []want{{SeverityError, []string{"permerror", "2 SPF records"}}, {SeverityError, nil}, {SeverityError, nil}}},
		{"name servers", "servfail", []want{{SeverityError, []string{"could not be looked up"}}, {SeverityError, []string{"try again"}}, {SeverityError, nil}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			delete(zone, "b.test TXT")
			if tc.record != "" {
				zone["b.test TXT"] = tc.record
			}
			lines := checkSPF(t.Context(), zone, "b.test", ips)
			if len(lines) != len(tc.lines) {
				t.Fatalf("got %v", lines)
			}
			for i, w := range tc.lines {
				checkIs(t, lines[i], w.severity, w.parts...)
			}
		})
	}
	t.Run("no addresses", func(t *testing.T) {
		zone["b.test TXT"] = "v=spf1 -all"
		lines := checkSPF(t.Context(), zone, "b.test", nil)
		checkIs(t, lines[1], SeverityWarning, "OutboundIPs", "graveyard")
	})
}

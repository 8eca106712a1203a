package senderauth

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/mxsend/go-mxsend/internal/mxdns/dnstable"
)

// A suitePart is a zone and what is tested in it.
type suitePart struct {
	Description string
	Tests       map[string]struct {
		Helo, Host, MailFrom string
		Result               []string // any of them is right
		Spec                 []string
		Description          string
	}
	Zone map[string][][]any // by name: type and value
}

// The test suite of openspf.org for RFC 7208 (see testdata/README.md), whole.
func TestSPFSuite(t *testing.T) {
	text, err := os.ReadFile("testdata/rfc7208.json")
	if err != nil {
		t.Fatal(err)
	}
	var parts []suitePart
	if err := json.Unmarshal(text, &parts); err != nil {
		t.Fatal(err)
	}
	run := 0
	for _, part := range parts {
		zone := part.table(t)
		for name, tc := range part.Tests {
			run++
			t.Run(part.Description+"/"+name, func(t *testing.T) {
				local, domain, _ := strings.Cut(tc.MailFrom, "@")
				local, domain = cmp.Or(local, "postmaster"), cmp.Or(domain, tc.Helo) // RFC 7208 §2.4, §4.3
				s := &spfCheck{names: zone, ip: netip.MustParseAddr(tc.Host).Unmap(), most: SPFLookups,
					mail: map[byte]string{'l': local, 's': local + "@" + domain, 'h': tc.Helo}}
				got := s.outcome(t.Context(), domain)
				if !slices.Contains(tc.Result, string(got.Result)) {
					t.Errorf("got %s by %q (%v), want %s: RFC 7208 %s: %s", got.Result, got.Decided, got.Err, tc.Result, tc.Spec, tc.Description)
				}
				if len(got.PerMail) > 0 {
					t.Errorf("%q is said to be unknown", got.PerMail)
				}
			})
		}
	}
	if run != 203 {
		t.Errorf("%d tests, want all 203", run)
	}
}

// table is the part's zone.
func (p suitePart) table(t *testing.T) dnstable.Table {
	table := dnstable.Table{}
	add := func(name, kind, value string) {
		if strings.Contains(value, "|") {
			t.Fatalf("%s %s: %q", name, kind, value)
		}
		if earlier, ok := table[name+" "+kind]; ok {
			value = earlier + "|" + value
		}
		table[name+" "+kind] = value
	}
	reverse := map[string]string{} // names of the reverse zones to addresses, which a Table has them under
	for _, tc := range p.Tests {
		name, err := dns.ReverseAddr(tc.Host)
		if err != nil {
			t.Fatal(err)
		}
		reverse[canonical(name)] = netip.MustParseAddr(tc.Host).Unmap().String()
	}
	aliases := map[string]string{}
	for name, records := range p.Zone {
		name = canonical(name)
		owner := cmp.Or(reverse[name], name)
		hasTXT := slices.ContainsFunc(records, func(r []any) bool { return r[0] == "TXT" })
		failing := false
		for _, r := range records {
			var values []string
			for _, v := range r[1:] {
				values = append(values, v.(string))
			}
			switch kind := r[0].(string); kind {
			case "TIMEOUT", "CNAMELOOP", "SERVFAIL":
				failing = true
			case "CNAME":
				aliases[name] = canonical(values[0])
			case "A", "AAAA":
				add(owner, "A", values[0])
			case "MX":
				add(owner, "MX", cmp.Or(canonical(values[1]), "."))
			case "PTR":
				add(owner, "PTR", values[0])
			case "SPF": // of type 99, which stands for TXT unless there is one
				if !hasTXT {
					add(owner, "TXT", strings.Join(values, ""))
				}
			case "TXT":
				if values[0] != "NONE" {
					add(owner, "TXT", strings.Join(values, ""))
				}
			default:
				t.Fatalf("%s has a record of type %s", name, kind)
			}
		}
		for _, kind := range []string{"A", "TXT", "MX", "PTR"} {
			if _, ok := table[owner+" "+kind]; failing && !ok {
				table[owner+" "+kind] = "servfail"
			}
		}
	}
	for name, target := range aliases {
		for _, kind := range []string{"A", "TXT", "MX", "PTR"} {
			if records, ok := table[target+" "+kind]; ok {
				table[name+" "+kind] = records
			} else if aliases[target] == name || target == name {
				table[name+" "+kind] = "servfail" // a loop
			}
		}
	}
	return table
}

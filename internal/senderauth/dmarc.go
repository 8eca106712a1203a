package senderauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A DMARC is what counts here of a DMARC record (RFC 7489 §6.3).
type DMARC struct {
	Policy, Subdomains    string // p= and sp=
	StrictDKIM, StrictSPF bool
	PublicSuffix          string // psd=: "y" at a registry's domain, "n" at an organisation's (RFC 9091, DMARCbis)
	Stray                 string // what has strayed into the record, and does not void all of it
}

// isDMARC says whether a TXT record means to be a DMARC record: its version comes
// first, as it is written here (RFC 7489 §6.4).
func isDMARC(record string) bool {
	version, _, _ := strings.Cut(record, ";")
	name, value, _ := strings.Cut(version, "=")
	return strings.TrimRight(name, " \t") == "v" && strings.Trim(value, " \t") == "DMARC1"
}

// parseDMARC parses a record for which isDMARC holds.
func parseDMARC(record string) (DMARC, error) {
	r := DMARC{Stray: stray(record)}
	tags, err := ParseTags(record)
	if err != nil {
		return DMARC{}, blame(err, record)
	}
	r.Policy, r.Subdomains = strings.ToLower(tags["p"]), strings.ToLower(tags["sp"])
	r.StrictDKIM, r.StrictSPF = strings.EqualFold(tags["adkim"], "s"), strings.EqualFold(tags["aspf"], "s")
	r.PublicSuffix = strings.ToLower(tags["psd"])
	for _, p := range [...]struct{ tag, value string }{{"p", r.Policy}, {"sp", r.Subdomains}} {
		switch p.value {
		case "none", "quarantine", "reject":
			continue
		case "":
			if p.tag == "sp" {
				continue
			}
		}
		return DMARC{}, blame(fmt.Errorf("%s=%.20q is none of none, quarantine and reject", p.tag, p.value), record)
	}
	return r, nil
}

// ParseTags parses "name=value; …" (RFC 6376 §3.2, RFC 7489 §6.4). Names are in
// lower case; the first of equal ones counts.
func ParseTags(s string) (map[string]string, error) {
	tags := map[string]string{}
	for part := range strings.SplitSeq(s, ";") {
		part = trimSpace(part)
		if part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		name = strings.ToLower(trimSpace(name))
		if !ok || name == "" {
			return nil, fmt.Errorf("%.40q is not name=value", part)
		}
		if _, twice := tags[name]; !twice {
			tags[name] = trimSpace(value)
		}
	}
	return tags, nil
}

// trimSpace drops white space as RFC 5234 has it, and no other.
func trimSpace(s string) string { return strings.Trim(s, " \t\r\n") }

// A Policy is what applies to mail from a domain.
type Policy struct {
	DMARC
	At     string // the domain that publishes it; empty: none does
	Author Domain // the domain in From
	// NearMiss is a record that was meant for it, and is passed over.
	NearMiss *NearMiss
}

// A MalformedDMARC is the error for a record that would apply, and that receivers
// pass over.
type MalformedDMARC struct {
	Domain string
	Record string // empty: there are several
	Err    error
}

func (e *MalformedDMARC) Error() string { return "_dmarc." + e.Domain + ": " + e.Err.Error() }
func (e *MalformedDMARC) Unwrap() error { return e.Err }

// FindDMARC finds the policy for mail from a domain: its own record, else that of
// the organisational domain as DNS tells it (see Domain.Walked). Where there is
// an error, the Policy says what was found before.
func FindDMARC(ctx context.Context, names Names, from string) (Policy, error) {
	policy := Policy{Author: Domain{Name: from, Listed: listed(from)}}
	found, miss, err := walk(ctx, names, from)
	policy.NearMiss = miss
	if err != nil {
		return policy, err
	}
	if len(found) > 0 && found[0].err != nil { // one above a good one does no harm
		f := found[0]
		return policy, &MalformedDMARC{Domain: f.domain, Record: f.record, Err: f.err}
	}
	found = slices.DeleteFunc(found, func(f published) bool { return f.err != nil })
	organisation := organisationOf(from, found)
	for _, f := range found {
		if f.domain == from || f.domain == organisation {
			policy.DMARC, policy.At, policy.Author.Walked = f.parsed, f.domain, organisation
			return policy, nil
		}
	}
	if policy.NearMiss == nil {
		policy.NearMiss, err = misplacedDMARC(ctx, names, policy.Author)
	}
	return policy, err
}

// misplacedDMARC looks for a record that stands at the domain and not below
// _dmarc.
func misplacedDMARC(ctx context.Context, names Names, author Domain) (*NearMiss, error) {
	for _, domain := range slices.Compact([]string{author.Name, author.Listed}) {
		records, err := LookupTXT(ctx, names, domain)
		if err != nil {
			return nil, err
		}
		miss := firstNearMiss(domain, records, func(r string) string {
			if !strings.HasPrefix(letters(r), "v=dmarc1") {
				return ""
			}
			return "receivers look for it at _dmarc." + domain
		})
		if miss != nil {
			return miss, nil
		}
	}
	return nil, nil
}

// A published is a record that stands below _dmarc at a domain.
type published struct {
	domain string
	record string
	parsed DMARC
	err    error // why it is void
}

// walk collects the records at a domain and above it, from the domain upwards,
// and the first that misses being one.
func walk(ctx context.Context, names Names, domain string) (found []published, miss *NearMiss, err error) {
	for _, d := range walkedDomains(domain) {
		texts, err := LookupTXT(ctx, names, "_dmarc."+d)
		if err != nil {
			return found, miss, err
		}
		records := slices.DeleteFunc(slices.Clone(texts), func(r string) bool { return !isDMARC(r) })
		switch p := (published{domain: d}); len(records) {
		case 0:
			if miss == nil {
				miss = firstNearMiss("_dmarc."+d, texts, nearlyDMARC)
			}
		case 1:
			p.record = records[0]
			p.parsed, p.err = parseDMARC(p.record)
			found = append(found, p)
		default:
			p.err = errors.New("there is more than one record, and receivers pass over all") // RFC 7489 §6.6.3
			found = append(found, p)
		}
	}
	return found, miss, nil
}

// dmarcWalk bounds the lookups of a domain with many labels (DMARCbis §4.10).
const dmarcWalk = 8

// walkedDomains are the domains to ask, from the domain itself to the topmost of
// two labels. (DMARCbis asks the top-level domain, too; what a registry says there
// makes nobody's organisational domain, and names inside need not leak to the root.)
func walkedDomains(domain string) []string {
	domains := []string{domain}
	labels := strings.Split(domain, ".")
	for n := min(len(labels), dmarcWalk) - 1; n >= 2; n-- {
		domains = append(domains, strings.Join(labels[len(labels)-n:], "."))
	}
	return domains
}

package mxsend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A dmarcRecord is what counts here of a DMARC record (RFC 7489 §6.3).
type dmarcRecord struct {
	policy, subdomains    string // p= and sp=
	strictDKIM, strictSPF bool
	publicSuffix          bool // psd=y: of a registry, not of an owner (RFC 9091)
}

// isDMARC says whether a TXT record means to be a DMARC record.
func isDMARC(record string) bool {
	version, _, _ := strings.Cut(record, ";")
	name, value, _ := strings.Cut(version, "=")
	return strings.TrimSpace(name) == "v" && strings.TrimSpace(value) == "DMARC1"
}

// parseDMARC parses a record for which isDMARC holds.
func parseDMARC(record string) (dmarcRecord, error) {
	tags, err := parseTags(record)
	if err != nil {
		return dmarcRecord{}, err
	}
	r := dmarcRecord{
		policy: strings.ToLower(tags["p"]), subdomains: strings.ToLower(tags["sp"]),
		strictDKIM: strings.EqualFold(tags["adkim"], "s"), strictSPF: strings.EqualFold(tags["aspf"], "s"),
		publicSuffix: strings.EqualFold(tags["psd"], "y"),
	}
	for _, p := range [...]struct{ tag, value string }{{"p", r.policy}, {"sp", r.subdomains}} {
		switch p.value {
		case "none", "quarantine", "reject":
			continue
		case "":
			if p.tag == "sp" {
				continue
			}
		}
		return dmarcRecord{}, fmt.Errorf("%s=%.20q is none of none, quarantine and reject", p.tag, p.value)
	}
	return r, nil
}

// parseTags parses "name=value; …" (RFC 6376 §3.2, RFC 7489 §6.4). Names are in
// lower case; the first of equal ones counts.
func parseTags(s string) (map[string]string, error) {
	tags := map[string]string{}
	for part := range strings.SplitSeq(s, ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if !ok || name == "" {
			return nil, fmt.Errorf("%.40q is not name=value", part)
		}
		if _, twice := tags[name]; !twice {
			tags[name] = strings.TrimSpace(value)
		}
	}
	return tags, nil
}

// A dmarcPolicy is what applies to mail from a domain.
type dmarcPolicy struct {
	record dmarcRecord
	at     string // the domain that publishes it; empty: there is none
	// organisation is the organisational domain as far as DNS tells it: the
	// topmost domain above, or the domain itself, that publishes a record.
	// Empty: there is none, and so it is not known.
	organisation string
}

// dmarcWalk bounds the lookups of a domain with many labels.
const dmarcWalk = 8

// findDMARC finds the policy for mail from a domain. RFC 7489 §6.6.3 takes the
// record of the domain itself, else that of the organisational domain, which it
// finds by a list of public suffixes. There is no such list here, as it would be
// old on the day it is built in. Instead every domain above is asked, down to two
// labels: registries publish no record, or mark it (psd=y), so the topmost record
// is the organisation's.
func findDMARC(ctx context.Context, names publicNames, from string) (dmarcPolicy, error) {
	var policy dmarcPolicy
	for i, domain := range dmarcDomains(from) {
		records, err := lookupTXT(ctx, names, "_dmarc."+domain)
		if err != nil {
			return policy, err
		}
		records = slices.DeleteFunc(slices.Clone(records), func(r string) bool { return !isDMARC(r) })
		if len(records) == 0 {
			continue
		}
		var record dmarcRecord
		if len(records) > 1 {
			err = errors.New("there is more than one record, and receivers pass over all") // RFC 7489 §6.6.3
		} else {
			record, err = parseDMARC(records[0])
		}
		if err != nil {
			if policy.at == "" {
				return policy, &dmarcError{domain, err}
			}
			continue // one that applies was found below
		}
		if record.publicSuffix {
			break
		}
		if policy.organisation = domain; i == 0 || policy.at != from {
			policy.record, policy.at = record, domain
		}
	}
	return policy, nil
}

// A dmarcError is a record that receivers pass over.
type dmarcError struct {
	domain string
	err    error
}

func (e *dmarcError) Error() string { return "_dmarc." + e.domain + ": " + e.err.Error() }
func (e *dmarcError) Unwrap() error { return e.err }

// dmarcDomains are the domains to ask, from the domain itself to the topmost.
func dmarcDomains(from string) []string {
	domains := []string{from}
	labels := strings.Split(from, ".")
	for n := min(len(labels)-1, dmarcWalk); n >= 2; n-- {
		domains = append(domains, strings.Join(labels[len(labels)-n:], "."))
	}
	return domains[:min(len(domains), dmarcWalk)]
}

// checkDMARC checks that a policy applies to mail from a domain.
func checkDMARC(ctx context.Context, names publicNames, from string) (dmarcPolicy, CheckLine) {
	l := CheckLine{Severity: SeverityError, Topic: TopicDMARC, Subject: from}
	policy, err := findDMARC(ctx, names, from)
	var malformed *dmarcError
	switch {
	case errors.As(err, &malformed):
		l.Found, l.Advice = "the record is void: "+oneLine(err), `correct it, such as to "v=DMARC1; p=none; rua=mailto:…"`
	case err != nil:
		l.Found, l.Advice = "could not be looked up: "+oneLine(err), "check the domain's name servers, and try again"
	case policy.at == "":
		l.Found = "has no DMARC record: large receivers refuse bulk mail from it"
		l.Advice = `publish "v=DMARC1; p=none; rua=mailto:…" at _dmarc.` + from + ", or at that of the domain above"
	default:
		l.Severity = SeverityOK
		applies := "p=" + policy.record.policy
		if policy.at != from && policy.record.subdomains != "" {
			applies = "sp=" + policy.record.subdomains
		}
		l.Found = fmt.Sprintf("_dmarc.%s has %s", policy.at, applies)
	}
	return policy, l
}

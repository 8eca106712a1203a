package mxsend

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/mxsend/go-mxsend/internal/mxdns"
)

// Limits of RFC 7208 §4.6.4.
const (
	spfLookups = 10
	spfVoids   = 2
	spfMXHosts = 10
)

// spfSurvey bounds the lookups of a record that is looked through to its end,
// to tell how many it has too many.
const spfSurvey = 50

// An spfCheck evaluates a record for one address, as a receiver does (check_host
// of RFC 7208 §4). A macro that depends on the single mail or on a relay's name in
// EHLO (l, s, h) is not evaluated but noted.
type spfCheck struct {
	names      publicNames
	ip         netip.Addr // invalid: an address that nothing names, so that everything is looked at
	most       int        // lookups
	lookups    int
	voids      int
	path       []string // domains whose records are being evaluated
	perMail    []string // terms that depend on the single mail
	perAddress []string // terms that depend on the address, where there is none
	unsure     bool     // one of perMail might end the evaluation other than in a pass
	deprecated bool     // ptr or its macro is used
	record     string   // of the first domain
	decided    string   // the term that decided
}

// An spfError is why a record gives no result: spfPermError or spfTempError.
type spfError struct {
	result spfResult
	text   string
}

func (e *spfError) Error() string { return e.text }

func spfPermanent(format string, args ...any) error {
	return &spfError{spfPermError, fmt.Sprintf(format, args...)}
}

// outcome evaluates the record of domain. The error explains a result of
// spfPermError or spfTempError.
func (s *spfCheck) outcome(ctx context.Context, domain string) (spfResult, error) {
	result, err := s.host(ctx, domain)
	var e *spfError
	if errors.As(err, &e) {
		return e.result, err
	}
	return result, err
}

// host is check_host. Errors are *spfError.
func (s *spfCheck) host(ctx context.Context, domain string) (spfResult, error) {
	domain = canonicalHost(domain)
	if slices.Contains(s.path, domain) {
		return "", spfPermanent("the records go round in a circle: %s → %s", strings.Join(s.path, " → "), domain)
	}
	s.path = append(s.path, domain)
	defer func() { s.path = s.path[:len(s.path)-1] }()
	record, err := s.lookUp(ctx, domain)
	if record == "" || err != nil {
		return spfNone, err
	}
	if len(s.path) == 1 {
		s.record = record
	}
	parsed, err := parseSPF(record)
	if err != nil {
		return "", spfPermanent("the record of %s is malformed: %v", domain, err)
	}
	for i := range parsed.terms {
		t := &parsed.terms[i]
		matches, err := s.matches(ctx, t, domain)
		if err != nil {
			return "", err
		}
		if matches {
			s.decided = t.text
			if len(s.path) > 1 {
				s.decided += " of " + domain
			}
			return t.result, nil
		}
	}
	if parsed.redirect == "" {
		s.decided = "the end of the record"
		return spfNeutral, nil // RFC 7208 §4.7
	}
	// Behind all nobody comes here: RFC 7208 §6.1.
	if err := s.count(); err != nil {
		return "", err
	}
	target, known := s.expand(ctx, "redirect="+parsed.redirect, parsed.redirect, domain)
	if !known {
		s.decided = "the end of the record"
		return spfNeutral, nil
	}
	result, err := s.host(ctx, target)
	if err == nil && result == spfNone {
		return "", spfPermanent("%s, which the record of %s redirects to, has no SPF record", bounded(target, 100), domain)
	}
	return result, err
}

// lookUp returns the SPF record of a domain; empty: it has none.
func (s *spfCheck) lookUp(ctx context.Context, domain string) (string, error) {
	records, err := lookupTXT(ctx, s.names, domain)
	if err != nil {
		return "", s.failed(err)
	}
	records = slices.DeleteFunc(slices.Clone(records), func(r string) bool { return !isSPF(r) })
	switch len(records) {
	case 0:
		return "", nil
	case 1:
		return records[0], nil
	}
	return "", spfPermanent("%s has %d SPF records; make one of them", domain, len(records))
}

func (s *spfCheck) failed(err error) error {
	if errors.Is(err, mxdns.ErrInvalidName) {
		return spfPermanent("%s", oneLine(err))
	}
	return &spfError{spfTempError, oneLine(err)}
}

// count counts a term that costs a lookup.
func (s *spfCheck) count() error {
	if s.lookups++; s.lookups > s.most {
		return spfPermanent("more than %d DNS lookups are needed", s.most)
	}
	return nil
}

// void counts a term whose lookup found nothing.
func (s *spfCheck) void() error {
	if s.voids++; s.voids > spfVoids {
		return spfPermanent("more than %d lookups find nothing", spfVoids)
	}
	return nil
}

// matches says whether a mechanism names the address.
func (s *spfCheck) matches(ctx context.Context, t *spfTerm, domain string) (bool, error) {
	switch t.kind {
	case spfAll:
		return true, nil
	case spfIP4, spfIP6:
		return t.prefix.Contains(s.ip), nil
	}
	if err := s.count(); err != nil {
		return false, err
	}
	s.deprecated = s.deprecated || t.kind == spfPTR
	if t.domain != "" {
		target, known := s.expand(ctx, t.text, t.domain, domain)
		if !known {
			s.unsure = s.unsure || t.result != spfPass || len(s.path) > 1
			return false, nil
		}
		domain = target
	}
	switch t.kind {
	case spfInclude:
		return s.included(ctx, domain)
	case spfMX:
		return s.matchesMX(ctx, t, domain)
	case spfPTR:
		return s.matchesPTR(ctx, domain)
	}
	addrs, err := s.names.LookupAddrs(ctx, domain)
	if nothingThere(err) { // a name made of macros may be none
		return false, s.void()
	}
	if err != nil {
		return false, s.failed(err)
	}
	if t.kind == spfExists {
		// RFC 7208 §5.7: A records, whatever the address that is checked.
		if slices.ContainsFunc(addrs.Addrs, netip.Addr.Is4) {
			return true, nil
		}
		return false, s.void()
	}
	if s.ip.IsValid() && !slices.ContainsFunc(addrs.Addrs, func(a netip.Addr) bool { return a.Is4() == s.ip.Is4() }) {
		return false, s.void() // a receiver asks for the one kind only
	}
	return s.within(addrs.Addrs, t), nil
}

// included: RFC 7208 §5.2.
func (s *spfCheck) included(ctx context.Context, domain string) (bool, error) {
	result, err := s.host(ctx, domain)
	if err == nil && result == spfNone {
		return false, spfPermanent("%s, which is included, has no SPF record", domain)
	}
	return result == spfPass, err
}

// matchesMX: RFC 7208 §5.4, without the implicit MX of RFC 5321.
func (s *spfCheck) matchesMX(ctx context.Context, t *spfTerm, domain string) (bool, error) {
	set, err := s.names.LookupMX(ctx, domain)
	switch {
	case errors.Is(err, mxdns.ErrNullMX):
		return false, nil
	case nothingThere(err) || err == nil && set.Implicit:
		return false, s.void()
	case err != nil:
		return false, s.failed(err)
	case len(set.Hosts) > spfMXHosts:
		return false, spfPermanent("%s has %d MX hosts, and mx looks at %d at most", domain, len(set.Hosts), spfMXHosts)
	case !s.ip.IsValid():
		return false, nil
	}
	for _, host := range set.Hosts {
		addrs, err := s.names.LookupAddrs(ctx, host.Host)
		if err != nil && !nothingThere(err) {
			return false, s.failed(err)
		}
		if s.within(addrs.Addrs, t) {
			return true, nil
		}
	}
	return false, nil
}

// matchesPTR: RFC 7208 §5.5. An error of DNS is no match.
func (s *spfCheck) matchesPTR(ctx context.Context, domain string) (bool, error) {
	if !s.ip.IsValid() {
		return false, nil
	}
	found, err := lookUpReverse(ctx, s.names, s.ip)
	if nothingThere(err) {
		return false, s.void()
	}
	return slices.ContainsFunc(found.confirmed, func(name string) bool {
		return name == domain || strings.HasSuffix(name, "."+domain)
	}), nil
}

func (s *spfCheck) within(addrs []netip.Addr, t *spfTerm) bool {
	for _, a := range addrs {
		bits := t.bits6
		if a.Is4() {
			bits = t.bits4
		}
		if p, err := a.Prefix(bits); err == nil && p.Contains(s.ip) {
			return true
		}
	}
	return false
}

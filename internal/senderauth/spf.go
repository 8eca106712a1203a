package senderauth

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
	SPFLookups = 10
	spfVoids   = 2
	spfMXHosts = 10
)

// spfSurvey bounds the lookups of a record that is looked through to its end,
// to tell how many it has too many.
const spfSurvey = 50

// An SPF is what a receiver makes of a domain's record for one address, and how
// it came to that. A macro that depends on the single mail or on a relay's name
// in EHLO (l, s, h) is not evaluated but noted.
type SPF struct {
	Result     Result
	Err        error     // explains PermError and TempError
	Record     string    // of the domain itself; empty: there is none
	NearMiss   *NearMiss // where there is none: what was meant to be one
	Decided    string    // the term that decided
	Lookups    int       // what it cost
	PerMail    []string  // terms that depend on the single mail
	PerAddress []string  // terms that depend on the address, where none is given
	Unsure     bool      // one of PerMail might end the evaluation other than in a pass
	Deprecated bool      // ptr or its macro is used
}

// EvaluateSPF evaluates the record of a domain for an address, as a receiver does
// (check_host of RFC 7208 §4).
func EvaluateSPF(ctx context.Context, names Names, domain string, ip netip.Addr) SPF {
	return (&spfCheck{names: names, ip: ip, most: SPFLookups}).outcome(ctx, domain)
}

// SurveySPF looks through the whole of a domain's record, and of what it includes,
// as for an address that no term names, and beyond the lookups that receivers
// grant.
func SurveySPF(ctx context.Context, names Names, domain string) SPF {
	return (&spfCheck{names: names, most: spfSurvey}).outcome(ctx, domain)
}

// An spfCheck is an evaluation under way.
type spfCheck struct {
	names Names
	ip    netip.Addr      // invalid: an address that nothing names, so that everything is looked at
	mail  map[byte]string // values of the macros l, s and h; nil: they are not known
	most  int             // lookups
	voids int
	path  []string // domains whose records are being evaluated
	SPF
}

// An spfError is why a record gives no result: PermError or TempError.
type spfError struct {
	result Result
	err    error
}

func (e *spfError) Error() string { return e.err.Error() }
func (e *spfError) Unwrap() error { return e.err }

func spfPermanent(format string, args ...any) error {
	return &spfError{PermError, fmt.Errorf(format, args...)}
}

func (s *spfCheck) outcome(ctx context.Context, domain string) SPF {
	s.Result, s.Err = s.host(ctx, domain)
	var e *spfError
	if errors.As(s.Err, &e) {
		s.Result = e.result
	}
	if s.Result != None {
		s.NearMiss = nil
	}
	return s.SPF
}

// host is check_host. Errors are *spfError.
func (s *spfCheck) host(ctx context.Context, domain string) (Result, error) {
	domain = canonical(domain)
	if slices.Contains(s.path, domain) {
		return "", spfPermanent("the records go round in a circle: %s → %s", strings.Join(s.path, " → "), domain)
	}
	s.path = append(s.path, domain)
	defer func() { s.path = s.path[:len(s.path)-1] }()
	record, miss, err := s.lookUp(ctx, domain)
	s.NearMiss = miss
	if len(s.path) == 1 {
		s.Record = record
	}
	if record == "" || err != nil {
		return None, err
	}
	parsed, err := parseSPF(record)
	if err != nil {
		return "", spfPermanent("the record of %s is malformed: %w", domain, blame(err, record))
	}
	for i := range parsed.terms {
		t := &parsed.terms[i]
		matches, err := s.matches(ctx, t, domain)
		if err != nil {
			return "", err
		}
		if matches {
			s.Decided = t.text
			if len(s.path) > 1 {
				s.Decided += " of " + domain
			}
			return t.result, nil
		}
	}
	if parsed.redirect == "" {
		s.Decided = "the end of the record"
		return Neutral, nil // RFC 7208 §4.7
	}
	// Behind all nobody comes here: RFC 7208 §6.1.
	if err := s.count(); err != nil {
		return "", err
	}
	target, known := s.expand(ctx, "redirect="+parsed.redirect, parsed.redirect, domain)
	if !known {
		s.Decided = "the end of the record"
		return Neutral, nil
	}
	result, err := s.host(ctx, target)
	if err == nil && result == None {
		return "", spfPermanent("%.100s, which the record of %s redirects to, has no SPF record%s", target, domain, s.NearMiss.aside())
	}
	return result, err
}

// lookUp returns the SPF record of a domain; empty: it has none, or at best one
// that misses being one.
func (s *spfCheck) lookUp(ctx context.Context, domain string) (string, *NearMiss, error) {
	found, err := LookupTXT(ctx, s.names, domain)
	if err != nil {
		return "", nil, s.failed(err)
	}
	records := slices.DeleteFunc(slices.Clone(found), func(r string) bool { return !isSPF(r) })
	switch len(records) {
	case 0:
		return "", firstNearMiss(domain, found, nearlySPF), nil
	case 1:
		return records[0], nil, nil
	}
	return "", nil, spfPermanent("%s has %d SPF records; make one of them", domain, len(records))
}

func (s *spfCheck) failed(err error) error {
	if errors.Is(err, mxdns.ErrInvalidName) {
		return &spfError{PermError, err}
	}
	return &spfError{TempError, err}
}

// count counts a term that costs a lookup.
func (s *spfCheck) count() error {
	if s.Lookups++; s.Lookups > s.most {
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
	s.Deprecated = s.Deprecated || t.kind == spfPTR
	if t.domain != "" {
		target, known := s.expand(ctx, t.text, t.domain, domain)
		if !known {
			s.Unsure = s.Unsure || t.result != Pass || len(s.path) > 1
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
	var addrs []netip.Addr
	var err error
	if t.kind == spfExists {
		// RFC 7208 §5.7: A records, whatever the address that is checked.
		addrs, err = s.names.LookupIP(ctx, "ip4", domain)
	} else {
		addrs, err = s.addresses(ctx, domain)
	}
	switch {
	case nothingThere(err): // a name made of macros may be none
		return false, s.void()
	case err != nil:
		return false, s.failed(err)
	}
	return t.kind == spfExists || s.within(addrs, t), nil
}

// addresses returns the addresses of a host, of the family that is checked: a
// receiver asks for that one only (RFC 7208 §5). All of them count, however many.
func (s *spfCheck) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if s.ip.IsValid() {
		return s.names.LookupIP(ctx, family(s.ip), host)
	}
	addrs, err := s.names.LookupIP(ctx, "ip4", host)
	if Absent(err) {
		addrs, err = s.names.LookupIP(ctx, "ip6", host)
	}
	return addrs, err
}

// included: RFC 7208 §5.2.
func (s *spfCheck) included(ctx context.Context, domain string) (bool, error) {
	result, err := s.host(ctx, domain)
	if err == nil && result == None {
		return false, spfPermanent("%s, which is included, has no SPF record%s", domain, s.NearMiss.aside())
	}
	return result == Pass, err
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
		addrs, err := s.addresses(ctx, host.Host)
		if err != nil && !nothingThere(err) {
			return false, s.failed(err)
		}
		if s.within(addrs, t) {
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
	found, err := LookUpReverse(ctx, s.names, s.ip)
	if nothingThere(err) {
		return false, s.void()
	}
	return slices.ContainsFunc(found.Confirmed, func(name string) bool {
		return Within(name, domain)
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

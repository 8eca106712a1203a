package senderauth

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// A Domain is a name and its organisational domain, as receivers find it in one
// way or the other.
type Domain struct {
	Name string
	// Listed goes by the list of public suffixes, as RFC 7489 §3.2 has it and most
	// receivers do: the suffix and one label more.
	Listed string
	// Walked goes by the DMARC records at the domain and above it, as DMARCbis
	// §4.10.2 has it. Empty: there is none.
	Walked string
}

// LookUpDomain finds a domain's organisational domains. The error is of DNS;
// Listed is known all the same.
func LookUpDomain(ctx context.Context, names Names, name string) (Domain, error) {
	d := Domain{Name: name, Listed: listed(name)}
	found, _, err := walk(ctx, names, name)
	if err != nil {
		return d, err
	}
	d.Walked = organisationOf(name, slices.DeleteFunc(found, func(f published) bool { return f.err != nil }))
	return d, nil
}

// listed is the organisational domain by the list: the domain itself where it is
// a public suffix.
func listed(name string) string {
	organisation, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return name
	}
	return organisation
}

// organisationOf is the organisational domain by the valid records at a domain
// and above it, which come from below: that of the first that says psd=n; that
// below a registry's (psd=y); else that of the topmost record. Empty: there is
// no record.
func organisationOf(domain string, found []published) (organisation string) {
	for _, f := range found {
		switch {
		case f.parsed.PublicSuffix == "n":
			return f.domain
		case f.parsed.PublicSuffix == "y" && f.domain != domain:
			rest := strings.TrimSuffix(domain, "."+f.domain)
			return rest[strings.LastIndexByte(rest, '.')+1:] + "." + f.domain
		}
		organisation = f.domain
	}
	return organisation
}

// An Alignment says whether a domain that was authenticated counts for the one in
// From (RFC 7489 §3.1), for receivers of either way to find organisational
// domains.
type Alignment struct{ ByList, ByWalk bool }

// Everywhere says whether it counts for every receiver.
func (a Alignment) Everywhere() bool { return a.ByList && a.ByWalk }

// Nowhere says whether it counts for none.
func (a Alignment) Nowhere() bool { return !a.ByList && !a.ByWalk }

// Or is the alignment of mail that both domains were authenticated for.
func (a Alignment) Or(b Alignment) Alignment {
	return Alignment{a.ByList || b.ByList, a.ByWalk || b.ByWalk}
}

// Align compares an authenticated domain with that in From. Under relaxed
// alignment both must have one organisational domain. Where no DMARC record
// applies to From, what the walk would find is open, and the list decides.
func Align(from, other Domain, strict bool) Alignment {
	if strict || from.Name == other.Name {
		same := from.Name == other.Name
		return Alignment{same, same}
	}
	a := Alignment{ByList: from.Listed == other.Listed}
	a.ByWalk = a.ByList
	if from.Walked != "" {
		a.ByWalk = from.Walked == cmp.Or(other.Walked, other.Name) // DMARCbis §4.10: else itself
	}
	return a
}

package mxdns

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// maxHosts bounds the hosts of a domain.
const maxHosts = 100

// MX is a host that takes the mail of a domain.
type MX struct {
	Host       string // in lower case, without the last dot
	Preference uint16 // the lowest is tried first
}

// MXSet is the hosts that take the mail of a domain.
type MXSet struct {
	Domain   string // as asked for: A-labels, lower case, no last dot
	Hosts    []MX   // by preference; within one in an order that every Resolver draws for itself
	Implicit bool   // the domain has no MX record, and is its own host (RFC 5321 §5.1)
	Expires  time.Time
	Refresh  time.Time // from when on a lookup gives what is cached and asks again in the background
	Stale    bool      // name servers failed, or deny the domain: the last good answer
	Cause    error     // why Stale
	Warnings []string
}

// LookupMX returns the hosts that take the mail of a domain, 100 at most. Errors: ErrNullMX,
// ErrNoSuchDomain, ErrTemporary, ErrInvalidName, ErrClosed.
func (r *Resolver) LookupMX(ctx context.Context, domain string) (MXSet, error) {
	name, err := canonical(domain)
	if err != nil {
		return MXSet{}, &Error{Type: "MX", Name: domain, Kind: ErrInvalidName, Err: err}
	}
	q := question{name, dns.TypeMX}
	res, err := r.cache.begin(q).wait(ctx)
	if err != nil {
		return MXSet{}, err
	}
	if res.status == noDomain {
		// The domain carries our mail: that it does not exist is likelier an accident in its zone than
		// meant so. RFC 8767 §4 would drop what is stale; here it is kept for as long as at SERVFAIL.
		denied := q.fail(ErrNoSuchDomain, nil)
		if res.good == nil {
			return MXSet{}, denied
		}
		res = res.fallBack(denied)
	}
	return r.mxSet(q, res)
}

// fallBack is the last answer with records in place of a negative one, which good must hold.
func (res result) fallBack(cause error) result {
	return result{answer: *res.good, expires: res.expires, stale: true, cause: cause}
}

// mxSet reads the hosts out of an answer.
func (r *Resolver) mxSet(q question, res result) (MXSet, error) {
	set := MXSet{Domain: bare(q.name), Expires: res.expires, Refresh: earliest(res.refresh, res.expires), Stale: res.stale, Cause: res.cause}
	if len(res.aliases) > 0 {
		set.Warnings = append(set.Warnings, fmt.Sprintf("%s is an alias (CNAME) of %q", set.Domain, bare(res.aliases[len(res.aliases)-1])))
	}
	if res.status == noData {
		// RFC 5321 §5.1: only where there is no MX record is the domain its own host.
		set.Implicit = true
		set.Hosts = []MX{{Host: set.Domain}}
		return set, nil
	}
	preference := make(map[string]uint16)
	rootOnly := true
	for _, mx := range records[*dns.MX](res.answer) {
		if mx.Mx == "." {
			continue
		}
		rootOnly = false
		host, err := canonical(mx.Mx)
		if err != nil {
			set.Warnings = append(set.Warnings, badHost(mx.Mx, err))
			continue
		}
		if p, known := preference[host]; !known || mx.Preference < p {
			preference[host] = mx.Preference
		}
	}
	if rootOnly {
		return MXSet{}, q.fail(ErrNullMX, nil) // RFC 7505 §3
	}
	if len(records[*dns.MX](res.answer)) > 1 && hasRoot(res.answer) {
		set.Warnings = append(set.Warnings, "a null MX beside other MX records is passed over (RFC 7505 §3 forbids it)")
	}
	set.Hosts = r.order(preference)
	if len(set.Hosts) > maxHosts {
		set.Warnings = append(set.Warnings, fmt.Sprintf("%d MX hosts: %d are used", len(set.Hosts), maxHosts))
		set.Hosts = set.Hosts[:maxHosts]
	}
	return set, nil
}

// order sorts hosts by preference. RFC 5321 §5.1 wants those of one preference spread at random: they are
// drawn once for every Resolver, so that processes differ, but a set larger than the bound does not change
// with every lookup.
func (r *Resolver) order(preference map[string]uint16) []MX {
	hosts := make([]MX, 0, len(preference))
	for host, p := range preference {
		hosts = append(hosts, MX{Host: bare(host), Preference: p})
	}
	slices.SortFunc(hosts, func(a, b MX) int {
		return cmp.Or(cmp.Compare(a.Preference, b.Preference),
			cmp.Compare(maphash.String(r.seed, a.Host), maphash.String(r.seed, b.Host)),
			cmp.Compare(a.Host, b.Host))
	})
	return hosts
}

// badHost says what is wrong with the name of an MX record. RFC 5321 §5.1: it is a domain name, whose
// address records lead on; an address in its place leads nowhere.
func badHost(name string, err error) string {
	if addr, perr := netip.ParseAddr(bare(name)); perr == nil {
		return fmt.Sprintf("an MX record names %v, an IP address, and is void: name a host, and give the host that address", addr)
	}
	return fmt.Sprintf("MX host %q %v", shorten(name), err)
}

func hasRoot(a answer) bool {
	return slices.ContainsFunc(records[*dns.MX](a), func(mx *dns.MX) bool { return mx.Mx == "." })
}

// shorten bounds a name of someone else's in a text.
func shorten(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

package mxdns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	maxAddrs = 20 // of a host
	// hostPatience bounds the wait for addresses of further hosts once one host has some.
	hostPatience = 5 * time.Second
)

// Host is a relay and its addresses.
type Host struct {
	Name       string // in lower case, without the last dot
	Preference uint16
	Addrs      []netip.Addr // IPv6 and IPv4 in turn, 20 at most; never empty in Relays
}

// Skipped is a host or an address that is not used.
type Skipped struct {
	Host   string
	Addr   netip.Addr // invalid: the host as a whole
	Reason string
	Err    error // for a host whose lookup failed
}

// Relays is all it takes to reach the relays of a domain.
type Relays struct {
	Domain   string
	Hosts    []Host    // by preference, as in MXSet
	Implicit bool      // the domain has no MX record, and is its own relay
	Expires  time.Time // of what expires first
	Refresh  time.Time // from when on a lookup gives what is cached and asks again in the background
	Stale    bool      // some of it is a last good answer
	Cause    error     // why Stale
	Skipped  []Skipped
	Warnings []string
}

// LookupRelays returns the relays of a domain with their addresses, after RFC 5321 §5.1. A host whose
// addresses cannot be looked up is skipped as long as there is another. Errors: ErrNullMX,
// ErrNoSuchDomain, ErrNoAddress, ErrTemporary, ErrInvalidName, ErrClosed.
func (r *Resolver) LookupRelays(ctx context.Context, domain string) (Relays, error) {
	set, err := r.LookupMX(ctx, domain)
	if err != nil {
		return Relays{}, err
	}
	relays, err := r.relaysOf(ctx, set)
	if !errors.Is(err, ErrNoAddress) {
		return relays, err
	}
	// What stands in DNS now leads nowhere. The last good set may not: it is tried before mail is held.
	res, mxErr := r.cache.begin(question{set.Domain + ".", dns.TypeMX}).wait(ctx)
	if mxErr != nil || res.good == nil {
		return Relays{}, err
	}
	last, mxErr := r.mxSet(question{set.Domain + ".", dns.TypeMX}, res.fallBack(err))
	if mxErr != nil {
		return Relays{}, err
	}
	if relays, lastErr := r.relaysOf(ctx, last); lastErr == nil {
		return relays, nil
	}
	return Relays{}, err
}

// relaysOf looks up the addresses of a set's hosts.
func (r *Resolver) relaysOf(ctx context.Context, set MXSet) (Relays, error) {
	relays := Relays{
		Domain: set.Domain, Implicit: set.Implicit, Expires: set.Expires, Refresh: set.Refresh,
		Stale: set.Stale, Cause: set.Cause, Warnings: set.Warnings,
	}
	lookups := make([]hostLookup, len(set.Hosts))
	for i, mx := range set.Hosts {
		lookups[i] = r.beginHost(mx.Host + ".")
	}
	answers := waitHosts(ctx, lookups)
	if !usable(answers) {
		for i := range answers {
			answers[i].useGood() // of relays that were there until now
		}
	}
	var failures []error
	for i, a := range answers {
		mx := set.Hosts[i]
		addrs, skipped := chooseAddrs(a.addrs)
		for _, s := range skipped {
			s.Host = mx.Host
			relays.Skipped = append(relays.Skipped, s)
		}
		relays.Warnings = append(relays.Warnings, a.warnings...)
		relays.Expires = earliest(relays.Expires, a.expires)
		relays.Refresh = earliest(relays.Refresh, a.refresh)
		if a.stale && !relays.Stale {
			relays.Stale, relays.Cause = true, a.cause
		}
		if len(addrs) == 0 {
			if len(skipped) == 0 {
				relays.Skipped = append(relays.Skipped, Skipped{Host: mx.Host, Reason: a.reason(), Err: a.err})
			}
			if a.err != nil {
				failures = append(failures, a.err)
			}
			continue
		}
		relays.Hosts = append(relays.Hosts, Host{Name: mx.Host, Preference: mx.Preference, Addrs: addrs})
	}
	if len(relays.Hosts) > 0 {
		return relays, nil
	}
	if len(failures) > 0 {
		kind := ErrTemporary
		if errors.Is(failures[0], ErrClosed) {
			kind = ErrClosed
		}
		return Relays{}, &Error{Type: "relays", Name: set.Domain, Kind: kind, Err: failures[0]}
	}
	return Relays{}, &Error{Type: "relays", Name: set.Domain, Kind: ErrNoAddress, Err: describe(relays.Skipped, relays.Warnings)}
}

// waitHosts waits for all hosts; once one has an address, not long for the others, and not at all for
// those that failed before: a host whose zone is out of order must not hold up the mail for the rest.
func waitHosts(ctx context.Context, lookups []hostLookup) []hostAnswer {
	answers := make([]hostAnswer, len(lookups))
	short, cancel := context.WithTimeoutCause(ctx, hostPatience, errTooSlow)
	defer cancel()
	for i, l := range lookups {
		answers[i] = l.wait(short, false)
	}
	for i, l := range lookups {
		if usable(answers) {
			break
		}
		if answers[i].late {
			answers[i] = l.wait(ctx, true)
		}
	}
	return answers
}

func usable(answers []hostAnswer) bool {
	for _, a := range answers {
		if addrs, _ := chooseAddrs(a.addrs); len(addrs) > 0 {
			return true
		}
	}
	return false
}

// chooseAddrs passes over addresses no relay can have, joins what is the same, and lets the families take
// turns, so that where one has no route, or was cut at the bound, the other is at hand.
func chooseAddrs(all []netip.Addr) (chosen []netip.Addr, skipped []Skipped) {
	var v6, v4 []netip.Addr
	seen := make(map[netip.Addr]bool, len(all))
	for _, addr := range all {
		addr = addr.Unmap() // ::ffff:192.0.2.1 in an AAAA record is reached over IPv4
		if seen[addr] {
			continue
		}
		seen[addr] = true
		if reason := unusable(addr); reason != "" {
			if len(skipped) < maxAddrs {
				skipped = append(skipped, Skipped{Addr: addr, Reason: reason})
			}
		} else if addr.Is6() {
			v6 = append(v6, addr)
		} else {
			v4 = append(v4, addr)
		}
	}
	for i := range max(len(v6), len(v4)) {
		if i < len(v6) {
			chosen = append(chosen, v6[i])
		}
		if i < len(v4) {
			chosen = append(chosen, v4[i])
		}
	}
	return chosen[:min(len(chosen), maxAddrs)], skipped
}

// unusable says why nothing can listen at an address; empty: something can.
func unusable(addr netip.Addr) string {
	switch {
	case addr.IsUnspecified() || addr.Is4() && addr.As4()[0] == 0:
		return "unspecified address"
	case addr.IsMulticast():
		return "multicast address"
	case addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "broadcast address"
	}
	return ""
}

// describe tells in a few words why nothing is left.
func describe(skipped []Skipped, warnings []string) error {
	if len(skipped) == 0 {
		return errors.New(strings.Join(append([]string{"no MX host has a valid name"}, warnings...), "; "))
	}
	s := skipped[0]
	text := fmt.Sprintf("%s: %s", s.Host, s.Reason)
	if s.Addr.IsValid() {
		text = fmt.Sprintf("%s: %v: %s", s.Host, s.Addr, s.Reason)
	}
	if more := len(skipped) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return errors.New(text)
}

func earliest(a, b time.Time) time.Time {
	if b.IsZero() || !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}

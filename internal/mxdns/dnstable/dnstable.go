// Package dnstable is DNS as a table, for tests of what looks things up by package mxdns.
package dnstable

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/internal/mxdns"
)

// A Table maps "name TYPE" to records apart by "|". The addresses of a name, of
// both families, are its records of type A. A record "servfail" is a failure; a
// name that is not there does not exist.
type Table map[string]string

func (f Table) look(name, kind string) ([]string, error) {
	v, ok := f[name+" "+kind]
	switch {
	case v == "servfail":
		return nil, &mxdns.Error{Type: kind, Name: name, Kind: mxdns.ErrTemporary}
	case ok:
		return strings.Split(v, "|"), nil
	}
	for key := range f {
		if strings.HasPrefix(key, name+" ") {
			return nil, &mxdns.Error{Type: kind, Name: name, Kind: mxdns.ErrNoRecord}
		}
	}
	return nil, &mxdns.Error{Type: kind, Name: name, Kind: mxdns.ErrNoSuchDomain}
}

// LookupTXT returns the TXT records of a name.
func (f Table) LookupTXT(_ context.Context, name string) ([]string, error) {
	return f.look(name, "TXT")
}

// LookupIP returns the addresses of one family.
func (f Table) LookupIP(_ context.Context, network, host string) (addrs []netip.Addr, err error) {
	found, err := f.look(host, "A")
	for _, s := range found {
		if a := netip.MustParseAddr(s); a.Is4() == (network == "ip4") {
			addrs = append(addrs, a)
		}
	}
	if err == nil && len(addrs) == 0 {
		err = &mxdns.Error{Type: "A", Name: host, Kind: mxdns.ErrNoRecord}
	}
	return addrs, err
}

// LookupPTR returns the names of an address.
func (f Table) LookupPTR(_ context.Context, addr netip.Addr) ([]string, error) {
	return f.look(addr.String(), "PTR")
}

// LookupMX returns the MX hosts of a domain, all of one preference.
func (f Table) LookupMX(_ context.Context, domain string) (set mxdns.MXSet, err error) {
	found, err := f.look(domain, "MX")
	if kind, ok := err.(*mxdns.Error); ok && kind.Kind == mxdns.ErrNoRecord {
		return mxdns.MXSet{Implicit: true, Hosts: []mxdns.MX{{Host: domain}}}, nil
	}
	if slices.Equal(found, []string{"."}) {
		return set, &mxdns.Error{Type: "MX", Name: domain, Kind: mxdns.ErrNullMX}
	}
	for _, host := range found {
		set.Hosts = append(set.Hosts, mxdns.MX{Host: host, Preference: 10})
	}
	return set, err
}

// LookupRelays returns the MX hosts of a domain with their addresses.
func (f Table) LookupRelays(ctx context.Context, domain string) (r mxdns.Relays, err error) {
	set, err := f.LookupMX(ctx, domain)
	if err != nil {
		return r, err
	}
	r.Implicit, r.Expires = set.Implicit, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, mx := range set.Hosts {
		v6, _ := f.LookupIP(ctx, "ip6", mx.Host)
		v4, _ := f.LookupIP(ctx, "ip4", mx.Host)
		addrs := append(v6, v4...)
		if len(addrs) == 0 {
			r.Skipped = append(r.Skipped, mxdns.Skipped{Host: mx.Host, Reason: "no such host in DNS"})
			continue
		}
		r.Hosts = append(r.Hosts, mxdns.Host{Name: mx.Host, Preference: mx.Preference, Addrs: addrs})
	}
	if len(r.Hosts) == 0 {
		return r, &mxdns.Error{Type: "relays", Name: domain, Kind: mxdns.ErrNoAddress}
	}
	return r, nil
}

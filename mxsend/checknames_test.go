package mxsend

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/internal/mxdns"
)

// fakeNames is DNS as a table: "name TYPE" to records apart by "|". A record
// "servfail" is a failure; a name that is not there does not exist.
type fakeNames map[string]string

func (f fakeNames) look(name, kind string) ([]string, error) {
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

func (f fakeNames) LookupTXT(_ context.Context, name string) ([]string, error) {
	return f.look(name, "TXT")
}

func (f fakeNames) LookupAddrs(_ context.Context, host string) (a mxdns.Addrs, err error) {
	found, err := f.look(host, "A")
	for _, s := range found {
		a.Addrs = append(a.Addrs, netip.MustParseAddr(s))
	}
	return a, err
}

func (f fakeNames) LookupPTR(_ context.Context, addr netip.Addr) ([]string, error) {
	return f.look(addr.String(), "PTR")
}

func (f fakeNames) LookupMX(_ context.Context, domain string) (set mxdns.MXSet, err error) {
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

func (f fakeNames) LookupRelays(ctx context.Context, domain string) (r mxdns.Relays, err error) {
	set, err := f.LookupMX(ctx, domain)
	if err != nil {
		return r, err
	}
	r.Implicit, r.Expires = set.Implicit, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, mx := range set.Hosts {
		a, err := f.LookupAddrs(ctx, mx.Host)
		if err != nil {
			r.Skipped = append(r.Skipped, mxdns.Skipped{Host: mx.Host, Reason: "no such host in DNS"})
			continue
		}
		r.Hosts = append(r.Hosts, mxdns.Host{Name: mx.Host, Preference: mx.Preference, Addrs: a.Addrs})
	}
	if len(r.Hosts) == 0 {
		return r, &mxdns.Error{Type: "relays", Name: domain, Kind: mxdns.ErrNoAddress}
	}
	return r, nil
}

package mxdns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// hostLookup is a host's two questions on their way.
type hostLookup struct {
	name   string
	v6, v4 pending
}

// hostAnswer is what came of them.
type hostAnswer struct {
	name     string
	addrs    []netip.Addr
	good     []netip.Addr // the last ones, where there are none now
	expires  time.Time
	refresh  time.Time
	stale    bool
	cause    error
	denied   bool  // there is no such name
	err      error // of the family that failed, if any
	late     bool  // a family was not waited for
	warnings []string
}

func (r *Resolver) beginHost(name string) hostLookup {
	return hostLookup{
		name: name,
		v6:   r.cache.begin(question{name, dns.TypeAAAA}),
		v4:   r.cache.begin(question{name, dns.TypeA}),
	}
}

// wait puts both answers together; when only one came, a warning tells why. Without patience it does not
// wait for a question that failed the last time.
func (l hostLookup) wait(ctx context.Context, patient bool) hostAnswer {
	a := hostAnswer{name: bare(l.name)}
	for _, p := range []pending{l.v6, l.v4} {
		var res result
		err := p.failing
		if patient || err == nil || p.ready() {
			res, err = p.wait(ctx)
			a.late = a.late || errors.Is(err, errTooSlow)
		} else {
			a.late = true
		}
		if err != nil {
			a.err = err
			a.expires = earliest(a.expires, time.Now().Add(minTTL)) // worth another try soon
			a.refresh = earliest(a.refresh, a.expires)
			continue
		}
		a.expires = earliest(a.expires, res.expires)
		a.refresh = earliest(a.refresh, earliest(res.refresh, res.expires))
		if res.stale && !a.stale {
			a.stale, a.cause = true, res.cause
		}
		a.denied = a.denied || res.status == noDomain
		a.addrs = append(a.addrs, addrsOf(res.answer)...)
		if res.good != nil {
			a.good = append(a.good, addrsOf(*res.good)...)
		}
		if n := len(res.aliases); n > 0 && len(a.warnings) == 0 {
			// RFC 5321 §5.1 forbids it, and everyone follows it.
			a.warnings = append(a.warnings, fmt.Sprintf("relay %s is an alias (CNAME) of %q", a.name, bare(res.aliases[n-1])))
		}
	}
	if len(a.addrs) > 0 && a.err != nil {
		a.warnings = append(a.warnings, fmt.Sprintf("relay %s: not every address could be looked up: %v", a.name, a.err))
	}
	return a
}

// useGood brings back the last good addresses where there are none now.
func (a *hostAnswer) useGood() {
	if len(a.addrs) > 0 || len(a.good) == 0 {
		return
	}
	a.addrs, a.stale = a.good, true
	if a.cause == nil {
		a.cause = &Error{Type: "A", Name: a.name, Kind: ErrNoSuchDomain}
	}
}

// reason says why a host has no address at all.
func (a hostAnswer) reason() string {
	switch {
	case a.err != nil:
		return "addresses could not be looked up"
	case a.denied:
		return "no such host in DNS"
	}
	return "host has no address"
}

// addrsOf reads the addresses out of an answer.
func addrsOf(a answer) []netip.Addr {
	var addrs []netip.Addr
	for _, rr := range a.records {
		var addr netip.Addr
		var ok bool
		switch rr := rr.(type) {
		case *dns.A:
			addr, ok = netip.AddrFromSlice(rr.A.To4())
		case *dns.AAAA:
			addr, ok = netip.AddrFromSlice(rr.AAAA.To16())
		}
		if ok {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

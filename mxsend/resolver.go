package mxsend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// A Resolver finds the relays of a mail domain. It must be safe for concurrent
// use. An error that wraps ErrNoRelay is final (the domain does not exist, or
// says by a null MX that it takes no mail); any other is temporary, and the last
// good answer stays in use.
type Resolver interface {
	LookupRelays(ctx context.Context, domain string) (Relays, error)
}

// Relays is the answer of a Resolver.
type Relays struct {
	Hosts    []Host
	Expires  time.Time // when to ask again, within a second and an hour; zero: never
	Stale    bool      // an old answer, since no new one could be had
	Warnings []string  // what an operator should mend, for the log
}

// A Host is one relay.
type Host struct {
	Name       string       // MX host name; verified against its certificate
	Preference int          // the lower, the sooner (RFC 5321 §5.1)
	Addresses  []netip.Addr // tried in this order; none: Name is looked up or, if it is an address, used
	Port       int          // zero: that of LaneConfig or Config
}

// StaticRelays returns a Resolver that always names the same relays, whatever
// the domain. Hosts without Addresses are looked up by the system's resolver each
// time.
func StaticRelays(hosts ...Host) Resolver { return staticRelays(slices.Clone(hosts)) }

type staticRelays []Host

func (s staticRelays) LookupRelays(ctx context.Context, _ string) (Relays, error) {
	if len(s) == 0 {
		return Relays{}, fmt.Errorf("%w: StaticRelays was given none", ErrNoRelay)
	}
	relays := Relays{Hosts: slices.Clone(s)}
	var errs []error
	for i := range relays.Hosts {
		h := &relays.Hosts[i]
		if len(h.Addresses) > 0 {
			continue
		}
		if a, err := netip.ParseAddr(h.Name); err == nil {
			h.Addresses = []netip.Addr{a}
			continue
		}
		relays.Expires = time.Now().Add(time.Minute)
		addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", h.Name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, a := range addresses {
			h.Addresses = append(h.Addresses, a.Unmap())
		}
	}
	relays.Hosts = slices.DeleteFunc(relays.Hosts, func(h Host) bool { return len(h.Addresses) == 0 })
	if len(relays.Hosts) == 0 {
		return Relays{}, errors.Join(errs...)
	}
	return relays, nil
}

package mxsend

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// A Resolver finds the relays of a mail domain. It must be safe for concurrent
// use. An error that wraps ErrNoRelay is final (the domain does not exist, or says
// by a null MX that it takes no mail), and the relays known until then get nothing
// new. Any other is temporary: the last good answer stays in use, for 24 hours at
// most. So does it where an answer names no host. A lookup has 30 s; a Resolver
// that does not heed ctx is left behind then.
type Resolver interface {
	LookupRelays(ctx context.Context, domain string) (Relays, error)
}

// Relays is the answer of a Resolver.
type Relays struct {
	Hosts    []Host
	Expires  time.Time // when to ask again, within a second and an hour; zero: never
	Stale    bool      // an old answer, since no new one could be had
	Cause    error     // why Stale; may be nil
	Warnings []string  // what an operator should mend, for the log
}

// A Host is one relay: those of one Name and Port are one and the same.
type Host struct {
	Name       string // MX host name, verified against its certificate; empty: the first of Addresses
	Preference int    // the lower, the sooner (RFC 5321 §5.1)
	// Addresses are tried in this order. None: the Client uses Name, if it is an
	// address, or asks the system's resolver for Name, once a minute.
	Addresses []netip.Addr
	Port      int // zero: that of LaneConfig or Config
}

// StaticRelays returns a Resolver that always names the same relays, whatever
// the domain.
func StaticRelays(hosts ...Host) Resolver { return staticRelays(slices.Clone(hosts)) }

type staticRelays []Host

func (s staticRelays) LookupRelays(context.Context, string) (Relays, error) {
	if len(s) == 0 {
		return Relays{}, fmt.Errorf("%w: StaticRelays was given none", ErrNoRelay)
	}
	return Relays{Hosts: slices.Clone(s)}, nil
}

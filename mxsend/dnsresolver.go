package mxsend

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/mxsend/go-mxsend/internal/mxdns"
)

// NewResolver returns a Resolver that asks DNS for MX and address records and
// keeps their TTLs (at least 5 s, at most an hour), as RFC 5321 §5.1 wants. It
// asks the name servers given ("192.0.2.53", "[2001:db8::53]:5353"), or the
// system's; where it finds none it falls back to net.Resolver. While they fail,
// the last good answer is used and marked Stale. A malformed server is an error
// of New. It is safe for concurrent use.
func NewResolver(servers ...string) Resolver { return NewResolverVia(nil, servers...) }

// NewResolverVia is NewResolver with a function that connects to the name servers:
// in a test the Dial of a mxtest.Cluster, elsewhere one that chooses a source
// address, say. It is called with "udp" and, where an answer was truncated, "tcp";
// over "udp" it must return a net.PacketConn, as package net does. Nil: a net.Dialer.
// Config.Check.NameServers are asked through it, too.
func NewResolverVia(dial func(ctx context.Context, network, address string) (net.Conn, error), servers ...string) Resolver {
	r, err := mxdns.New(mxdns.Config{Servers: servers, Dial: dial})
	return &dnsResolver{resolver: r, dial: dial, err: err}
}

type dnsResolver struct {
	resolver *mxdns.Resolver
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	err      error // of the configuration

	mu    sync.Mutex // guards users
	users int        // Clients
}

// use and leave count the Clients: when there is none any more, nothing of the
// Resolver is left running either.
func (d *dnsResolver) use() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users++
}

func (d *dnsResolver) leave() {
	d.mu.Lock()
	d.users--
	last := d.users == 0
	d.mu.Unlock()
	if last {
		d.resolver.Interrupt()
	}
}

func (d *dnsResolver) LookupRelays(ctx context.Context, domain string) (Relays, error) {
	if d.err != nil {
		return Relays{}, d.err
	}
	found, err := d.resolver.LookupRelays(ctx, domain)
	if err != nil {
		return Relays{}, explainLookup(domain, err)
	}
	relays := Relays{Expires: found.Expires, Stale: found.Stale, Cause: found.Cause, Warnings: found.Warnings}
	for _, h := range found.Hosts {
		relays.Hosts = append(relays.Hosts, Host{Name: h.Name, Preference: int(h.Preference), Addresses: h.Addrs})
	}
	for _, s := range found.Skipped {
		what := s.Host
		if s.Addr.IsValid() {
			what += " " + s.Addr.String()
		}
		relays.Warnings = append(relays.Warnings, what+" is skipped: "+s.Reason)
	}
	return relays, nil
}

// explainLookup marks what is final, and says what to do about it.
func explainLookup(domain string, err error) error {
	const advice = "point Config.Domain at the mail domain whose MX records name your relays, or set Config.Resolver: mxsend.StaticRelays(…)"
	switch {
	case errors.Is(err, mxdns.ErrNullMX):
		return fmt.Errorf("%w: %q has a null MX record, which says that it takes no mail: %s: %w", ErrNoRelay, domain, advice, err)
	case errors.Is(err, mxdns.ErrNoSuchDomain):
		return fmt.Errorf("%w: the domain %q does not exist in DNS: %s: %w", ErrNoRelay, domain, advice, err)
	case errors.Is(err, mxdns.ErrNoAddress):
		return fmt.Errorf("%w: no MX host of %q has a usable address: %w", ErrNoRelay, domain, err)
	case errors.Is(err, mxdns.ErrInvalidName):
		return fmt.Errorf("%w: %q is no domain name: %w", ErrNoRelay, domain, err)
	}
	return err
}

package senderauth

import (
	"context"
	"net/netip"
	"slices"
)

// A Reverse is what reverse DNS says of an address.
type Reverse struct {
	Names     []string // of its PTR records; the first ten (RFC 7208 §4.6.4)
	Confirmed []string // those that have the address
	Unsure    error    // why one could not be looked up
}

// LookUpReverse looks up an address's names, and which of them have the address.
func LookUpReverse(ctx context.Context, names Names, ip netip.Addr) (r Reverse, err error) {
	const most = 10
	found, err := names.LookupPTR(ctx, ip)
	if err != nil {
		return r, err
	}
	for _, name := range found[:min(len(found), most)] {
		name = canonical(name)
		r.Names = append(r.Names, name)
		addrs, err := names.LookupIP(ctx, family(ip), name)
		if slices.Contains(addrs, ip) {
			r.Confirmed = append(r.Confirmed, name)
		} else if err != nil && !nothingThere(err) {
			r.Unsure = err
		}
	}
	return r, nil
}

// family is the network of LookupIP that an address is of.
func family(ip netip.Addr) string {
	if ip.Is4() {
		return "ip4"
	}
	return "ip6"
}

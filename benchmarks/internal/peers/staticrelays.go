package peers

import (
	"net/netip"

	"github.com/mxsend/go-mxsend/mxsend"
)

// StaticRelays are two relays of Domain that are both at an address, ip:port.
func StaticRelays(address string) ([]mxsend.Host, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	return []mxsend.Host{
		{Name: "p1." + Domain, Addresses: []netip.Addr{at.Addr()}, Port: int(at.Port())},
		{Name: "p2." + Domain, Addresses: []netip.Addr{at.Addr()}, Port: int(at.Port())},
	}, nil
}

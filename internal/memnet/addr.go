package memnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// The ports handed out where none is asked for (RFC 6335 §6: the dynamic ports).
const (
	firstPort = 49152
	lastPort  = 65535
)

// parseAddress reads "ip:port" for a network such as "tcp", "tcp4" or "udp6". An empty host is the
// unspecified address.
func parseAddress(network, kind, address string) (netip.AddrPort, error) {
	family, ok := strings.CutPrefix(network, kind)
	if !ok || (family != "" && family != "4" && family != "6") {
		return netip.AddrPort{}, net.UnknownNetworkError(network)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if host == "" {
		host = "::"
		if family == "4" {
			host = "0.0.0.0"
		}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, &net.AddrError{Err: "memnet resolves no names: give an IP address", Addr: address}
	}
	ip = ip.Unmap()
	if (family == "4" && !ip.Is4()) || (family == "6" && !ip.Is6()) {
		return netip.AddrPort{}, &net.AddrError{Err: "not an address of " + network, Addr: address}
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, &net.AddrError{Err: "port is no number of 0 to 65535", Addr: address}
	}
	return netip.AddrPortFrom(ip, uint16(number)), nil
}

// freePortLocked returns addr with a port for which used is false. Network.mu is held.
func (n *Network) freePortLocked(ip netip.Addr, used func(netip.AddrPort) bool) (netip.AddrPort, error) {
	for range lastPort - firstPort + 1 {
		if n.lastPort == lastPort {
			n.lastPort = firstPort - 1
		}
		n.lastPort++
		if addr := netip.AddrPortFrom(ip, n.lastPort); !used(addr) {
			return addr, nil
		}
	}
	return netip.AddrPort{}, os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)
}

// localIP is the address a host without a name of its own dials from to reach remote.
func localIP(remote netip.Addr) netip.Addr {
	if remote.Is6() {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

func tcpAddr(a netip.AddrPort) *net.TCPAddr { return net.TCPAddrFromAddrPort(a) }
func udpAddr(a netip.AddrPort) *net.UDPAddr { return net.UDPAddrFromAddrPort(a) }

// parseLocal reads the IP address to dial from; empty is the loopback address of remote's family.
func parseLocal(local string, remote netip.Addr) (netip.Addr, error) {
	if local == "" {
		return localIP(remote), nil
	}
	ip, err := netip.ParseAddr(local)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("local address: %w", err)
	}
	if ip = ip.Unmap(); ip.Is4() != remote.Is4() {
		return netip.Addr{}, errors.New("local and remote address are of different families")
	}
	return ip, nil
}

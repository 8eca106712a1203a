package memnet

import (
	"net"
	"net/netip"
	"os"
	"syscall"
)

// sysError gives an errno the form in which it comes out of a system call.
func sysError(call string, err error) error {
	if errno, ok := err.(syscall.Errno); ok {
		return os.NewSyscallError(call, errno)
	}
	return err
}

func dialError(network string, remote netip.AddrPort, err error) error {
	op := &net.OpError{Op: "dial", Net: network, Err: sysError("connect", err)}
	if remote.IsValid() {
		op.Addr = tcpAddr(remote)
	}
	return op
}

func listenError(network string, addr netip.AddrPort, err error) error {
	op := &net.OpError{Op: "listen", Net: network, Err: sysError("bind", err)}
	if addr.IsValid() {
		op.Addr = tcpAddr(addr)
	}
	return op
}

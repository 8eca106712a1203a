package mxsend

import "syscall"

// dialControl sets TCP_USER_TIMEOUT to 30 s: a relay that vanished without a
// word is noticed by the kernel once octets stay unacknowledged that long. An
// error is of no consequence, the deadlines still hold.
func dialControl(_, _ string, raw syscall.RawConn) error {
	const tcpUserTimeout = 18 // of linux/tcp.h, in milliseconds; syscall does not name it
	return raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, 30_000)
	})
}

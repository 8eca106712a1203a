//go:build !linux

package mxsend

import "syscall"

// dialControl does nothing where there is no TCP_USER_TIMEOUT.
func dialControl(_, _ string, _ syscall.RawConn) error { return nil }

//go:build !unix

package pgserver

import "syscall"

// giveAway does nothing: the tests run as a user whose Postgres may be started.
func giveAway(string) (*syscall.SysProcAttr, error) { return nil, nil }

package mxsend

import (
	"errors"
	"io"
	"net"
	"time"
)

// A guarded connection is the user's, by Config.Dial, or has parts that are, by
// Config.TLSConfig: what panics in it, or counts wrongly, ends that connection and
// nothing else.
type guarded struct{ net.Conn }

const foreign = "a connection of Config.Dial or a function of Config.TLSConfig"

var errCount = errors.New(foreign + " counted octets wrongly")

func (g guarded) Read(p []byte) (n int, err error) {
	defer recovered(foreign, &err)
	n, err = g.Conn.Read(p)
	if n < 0 || n > len(p) {
		return 0, errCount
	}
	return n, err
}

// Write takes all of p for written where that is not known: then it is in doubt.
func (g guarded) Write(p []byte) (n int, err error) {
	defer recovered(foreign, &err)
	n = len(p)
	m, err := g.Conn.Write(p)
	if m < 0 || m > len(p) {
		return n, errCount
	}
	if m < len(p) && err == nil {
		err = io.ErrShortWrite
	}
	return m, err
}

func (g guarded) Close() (err error) {
	defer recovered(foreign, &err)
	return g.Conn.Close()
}

func (g guarded) SetDeadline(t time.Time) (err error) {
	defer recovered(foreign, &err)
	return g.Conn.SetDeadline(t)
}

func (g guarded) SetReadDeadline(t time.Time) (err error) {
	defer recovered(foreign, &err)
	return g.Conn.SetReadDeadline(t)
}

func (g guarded) SetWriteDeadline(t time.Time) (err error) {
	defer recovered(foreign, &err)
	return g.Conn.SetWriteDeadline(t)
}

package mxsend

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpsession"
	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// A guarded connection is the user's, by Config.Dial, or has parts that are, by
// Config.TLSConfig: what panics in it, or counts wrongly, ends that connection and
// nothing else.
type guarded struct{ net.Conn }

const foreign = "a connection of Config.Dial or a function of Config.TLSConfig"

// A connError is an error of such a connection. What it is is asked of it here, where no
// lock of the Client is held, since asking may run the user's code.
type connError struct {
	error
	timeout bool
}

func foreignError(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	var slow net.Error
	return &connError{err, errors.As(err, &slow) && slow.Timeout()}
}

func (e *connError) Unwrap() error   { return e.error }
func (e *connError) Timeout() bool   { return e.timeout }
func (e *connError) Temporary() bool { return e.timeout } // crypto/tls asks it

// lost says whether a connection with that error is merely gone, closed or reset
// or by a 421. A relay that is silent, or talks nonsense, is not well. It runs nothing
// of the user's.
func lost(err error) bool {
	var foreign *connError
	if errors.As(err, &foreign) {
		return !foreign.timeout
	}
	return err != smtpsession.ErrTimeout && !errors.Is(err, smtpwire.ErrProtocol)
}

var errCount = errors.New(foreign + " counted octets wrongly")

func (g guarded) Read(p []byte) (n int, err error) {
	defer recovered(foreign, &err)
	n, err = g.Conn.Read(p)
	if n < 0 || n > len(p) {
		return 0, errCount
	}
	return n, foreignError(err)
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
	return m, foreignError(err)
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

//go:build !linux

package sink

import (
	"net"
	"sync/atomic"
)

// A Sink serves on a listener until the process ends.
type Sink struct {
	sessions, accepted, octets, turns atomic.Int64
}

// Serve serves each connection on a goroutine: it returns only with an error.
func (s *Sink) Serve(l *net.TCPListener) error {
	for {
		nc, err := l.AcceptTCP()
		if err != nil {
			return err
		}
		s.sessions.Add(1)
		go s.serve(nc)
	}
}

func (s *Sink) serve(nc net.Conn) {
	defer nc.Close()
	if _, err := nc.Write([]byte(greeting)); err != nil {
		return
	}
	buf, out, x := make([]byte, 256<<10), []byte(nil), &session{}
	for !x.quit {
		held := copy(buf, x.rest)
		n, err := nc.Read(buf[held:])
		if err != nil {
			return
		}
		var rest []byte
		rest, out = x.take(buf[:held+n], out[:0])
		x.rest = append(x.rest[:0], rest...)
		s.accepted.Add(x.accepted)
		s.octets.Add(x.octets)
		x.accepted, x.octets = 0, 0
		if len(out) > 0 {
			s.turns.Add(1)
			if _, err := nc.Write(out); err != nil {
				return
			}
		}
	}
}

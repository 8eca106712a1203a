package mxtest

import (
	"net"
	"time"
)

// maxSessions bounds the connections of a relay, those included that wait for a process of smtpd: more are closed at once. (A
// kernel's backlog is shorter, with Postfix as long as the process limit, and beyond it connecting itself hangs.)
const maxSessions = 4096

// serve accepts clients until the listener is closed.
func (r *Relay) serve(listener net.Listener, address string) {
	r.mu.Lock()
	r.listener, r.listen = listener, address
	r.mu.Unlock()
	r.c.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s := &session{r: r, conn: conn, addr: hostOf(conn), ended: make(chan struct{})}
			r.mu.Lock()
			if r.listener != listener {
				r.mu.Unlock()
				conn.Close()
				return
			}
			if len(r.sessions) >= maxSessions {
				r.mu.Unlock()
				conn.Close()
				continue
			}
			r.sessions[s] = struct{}{}
			r.admission.enter(s, r.limits)
			if r.c.cfg.Transcripts {
				s.log = &transcript{now: r.e.now}
				r.transcripts = append(r.transcripts, s.log)
			}
			r.mu.Unlock()
			r.c.wg.Go(func() {
				s.serve()
				r.mu.Lock()
				delete(r.sessions, s)
				r.admission.leave(s, r.e.now())
				r.mu.Unlock()
				if log := r.c.cfg.Logger; log != nil {
					log.Debug("session ended", "relay", r.name, "client", s.helo, "after", time.Since(r.e.start))
				}
			})
		}
	})
}

// unserve stops accepting.
func (r *Relay) unserve() {
	r.mu.Lock()
	listener := r.listener
	r.listener = nil
	r.mu.Unlock()
	if listener != nil {
		listener.Close()
	}
}

// serving reports whether the relay accepts clients.
func (r *Relay) serving() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.listener != nil
}

// hostOf is the IP address at the other end of a connection.
func hostOf(conn net.Conn) string {
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		return conn.RemoteAddr().String()
	}
	return host
}

package mxtest

import (
	"slices"
	"time"
)

// An admission decides which of a relay's clients are served, which wait and which are turned away. Relay.mu guards it.
//
// It is Postfix's order. Limits.Connections comes first and at once, as postscreen's limit does. Then a client waits for a
// process of smtpd: connections beyond smtpd_process_limit stay in the kernel's backlog, which is first in, first out, and
// hear nothing, not even a greeting. The process then asks anvil, which counts by client address, and only those served.
type admission struct {
	processes int // smtpd_process_limit
	inside    int // sessions not turned away, waiting ones included
	served    int
	waiting   []*session // longest wait first
	clients   map[string]*clientCount
}

// A clientCount is what anvil knows of a client address.
type clientCount struct {
	open     int           // sessions served now
	since    time.Duration // start of the second that the counts below are of
	connects int
	mails    int
}

// enter takes a new session in: it is served, or it waits. It reports false for one too many.
func (a *admission) enter(s *session, l Limits) bool {
	if l.Connections > 0 && a.inside >= l.Connections {
		return false
	}
	a.inside++
	s.turn = make(chan struct{})
	a.waiting = append(a.waiting, s)
	a.advance()
	return true
}

// advance gives free processes to those who have waited longest.
func (a *admission) advance() {
	for a.served < a.processes && len(a.waiting) > 0 {
		s := a.waiting[0]
		a.waiting = slices.Delete(a.waiting, 0, 1)
		a.served++
		s.served = true
		close(s.turn)
	}
}

// greet counts a session that is being served, and reports whether its client is within its limits.
func (a *admission) greet(s *session, now time.Duration, l Limits) bool {
	v := a.count(s.addr, now)
	s.counted = true
	v.open++
	v.connects++
	return (l.ClientConnections == 0 || v.open <= l.ClientConnections) && (l.ConnectionRate == 0 || v.connects <= l.ConnectionRate)
}

// mail counts a mail from a client, and reports whether it is within the limit.
func (a *admission) mail(client string, now time.Duration, l Limits) bool {
	v := a.count(client, now)
	v.mails++
	return l.MessageRate == 0 || v.mails <= l.MessageRate
}

// count finds or makes the record of a client. As in anvil, a second starts with the first event after the last one.
func (a *admission) count(client string, now time.Duration) *clientCount {
	v := a.clients[client]
	if v == nil {
		if a.clients == nil {
			a.clients = map[string]*clientCount{}
		}
		v = &clientCount{since: now}
		a.clients[client] = v
	}
	if now-v.since >= time.Second {
		v.since, v.connects, v.mails = now, 0, 0
	}
	return v
}

// leave ends a session that had entered.
func (a *admission) leave(s *session, now time.Duration) {
	if s.turn == nil {
		return
	}
	a.inside--
	if s.counted {
		v := a.clients[s.addr]
		if v.open--; v.open == 0 && now-v.since >= time.Second {
			delete(a.clients, s.addr)
		}
	}
	if s.served {
		a.served--
		a.advance()
	} else {
		a.waiting = slices.DeleteFunc(a.waiting, func(w *session) bool { return w == s })
	}
}

// Sessions is the number of open client sessions, those included that wait for their greeting.
func (r *Relay) Sessions() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sessions)
}

// Waiting is how many of Sessions wait for a process of smtpd (see RelayConfig.SMTPDProcessLimit), longest wait first
// to be greeted.
func (r *Relay) Waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.admission.waiting)
}

package mxtest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// A session is a client's session with a relay. One goroutine serves it.
type session struct {
	r     *Relay
	conn  net.Conn // as accepted
	addr  string   // the client's
	quiet atomic.Bool
	ended chan struct{} // closed by reset
	once  atomic.Bool
	c     *smtpwire.ServerConn

	helo, user string
	tls, esmtp bool
	junk       int
	mail       bool // a transaction is open
	env        envelope
	buf        []byte // content is read into it
	log        *transcript

	turn    chan struct{} // closed when a process is free for it; nil: it is turned away
	served  bool          // its turn has come; guarded by Relay.mu
	counted bool          // as its client's; guarded by Relay.mu
}

// serve runs the session to its end.
func (s *session) serve() {
	defer s.conn.Close()
	defer s.abort()
	if s.turn != nil {
		select {
		case <-s.turn:
		case <-s.ended:
			return
		}
	}
	s.c = smtpwire.NewServerConn(quietConn{s.conn, s})
	s.c.SetTimeout(s.r.cfg.SMTPDTimeout)
	if s.log != nil {
		s.c.SetTrace(s.log.add)
	}
	if s.r.cfg.SMTPDTLSWrapperMode {
		if !s.handshake(Fault{}) {
			return
		}
	}
	if refusal := s.refusal(); refusal != "" {
		s.c.Reply(421, "4.7.0", s.r.name+" Error: "+refusal)
		s.c.Flush()
		return
	}
	if !s.at(AtGreeting, func() bool { s.c.Reply(220, "", s.r.name+" ESMTP Postfix"); return true }) {
		s.c.Flush()
		return
	}
	for s.next() {
	}
	s.c.Flush()
}

// refusal says why the client is turned away, or nothing.
func (s *session) refusal() string {
	if s.turn == nil {
		return "too many connections"
	}
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if !s.r.admission.greet(s, s.r.e.now(), s.r.limitLocked()) {
		return "too many connections from " + s.addr
	}
	return ""
}

// next serves a command, and reports whether the session goes on.
func (s *session) next() bool {
	if idle := s.r.limit().Idle; idle > 0 {
		s.c.SetTimeout(idle)
	}
	line, err := s.c.ReadLine()
	if err != nil {
		if errors.Is(err, smtpwire.ErrServerLine) {
			s.c.Reply(500, "5.5.2", "Error: line too long")
			return true
		}
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			s.c.Reply(421, "4.4.2", s.r.name+" Error: timeout exceeded")
		}
		return false
	}
	s.c.SetTimeout(s.r.cfg.SMTPDTimeout)
	cmd := smtpwire.ParseServerCommand(line)
	switch cmd.Verb {
	case "EHLO", "HELO":
		return s.at(AtEHLO, func() bool { return s.hello(cmd) })
	case "MAIL":
		return s.at(AtMail, func() bool { return s.mailFrom(cmd.Arg) })
	case "RCPT":
		return s.rcptTo(cmd.Arg)
	case "DATA":
		return s.data(cmd.Arg)
	case "STARTTLS":
		return s.startTLS(cmd.Arg)
	case "AUTH":
		return s.at(AtAuth, func() bool { return s.auth(cmd.Arg) })
	case "QUIT":
		s.c.Reply(221, "2.0.0", "Bye")
		return false
	case "RSET":
		s.abort()
		s.c.Reply(250, "2.0.0", "Ok")
		return s.tolerate()
	case "NOOP":
		s.c.Reply(250, "2.0.0", "Ok")
		return s.tolerate()
	case "VRFY":
		s.c.Reply(252, "2.0.0", "Cannot VRFY")
		return s.tolerate()
	case "ETRN":
		s.c.Reply(458, "4.3.0", "Unable to queue messages")
		return s.tolerate()
	}
	s.c.Reply(500, "5.5.2", "Error: command not recognized")
	return s.tolerate()
}

// tolerate counts commands that lead nowhere (smtpd_junk_command_limit).
func (s *session) tolerate() bool {
	if s.junk++; s.junk <= s.r.cfg.SMTPDJunkCommandLimit {
		return true
	}
	s.c.Queued()
	s.c.Reply(421, "4.7.0", s.r.name+" Error: too many errors")
	return false
}

// hello answers EHLO and HELO.
func (s *session) hello(cmd smtpwire.ServerCommand) bool {
	if cmd.Arg == "" {
		s.c.Reply(501, "", "Syntax: "+cmd.Verb+" hostname")
		return true
	}
	s.abort()
	s.helo, s.esmtp = cmd.Arg, cmd.Verb == "EHLO"
	if !s.esmtp {
		s.c.Reply(250, "", s.r.name)
		return true
	}
	lines := []string{s.r.name, "PIPELINING", "SIZE " + strconv.Itoa(s.maxSize()), "VRFY", "ETRN"}
	if _, stripped := s.r.fault(AtStartTLS, func(k FaultKind) bool { return k == TLSStripped }, nil); s.offersTLS() && !stripped {
		lines = append(lines, "STARTTLS")
	}
	if len(s.r.c.cfg.Users) > 0 && s.tls {
		lines = append(lines, "AUTH PLAIN LOGIN")
	}
	lines = append(lines, "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8")
	s.c.Reply(250, "", lines...)
	return true
}

func (s *session) offersTLS() bool { return !s.tls && s.r.cfg.SMTPDTLSSecurityLevel != "none" }

func (s *session) maxSize() int {
	size := s.r.cfg.MessageSizeLimit
	if l := s.r.limit().MessageSize; l > 0 && l < size {
		size = l
	}
	return size
}

// startTLS answers STARTTLS, and shakes hands.
func (s *session) startTLS(arg string) bool {
	f, faulty := s.r.fault(AtStartTLS, func(k FaultKind) bool { return k != TLSStripped }, nil)
	if faulty && plain(f.Kind) {
		return s.strike(f, func() bool { return s.startTLS(arg) })
	}
	switch {
	case arg != "":
		s.c.Reply(501, "5.5.4", "Syntax: STARTTLS")
		return true
	case s.tls:
		s.c.Reply(554, "5.5.1", "Error: TLS already active")
		return true
	case !s.offersTLS():
		s.c.Reply(502, "5.5.1", "Error: command not implemented")
		return true
	case faulty && f.Kind == TLSRefused:
		s.c.Reply(454, "4.7.0", "TLS not available due to local problem")
		return true
	}
	s.abort()
	s.c.Reply(220, "2.0.0", "Ready to start TLS")
	switch f.Kind {
	case TLSInjected:
		s.c.Raw("250 2.0.0 injected in clear\r\n")
	case TLSHang:
		s.c.Flush()
		s.stall()
		return false
	}
	if err := s.c.Flush(); err != nil {
		return false
	}
	return s.handshake(f)
}

// handshake goes over to TLS.
func (s *session) handshake(f Fault) bool {
	err := s.c.Upgrade(func(conn net.Conn) net.Conn { return tls.Server(conn, s.r.c.certs.server(s.r, f.Kind)) })
	if err != nil {
		return false
	}
	t := s.c.Conn().(*tls.Conn)
	t.SetDeadline(time.Now().Add(s.r.cfg.SMTPDTimeout))
	if err := t.Handshake(); err != nil {
		if s.log != nil {
			s.log.note("TLS handshake failed: " + err.Error())
		}
		return false
	}
	t.SetDeadline(time.Time{})
	s.tls, s.esmtp, s.helo, s.user = true, false, "", ""
	if s.log != nil {
		s.log.note("TLS established")
	}
	return true
}

// at carries out act at a stage, unless a fault strikes there.
func (s *session) at(stage Stage, act func() bool) bool {
	f, ok := s.r.fault(stage, plain, s.env.recipients)
	if !ok {
		return act()
	}
	return s.strike(f, act)
}

// strike does what a fault says in place of act, or around it.
func (s *session) strike(f Fault, act func() bool) bool {
	if err := s.c.Flush(); err != nil {
		return false
	}
	if s.log != nil {
		s.log.note(fmt.Sprintf("fault: %v at %v", f.Kind, f.At))
	}
	switch f.Kind {
	case Delay:
		return s.pause(f.Wait) && act()
	case Loris:
		on := act()
		for _, b := range s.c.Queued() {
			if !s.pause(f.Wait) {
				return false
			}
			s.c.Raw(string(b))
			if s.c.Flush() != nil {
				return false
			}
		}
		return on
	case Raw:
		on := act()
		s.c.Queued()
		s.c.Raw(f.Reply)
		return on
	}
	if f.Keep {
		act()
		s.c.Queued()
	}
	switch f.Kind {
	case Answer:
		lines := strings.Split(f.Reply, "\n")
		for i, line := range lines {
			if i < len(lines)-1 && len(line) > 3 {
				line = line[:3] + "-" + line[4:]
			}
			s.c.Raw(line + "\r\n")
		}
		return !strings.HasPrefix(f.Reply, "421") && f.At != AtContent && (f.At != AtGreeting || f.Reply[0] == '2')
	case RawCut:
		s.c.Raw(f.Reply)
	case Reset:
		s.reset()
	case Stall:
		s.stall()
	}
	return false
}

// pause waits, and reports whether the session is still there.
func (s *session) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ended:
		return false
	}
}

// stall waits for the session's end.
func (s *session) stall() { <-s.ended }

// reset ends the connection as an abort does.
func (s *session) reset() {
	if s.once.Swap(true) {
		return
	}
	close(s.ended)
	switch conn := s.conn.(type) {
	case *net.TCPConn:
		conn.SetLinger(0)
		conn.Close()
	case interface{ Reset() }:
		conn.Reset()
	default:
		conn.Close()
	}
}

// silence makes the connection swallow everything, as a host does that is off the network.
func (s *session) silence() { s.quiet.Store(true) }

func (s *session) silenced() bool { return s.quiet.Load() }

// A quietConn is a session's connection, which may fall silent.
type quietConn struct {
	net.Conn
	s *session
}

func (c quietConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.s.quiet.Load() {
		c.s.stall()
		return 0, net.ErrClosed
	}
	return n, err
}

func (c quietConn) Write(p []byte) (int, error) {
	if c.s.quiet.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

package mxtest

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// abort ends an open transaction without a mail.
func (s *session) abort() {
	if s.mail {
		s.mail = false
		s.r.e.transactionEnded(s.r)
	}
	s.env = envelope{}
}

// mailFrom answers MAIL.
func (s *session) mailFrom(arg string) bool {
	switch {
	case s.helo == "":
		s.c.Reply(503, "5.5.1", "Error: send HELO/EHLO first")
		return true
	case s.mail:
		s.c.Reply(503, "5.5.1", "Error: nested MAIL command")
		return true
	case s.r.cfg.SMTPDTLSSecurityLevel == "encrypt" && !s.tls:
		s.c.Reply(530, "5.7.0", "Must issue a STARTTLS command first")
		return true
	}
	path, err := smtpwire.ParseServerPath(arg, "FROM")
	if err != nil {
		s.c.Reply(501, "5.1.7", "Bad sender address syntax")
		return true
	}
	env := envelope{returnPath: path.Address, client: s.helo, clientAddr: s.addr, user: s.user, tls: s.tls, esmtp: s.esmtp}
	for _, p := range path.Params {
		if problem := s.mailParam(&env, p); problem.code != 0 {
			s.c.Reply(problem.code, problem.status, problem.text)
			return true
		}
	}
	if l := s.r.limit(); l.Messages > 0 || l.MessageRate > 0 {
		if q := s.r.Queues(); l.Messages > 0 && q.Incoming+q.Active+q.Deferred >= l.Messages {
			s.c.Reply(452, "4.3.1", "Insufficient system storage")
			return true
		}
		if !s.within(l) {
			s.c.Reply(450, "4.7.1", "Error: too much mail from "+env.clientAddr)
			return true
		}
	}
	s.mail, s.env = true, env
	s.r.e.open.Add(1)
	s.r.open.Add(1)
	s.c.Reply(250, "2.1.0", "Ok")
	return true
}

// within counts a mail against its client's rate.
func (s *session) within(l Limits) bool {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	return s.r.admission.mail(s.addr, s.r.e.now(), l)
}

// mailParam reads a parameter of MAIL.
func (s *session) mailParam(env *envelope, p smtpwire.ServerParam) reply {
	switch p.Keyword {
	case "SIZE":
		n, err := strconv.ParseUint(p.Value, 10, 63)
		if err != nil {
			return reply{501, "5.5.4", "Bad message size syntax"}
		}
		if n > uint64(s.maxSize()) {
			return reply{552, "5.3.4", "Message size exceeds fixed limit"}
		}
	case "BODY":
		if b := strings.ToUpper(p.Value); b != "7BIT" && b != "8BITMIME" {
			return reply{501, "5.5.4", "Error: bad BODY value"}
		}
	case "SMTPUTF8":
		env.utf8 = true
	case "RET":
		switch strings.ToUpper(p.Value) {
		case "HDRS":
			env.headers = true
		case "FULL":
		default:
			return reply{501, "5.5.4", "Bad RET parameter syntax"}
		}
	case "ENVID":
		id, err := smtpwire.DecodeXtext(p.Value)
		if err != nil || id == "" {
			return reply{501, "5.5.4", "Bad ENVID parameter syntax"}
		}
		env.envelopeID = id
	case "AUTH":
	default:
		return reply{555, "5.5.4", "Unsupported option: " + p.Keyword}
	}
	return reply{}
}

// rcptTo answers RCPT.
func (s *session) rcptTo(arg string) bool {
	path, err := smtpwire.ParseServerPath(arg, "TO")
	to := envelopeRcpt{address: path.Address}
	return s.atRecipient(to, func() bool {
		_, domain, _ := cutLast(path.Address, '@')
		switch limit := s.maxRecipients(); {
		case !s.mail:
			s.c.Reply(503, "5.5.1", "Error: need MAIL command")
		case err != nil || domain == "":
			s.c.Reply(501, "5.1.3", "Bad recipient address syntax")
		case len(s.r.c.cfg.Users) > 0 && s.user == "":
			s.c.Reply(554, "5.7.1", "<"+path.Address+">: Relay access denied")
		case len(s.env.recipients) >= limit:
			s.c.Reply(452, "4.5.3", "Error: too many recipients")
		default:
			for _, p := range path.Params {
				if !rcptParam(&to, p) {
					s.c.Reply(501, "5.5.4", "Bad "+p.Keyword+" parameter syntax")
					return true
				}
			}
			s.env.recipients = append(s.env.recipients, to)
			s.c.Reply(250, "2.1.5", "Ok")
		}
		return true
	})
}

// atRecipient is at for the recipient of the moment.
func (s *session) atRecipient(to envelopeRcpt, act func() bool) bool {
	if s.r.faulty.Load() == 0 {
		return act()
	}
	if f, ok := s.r.fault(AtRcpt, plain, []envelopeRcpt{to}); ok {
		return s.strike(f, act)
	}
	return act()
}

func (s *session) maxRecipients() int {
	n := s.r.cfg.SMTPDRecipientLimit
	if l := s.r.limit().Recipients; l > 0 && l < n {
		n = l
	}
	return n
}

// rcptParam reads a parameter of RCPT.
func rcptParam(to *envelopeRcpt, p smtpwire.ServerParam) bool {
	switch p.Keyword {
	case "NOTIFY":
		to.notify = notifyGiven
		for word := range strings.SplitSeq(strings.ToUpper(p.Value), ",") {
			switch word {
			case "SUCCESS":
				to.notify |= notifySuccess
			case "FAILURE":
				to.notify |= notifyFailure
			case "DELAY":
				to.notify |= notifyDelay
			case "NEVER":
				to.notify |= notifyNever
			default:
				return false
			}
		}
		return to.notify&notifyNever == 0 || to.notify == notifyGiven|notifyNever
	case "ORCPT":
		kind, address, ok := strings.Cut(p.Value, ";")
		decoded, err := smtpwire.DecodeXtext(address)
		to.original = kind + ";" + decoded
		return ok && err == nil && !strings.ContainsAny(decoded, "\r\n")
	}
	return false
}

// maxScratch bounds the buffer that a session keeps for the next content.
const maxScratch = 256 << 10

// data answers DATA, and takes the content.
func (s *session) data(arg string) bool {
	early := s.c.Pending()
	ready := false
	on := s.at(AtData, func() bool {
		switch {
		case !s.mail:
			s.c.Reply(503, "5.5.1", "Error: need RCPT command")
		case len(s.env.recipients) == 0:
			s.c.Reply(554, "5.5.1", "Error: no valid recipients")
		case arg != "":
			s.c.Reply(501, "5.5.4", "Syntax: DATA")
		case early:
			// RFC 2920 §3.1: DATA is the last command of a group. Postfix, where it looks, ends the session.
			s.c.Reply(554, "5.5.0", "Error: SMTP protocol synchronization")
			return false
		default:
			s.c.Reply(354, "", "End data with <CR><LF>.<CR><LF>")
			ready = true
		}
		return true
	})
	if !on || !ready {
		return on
	}
	if f, ok := s.r.fault(AtContent, plain, s.env.recipients); ok {
		if s.c.Await() != nil {
			return false
		}
		return s.strike(f, nil)
	}
	content, err := s.c.ReadContent(s.buf[:0], s.maxSize())
	if err != nil {
		return false
	}
	if cap(content.Octets) <= maxScratch {
		s.buf = content.Octets
	}
	s.env.bareLF = content.BareLF
	on = s.at(AtDot, func() bool { return s.queue(content) })
	s.abort()
	if !on {
		return false
	}
	if f, ok := s.r.fault(AtIdle, plain, nil); ok && !s.c.Pending() {
		return s.strike(f, nil)
	}
	return true
}

// queue answers the final dot.
func (s *session) queue(content smtpwire.ServerContent) bool {
	if s.log != nil {
		s.log.note(strconv.Itoa(content.Size) + " octets of content")
	}
	if content.Over {
		s.c.Reply(552, "5.3.4", "Error: message file too big")
		return true
	}
	if wait := s.r.limit().Accept; wait > 0 && (s.c.Flush() != nil || !s.pause(wait)) {
		return false
	}
	s.env.content = bytes.Clone(content.Octets)
	id, wait, err := s.r.e.accept(s.r, &s.env)
	if err != nil {
		s.c.Reply(421, "4.3.2", s.r.name+" Service shutting down")
		return false
	}
	if wait > 0 && (s.c.Flush() != nil || !s.pause(wait)) {
		return false
	}
	s.junk = 0 // as Postfix has it: accepted mail makes up for it
	s.c.Reply(250, "2.0.0", "Ok: queued as "+id)
	return true
}

// auth answers AUTH: PLAIN (RFC 4616) and LOGIN.
func (s *session) auth(arg string) bool {
	mechanism, initial, _ := strings.Cut(arg, " ")
	users := s.r.c.cfg.Users
	switch {
	case len(users) == 0 || !s.tls:
		s.c.Reply(503, "5.5.1", "Error: authentication not enabled")
		return true
	case s.user != "":
		s.c.Reply(503, "5.5.1", "Error: already authenticated")
		return true
	}
	var name, password string
	switch strings.ToUpper(mechanism) {
	case "PLAIN":
		text, ok := s.answer(initial, "")
		parts := strings.Split(text, "\x00")
		if !ok || len(parts) != 3 {
			s.c.Reply(501, "5.5.2", "Error: malformed authentication")
			return true
		}
		name, password = parts[1], parts[2]
	case "LOGIN":
		var ok, ok2 bool
		name, ok = s.answer(initial, "VXNlcm5hbWU6")
		password, ok2 = s.answer("", "UGFzc3dvcmQ6")
		if !ok || !ok2 {
			s.c.Reply(501, "5.5.2", "Error: malformed authentication")
			return true
		}
	default:
		s.c.Reply(504, "5.5.4", "Error: unknown authentication mechanism")
		return true
	}
	if want, ok := users[name]; !ok || want != password {
		s.c.Reply(535, "5.7.8", "Error: authentication failed")
		return true
	}
	s.user = name
	s.c.Reply(235, "2.7.0", "Authentication successful")
	return true
}

// answer gives the decoded initial response, or asks for one.
func (s *session) answer(initial, prompt string) (string, bool) {
	if initial == "" {
		s.c.Reply(334, "", prompt)
		if s.log != nil {
			s.log.redact()
		}
		line, err := s.c.ReadLine()
		if err != nil || string(line) == "*" {
			return "", false
		}
		initial = string(line)
	}
	if initial == "=" {
		initial = ""
	}
	text, err := base64.StdEncoding.DecodeString(initial)
	return string(text), err == nil
}

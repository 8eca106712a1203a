package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// A destination is a domain outside, and all below it.
type destination struct {
	domain string // "": every other one
	host   int    // last octet of its address
	nullMX bool
	silent bool          // takes connections and says nothing
	gone   string        // to recipients whose name begins with "gone"
	grey   time.Duration // for which a recipient is answered 450, counted from the first time
	never  string        // to every recipient
	dot    string        // to the final dot
}

// destinations are those that quickstart's recipients live at.
var destinations = []destination{
	{domain: "", host: 100},
	{domain: "bigmail.test", host: 101, gone: "550 5.1.1 no such mailbox"},
	{domain: "postbox.test", host: 102, gone: "550 5.1.1 unknown user"},
	{domain: "greylisting.test", host: 103, grey: 5 * time.Second},
	{domain: "strict.test", host: 104, dot: "554 5.7.1 not wanted here"},
	{domain: "silent.test", host: 105, silent: true},
	{domain: "closed.test", host: 106, nullMX: true},
	{domain: "full.test", host: 107, never: "452 4.2.2 mailbox full"},
}

// destinationOf finds a domain's; nil: there is no such domain.
func destinationOf(domain string) *destination {
	for i := range destinations {
		if d := &destinations[i]; d.domain != "" && (domain == d.domain || strings.HasSuffix(domain, "."+d.domain)) {
			return d
		}
	}
	if strings.HasSuffix(domain, ".test") {
		return &destinations[0]
	}
	return nil
}

func (d *destination) address(network string) string { return fmt.Sprintf("%s.%d", network, d.host) }

// serve takes mail until ctx ends.
func (d *destination) serve(ctx context.Context, all *sync.WaitGroup, address string, log *deliveryLog) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = l.Close() })
	var mu sync.Mutex
	first := map[string]time.Time{} // by recipient; guarded by mu
	grey := func(to string) bool {
		if d.grey == 0 {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		if first[to].IsZero() {
			first[to] = time.Now()
		}
		return time.Since(first[to]) < d.grey
	}
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			all.Go(func() {
				defer stop()
				s := session{d: d, grey: grey, log: log, c: smtpwire.NewServerConn(conn)}
				s.c.SetTimeout(5 * time.Minute)
				s.serve(conn.RemoteAddr())
				_ = s.c.Close()
			})
		}
	})
	return nil
}

// A session is one connection to a destination.
type session struct {
	d    *destination
	grey func(to string) bool
	log  *deliveryLog
	c    *smtpwire.ServerConn
	from string
	to   []string
}

func (s *session) serve(client net.Addr) {
	defer s.c.Flush()
	if s.d.silent {
		_ = s.c.Drain()
		return
	}
	host, _, _ := net.SplitHostPort(client.String())
	s.c.Reply(220, "", "mx."+s.d.domain+" ESMTP")
	for {
		line, err := s.c.ReadLine()
		if err != nil {
			return
		}
		cmd := smtpwire.ParseServerCommand(line)
		switch cmd.Verb {
		case "EHLO", "HELO":
			s.c.Reply(250, "", "mx."+s.d.domain, "PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8")
		case "MAIL":
			path, err := smtpwire.ParseServerPath(cmd.Arg, "FROM")
			if err != nil {
				s.c.Reply(501, "5.5.4", "syntax")
				continue
			}
			s.from, s.to = path.Address, nil
			s.c.Reply(250, "2.1.0", "ok")
		case "RCPT":
			s.rcpt(cmd.Arg)
		case "DATA":
			if !s.data(host) {
				return
			}
		case "RSET", "NOOP":
			s.from, s.to = "", nil
			s.c.Reply(250, "2.0.0", "ok")
		case "QUIT":
			s.c.Reply(221, "2.0.0", "bye")
			return
		default:
			s.c.Reply(502, "5.5.1", "not known here")
		}
	}
}

func (s *session) rcpt(arg string) {
	path, err := smtpwire.ParseServerPath(arg, "TO")
	switch {
	case err != nil:
		s.c.Reply(501, "5.5.4", "syntax")
	case s.d.gone != "" && strings.HasPrefix(path.Address, "gone"):
		s.c.Raw(s.d.gone + "\r\n")
	case s.d.never != "":
		s.c.Raw(s.d.never + "\r\n")
	case s.grey(path.Address):
		s.c.Reply(450, "4.7.1", "greylisted, come back later")
	default:
		s.to = append(s.to, path.Address)
		s.c.Reply(250, "2.1.5", "ok")
	}
}

// data takes the content, and reports whether the session goes on.
func (s *session) data(client string) bool {
	if len(s.to) == 0 {
		s.c.Reply(503, "5.5.1", "no recipients")
		return true
	}
	s.c.Reply(354, "", "go on")
	content, err := s.c.ReadContent(nil, 32<<20)
	if err != nil {
		return false
	}
	if content.Over {
		s.c.Reply(552, "5.3.4", "too large")
		return true
	}
	if s.d.dot != "" {
		s.c.Raw(s.d.dot + "\r\n")
		return true
	}
	if err := s.log.add(client, s.from, s.to, content.Octets); err != nil {
		s.c.Reply(451, "4.3.0", "cannot keep it") // so that nothing is taken that is not in the log
		return true
	}
	s.from, s.to = "", nil
	s.c.Reply(250, "2.0.0", "taken")
	return true
}

// A delivery is a line of the log: a recipient's mail as a destination has taken it.
type delivery struct {
	At        time.Time `json:"at"`
	Client    string    `json:"client"` // address of the relay
	From      string    `json:"from"`   // return path
	To        string    `json:"to"`
	MessageID string    `json:"message_id"`
	DKIM      []string  `json:"dkim"` // "valid shop.test", or what is wrong, for each signature
}

// A deliveryLog writes what was taken. It is safe for concurrent use if out is, as a file is.
type deliveryLog struct {
	zone *zone
	out  io.Writer
}

func (l *deliveryLog) add(client, from string, to []string, content []byte) error {
	entry := delivery{At: time.Now(), Client: client, From: from, DKIM: l.verify(content)}
	if m, err := mail.ReadMessage(bytes.NewReader(content)); err == nil {
		entry.MessageID = m.Header.Get("Message-Id")
	}
	var lines bytes.Buffer
	for _, entry.To = range to {
		if err := json.NewEncoder(&lines).Encode(entry); err != nil {
			return err
		}
	}
	_, err := l.out.Write(lines.Bytes())
	return err
}

// verify says what is to be said about each signature.
func (l *deliveryLog) verify(content []byte) []string {
	list := []string{}
	verdicts, err := dkim.VerifyWithOptions(bytes.NewReader(content), &dkim.VerifyOptions{LookupTXT: l.zone.txt})
	if err != nil && !errors.Is(err, dkim.ErrTooManySignatures) {
		list = append(list, err.Error())
	}
	for _, v := range verdicts {
		if v.Err != nil {
			list = append(list, v.Err.Error())
		} else {
			list = append(list, "valid "+v.Domain)
		}
	}
	return list
}

package bounce

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	maxCommand = 8 << 10 // octets of a command line, addresses and parameters included
	maxErrors  = 20      // commands that are not understood, before the connection is closed
)

// reply is an answer to a command. Without a status it is a greeting, or one of
// those that have none (RFC 2034 §4).
type reply struct {
	code         int
	status, text string
}

var (
	replyOK       = reply{250, "2.0.0", "Ok"}
	replyLost     = reply{421, "4.4.2", "The message did not arrive as a whole, try again later"}
	replyIdle     = reply{421, "4.4.2", "Idle for too long"}
	replyLong     = reply{500, "5.5.2", "The command is too long"}
	replyTooLarge = reply{552, "5.3.4", "The message is too large"}
	replySequence = reply{503, "5.5.1", "Bad sequence of commands"}
	replySyntax   = reply{501, "5.5.4", "Syntax error in parameters"}
	replyUnknown  = reply{502, "5.5.1", "Command not implemented"}
	replyParam    = reply{555, "5.5.4", "Unsupported parameter"}
)

// conversation is one connection's SMTP or LMTP session. It is written here, and
// not taken from a library, because no bounce may be lost: whatever breaks a
// message off is answered with 421 and ends the connection, so that the rest is
// never taken for commands; a line of a message may have any length; and
// postmaster needs no domain.
type conversation struct {
	receiver *Receiver
	conn     net.Conn
	in       *bufio.Reader
	out      *bufio.Writer
	lmtp     bool
	timeout  time.Duration
	maxSize  int64

	greeted, secure bool
	errors          int
	transaction
}

// transaction is what RSET forgets.
type transaction struct {
	mail         bool
	from         string
	destinations []destination
}

// converse serves a connection until it ends.
func (r *Receiver) converse(conn net.Conn, lmtp bool) {
	c := &conversation{receiver: r, lmtp: lmtp, timeout: or(r.Timeout, 5*time.Minute), maxSize: or(r.MaxSize, 32<<20)}
	c.use(conn)
	protocol := "ESMTP"
	if lmtp {
		protocol = "LMTP"
	}
	c.say(reply{220, "", r.hostname() + " " + protocol})
	for {
		line, err := c.readLine()
		var timeout net.Error
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			c.say(replyLong)
		case errors.As(err, &timeout) && timeout.Timeout():
			c.say(replyIdle)
		}
		if err != nil || !c.command(string(line)) || c.errors > maxErrors {
			_ = c.flush()
			return
		}
	}
}

func (c *conversation) use(conn net.Conn) {
	c.conn, c.in, c.out = conn, bufio.NewReaderSize(conn, maxCommand), bufio.NewWriter(conn)
}

// readLine reads up to the end of a line. Replies go out before it waits.
func (c *conversation) readLine() ([]byte, error) {
	if c.in.Buffered() == 0 {
		if err := c.flush(); err != nil {
			return nil, err
		}
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(c.timeout))
	return c.in.ReadSlice('\n')
}

// flush sends the replies.
func (c *conversation) flush() error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.timeout))
	return c.out.Flush()
}

// say writes a reply; a failure shows when it is flushed.
func (c *conversation) say(r reply) {
	if r.status != "" {
		r.status += " "
	}
	fmt.Fprintf(c.out, "%d %s%s\r\n", r.code, r.status, r.text)
}

// command answers a command and reports whether the conversation goes on.
func (c *conversation) command(line string) bool {
	verb, arg, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
	arg = strings.TrimSpace(arg)
	switch strings.ToUpper(verb) {
	case "EHLO", "HELO", "LHLO":
		return c.hello(strings.ToUpper(verb))
	case "STARTTLS":
		return c.startTLS()
	case "MAIL":
		c.answer(c.mailFrom(arg))
	case "RCPT":
		c.answer(c.rcptTo(arg))
	case "DATA":
		return c.data()
	case "RSET":
		c.transaction = transaction{}
		c.say(replyOK)
	case "NOOP":
		c.say(replyOK)
	case "VRFY":
		c.say(reply{252, "2.5.0", "Send mail, and see"})
	case "QUIT":
		c.say(reply{221, "2.0.0", "Bye"})
		return false
	default:
		c.answer(replyUnknown)
	}
	return true
}

// answer says a reply and counts it where it refuses.
func (c *conversation) answer(r reply) {
	if r.code >= 500 && r.code < 550 {
		c.errors++
	}
	c.say(r)
}

func (c *conversation) hello(verb string) bool {
	if c.lmtp != (verb == "LHLO") { // RFC 2033 §4.1
		c.answer(replyUnknown)
		return true
	}
	c.greeted, c.transaction = true, transaction{}
	lines := []string{c.receiver.hostname()}
	if verb != "HELO" {
		lines = append(lines, "PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE "+strconv.FormatInt(c.maxSize, 10))
		if c.receiver.TLSConfig != nil && !c.secure {
			lines = append(lines, "STARTTLS")
		}
	}
	for i, l := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		fmt.Fprintf(c.out, "250%s%s\r\n", sep, l)
	}
	return true
}

// startTLS: what the client has sent in plain text behind the command is no part
// of the conversation (RFC 3207 §4.2), so that such a client is left.
func (c *conversation) startTLS() bool {
	if c.receiver.TLSConfig == nil || c.secure {
		c.answer(replyUnknown)
		return true
	}
	if c.in.Buffered() > 0 {
		c.say(replySyntax)
		return false
	}
	c.say(reply{220, "2.0.0", "Go ahead"})
	if c.flush() != nil {
		return false
	}
	conn := tls.Server(c.conn, c.receiver.TLSConfig)
	_ = conn.SetDeadline(time.Now().Add(c.timeout))
	if conn.Handshake() != nil {
		return false
	}
	c.use(conn)
	c.secure, c.greeted, c.transaction = true, false, transaction{}
	return true
}

func (c *conversation) mailFrom(arg string) reply {
	if !c.greeted || c.mail {
		return replySequence
	}
	from, params, ok := parsePath(arg, "FROM:")
	if !ok {
		return replySyntax
	}
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		switch strings.ToUpper(name) {
		case "SIZE":
			if n, err := strconv.ParseInt(value, 10, 64); err != nil || n > c.maxSize {
				return replyTooLarge
			}
		case "BODY", "SMTPUTF8", "AUTH":
		default:
			return replyParam
		}
	}
	c.mail, c.from = true, from
	return reply{250, "2.1.0", "Ok"}
}

func (c *conversation) rcptTo(arg string) reply {
	if !c.mail {
		return replySequence
	}
	to, params, ok := parsePath(arg, "TO:")
	switch {
	case !ok || to == "":
		return replySyntax
	case len(params) > 0:
		return replyParam
	case len(c.destinations) >= or(c.receiver.MaxRecipients, 100):
		return reply{452, "4.5.3", "Too many recipients"}
	}
	d, err := c.receiver.destinationOf(to)
	if err != nil {
		return reply{451, "4.3.0", "Cannot decide about this address, try again later"}
	}
	if d.use == useNone {
		return refusal(d.verdict)
	}
	c.destinations = append(c.destinations, d)
	return reply{250, "2.1.5", "Ok"}
}

// data takes a message and answers it: over SMTP with one reply for all
// recipients, so that a failure for one makes the sender repeat it for all,
// which Event.Key tells; over LMTP with one for each.
func (c *conversation) data() bool {
	if len(c.destinations) == 0 {
		c.answer(replySequence)
		return true
	}
	c.say(reply{354, "", "End data with <CR><LF>.<CR><LF>"})
	if c.flush() != nil {
		return false
	}
	raw, size, err := c.readMessage()
	if err != nil { // what follows is not to be taken for commands
		c.say(replyLost)
		return false
	}
	t := c.transaction
	c.transaction = transaction{}
	if size > c.maxSize {
		for range t.destinations {
			c.say(replyTooLarge)
			if !c.lmtp {
				break
			}
		}
		return true
	}
	answers := c.receiver.deliver(t, raw, size)
	if c.lmtp {
		for _, a := range answers {
			c.say(a)
		}
		return true
	}
	for _, a := range answers {
		if a != replyOK {
			c.say(a)
			return true
		}
	}
	c.say(replyOK)
	return true
}

// readMessage reads up to the final dot, and keeps what is needed of it. Only a
// dot between two CRLF is final: a bare LF ends no line here, or a message could
// smuggle another one in.
func (c *conversation) readMessage() (raw []byte, size int64, err error) {
	keep := c.keep()
	var buf bytes.Buffer
	start, cr := true, false // at a line's start; the last octet was CR
	for {
		part, err := c.readLine()
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, 0, err
		}
		if start {
			if string(part) == ".\r\n" {
				return buf.Bytes(), size, nil
			}
			part = bytes.TrimPrefix(part, []byte("."))
		}
		start = bytes.HasSuffix(part, []byte("\r\n")) || cr && string(part) == "\n"
		cr = bytes.HasSuffix(part, []byte("\r"))
		if room := keep - size; room > 0 {
			buf.Write(part[:min(int64(len(part)), room)])
		}
		size += int64(len(part))
	}
}

// keep is how much of a message is needed: of bounces no more than is parsed.
func (c *conversation) keep() int64 {
	for _, d := range c.destinations {
		if d.use == useHuman {
			return c.maxSize
		}
	}
	return maxInput
}

// parsePath reads the argument of MAIL or RCPT (RFC 5321 §4.1.2). A source route
// is dropped (§4.1.1.3).
func parsePath(arg, name string) (path string, params []string, ok bool) {
	if len(arg) < len(name) || !strings.EqualFold(arg[:len(name)], name) {
		return "", nil, false
	}
	arg = strings.TrimLeft(arg[len(name):], " ")
	end := pathEnd(arg)
	if end < 0 {
		return "", nil, false
	}
	path, params = strings.TrimSuffix(strings.TrimPrefix(arg[:end], "<"), ">"), strings.Fields(arg[end:])
	return withoutRoute(path), params, true
}

// pathEnd finds the end of "<…>", or of a word without brackets, or returns -1.
// What is in quotes ends nothing.
func pathEnd(s string) int {
	if s == "" {
		return -1
	}
	stop := byte(' ')
	if s[0] == '<' {
		stop = '>'
	}
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == stop && !quoted:
			if stop == '>' {
				return i + 1
			}
			return i
		}
	}
	if stop == '>' || quoted {
		return -1
	}
	return len(s)
}

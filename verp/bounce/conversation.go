package bounce

import (
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// maxErrors is how many commands may not be understood before the connection is
// closed.
const maxErrors = 20

// reply is an answer to a command.
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

// conversation is one connection's SMTP or LMTP session. It is held here, over
// smtpwire, and not by a library's server, because no bounce may be lost:
// whatever breaks a message off is answered with 421 and ends the connection, so
// that the rest is never taken for commands; a line of a message may have any
// length; and postmaster needs no domain.
type conversation struct {
	receiver *Receiver
	wire     *smtpwire.ServerConn
	lmtp     bool
	timeout  time.Duration
	maxSize  int

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
	c := &conversation{
		receiver: r, wire: smtpwire.NewServerConn(conn), lmtp: lmtp,
		timeout: or(r.Timeout, 5*time.Minute), maxSize: int(or(r.MaxSize, 32<<20)),
	}
	c.wire.SetTimeout(c.timeout)
	protocol := "ESMTP"
	if lmtp {
		protocol = "LMTP"
	}
	c.wire.Reply(220, "", r.hostname()+" "+protocol)
	for more := true; more; {
		line, err := c.wire.ReadLine()
		var wait net.Error
		switch {
		case errors.Is(err, smtpwire.ErrServerLine):
			c.answer(replyLong)
			more = c.errors <= maxErrors
		case errors.As(err, &wait) && wait.Timeout():
			c.say(replyIdle)
			more = false
		case err != nil:
			return
		default:
			more = c.command(smtpwire.ParseServerCommand(line)) && c.errors <= maxErrors
		}
	}
	_ = c.wire.Flush()
}

func (c *conversation) say(r reply) { c.wire.Reply(r.code, r.status, r.text) }

// command answers a command and reports whether the conversation goes on.
func (c *conversation) command(cmd smtpwire.ServerCommand) bool {
	switch cmd.Verb {
	case "EHLO", "HELO", "LHLO":
		c.hello(cmd.Verb)
	case "STARTTLS":
		return c.startTLS()
	case "MAIL":
		c.answer(c.mailFrom(cmd.Arg))
	case "RCPT":
		c.answer(c.rcptTo(cmd.Arg))
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

func (c *conversation) hello(verb string) {
	if c.lmtp != (verb == "LHLO") { // RFC 2033 §4.1
		c.answer(replyUnknown)
		return
	}
	c.greeted, c.transaction = true, transaction{}
	lines := []string{c.receiver.hostname()}
	if verb != "HELO" {
		lines = append(lines, "PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE "+strconv.Itoa(c.maxSize))
		if c.receiver.TLSConfig != nil && !c.secure {
			lines = append(lines, "STARTTLS")
		}
	}
	c.wire.Reply(250, "", lines...)
}

// startTLS leaves a client that has sent something in clear behind the command.
func (c *conversation) startTLS() bool {
	if c.receiver.TLSConfig == nil || c.secure {
		c.answer(replyUnknown)
		return true
	}
	if c.wire.Pending() {
		c.say(replySyntax)
		return false
	}
	c.say(reply{220, "2.0.0", "Go ahead"})
	if c.wire.Flush() != nil {
		return false
	}
	var conn *tls.Conn
	err := c.wire.Upgrade(func(clear net.Conn) net.Conn {
		conn = tls.Server(clear, c.receiver.TLSConfig)
		return conn
	})
	if err != nil || conn.SetDeadline(time.Now().Add(c.timeout)) != nil || conn.Handshake() != nil {
		return false
	}
	c.secure, c.greeted, c.transaction = true, false, transaction{}
	return true
}

func (c *conversation) mailFrom(arg string) reply {
	if !c.greeted || c.mail {
		return replySequence
	}
	path, err := smtpwire.ParseServerPath(arg, "FROM")
	if err != nil {
		return replySyntax
	}
	for _, p := range path.Params {
		switch p.Keyword {
		case "SIZE":
			if n, err := strconv.Atoi(p.Value); err != nil || n > c.maxSize {
				return replyTooLarge
			}
		case "BODY", "SMTPUTF8", "AUTH":
		default:
			return replyParam
		}
	}
	c.mail, c.from = true, path.Address
	return reply{250, "2.1.0", "Ok"}
}

func (c *conversation) rcptTo(arg string) reply {
	if !c.mail {
		return replySequence
	}
	path, err := smtpwire.ParseServerPath(arg, "TO")
	switch {
	case err != nil || path.Address == "":
		return replySyntax
	case len(path.Params) > 0:
		return replyParam
	case len(c.destinations) >= or(c.receiver.MaxRecipients, 100):
		return reply{452, "4.5.3", "Too many recipients"}
	}
	d, err := c.receiver.destinationOf(path.Address)
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
	content, err := c.wire.ReadContent(nil, c.keep())
	if err != nil { // what follows is not to be taken for commands
		c.say(replyLost)
		return false
	}
	t := c.transaction
	c.transaction = transaction{}
	if content.Size > c.maxSize {
		for range t.destinations {
			c.say(replyTooLarge)
			if !c.lmtp {
				break
			}
		}
		return true
	}
	answers := c.receiver.deliver(t, content)
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

// keep is how much of a message is needed: of bounces no more than is parsed.
func (c *conversation) keep() int {
	for _, d := range c.destinations {
		if d.use == useHuman {
			return c.maxSize
		}
	}
	return maxInput
}

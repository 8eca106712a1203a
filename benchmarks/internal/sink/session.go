// Package sink is the cheapest SMTP server there can be: what is measured against
// it is the client. It takes every mail, counts it and forgets it. Where the
// system has epoll, one thread serves all connections with one read and one
// write for whatever a client sends as one group.
package sink

import "bytes"

// Totals is what a sink has counted since it started.
type Totals struct {
	Sessions int64 // connections that were opened
	Accepted int64 // mails that were answered 250 after the final dot
	Octets   int64 // of their content as on the wire
	Turns    int64 // writes of replies: the round trips that the clients waited for
}

// Minus returns what was counted since u.
func (t Totals) Minus(u Totals) Totals {
	return Totals{t.Sessions - u.Sessions, t.Accepted - u.Accepted, t.Octets - u.Octets, t.Turns - u.Turns}
}

const greeting = "220 sink ESMTP\r\n"

var (
	hello      = []byte("250-sink\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250-8BITMIME\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n")
	ok         = []byte("250 2.1.0 Ok\r\n")
	queued     = []byte("250 2.0.0 Ok: queued as 4XyZ123\r\n")
	goAhead    = []byte("354 End data with <CR><LF>.<CR><LF>\r\n")
	bye        = []byte("221 2.0.0 Bye\r\n")
	unknown    = []byte("500 5.5.2 Error: command not recognized\r\n")
	terminator = []byte("\r\n.\r\n")
)

// A session is the state of one connection. It trusts its client: the order of
// commands is not checked.
type session struct {
	data     bool
	quit     bool
	rest     []byte // what came and was not yet used
	accepted int64
	octets   int64
}

// take uses as much of b as it can. It returns the rest, which has to come again
// in front of what comes next, and appends replies to out.
func (s *session) take(b, out []byte) (rest, replies []byte) {
	for !s.quit {
		if s.data {
			i := bytes.Index(b, terminator)
			if i < 0 {
				// All but the last four octets can be no part of the terminator.
				if n := len(b) - len(terminator) + 1; n > 0 {
					s.octets += int64(n)
					b = b[n:]
				}
				return b, out
			}
			// The CRLF of DATA was left in front of the content, so that a lone dot is
			// found, too; the CRLF of the terminator is the content's own.
			s.octets += int64(i)
			s.accepted++
			s.data = false
			b = b[i+len(terminator):]
			out = append(out, queued...)
			continue
		}
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return b, out
		}
		line := b[:i+1]
		b = b[i+1:]
		switch line[0] &^ 0x20 {
		case 'M', 'R', 'N':
			out = append(out, ok...)
		case 'D':
			s.data = true
			out = append(out, goAhead...)
			b = line[len(line)-2 : len(line)+len(b)]
		case 'E', 'H':
			out = append(out, hello...)
		case 'Q':
			s.quit = true
			out = append(out, bye...)
		default:
			out = append(out, unknown...)
		}
	}
	return nil, out
}

package smtpwire

import (
	"bytes"
	"fmt"
	"io"
)

// Limits on one reply. RFC 5321 §4.5.3.1.5 allows a line 512 octets; relays
// exceed it, and nothing honest exceeds these.
const (
	MaxReplyLine  = 4096
	MaxReplyLines = 100
	MaxReply      = 64 << 10
)

// A ReplyReader reads replies from a connection. It reads ahead, so it alone
// may read from the connection. It is for one goroutine.
type ReplyReader struct {
	r     io.Reader
	buf   []byte
	start int // first octet not yet consumed
	end   int // end of what was read
	text  []byte
}

// NewReplyReader returns a reader of the replies that come from r.
func NewReplyReader(r io.Reader) *ReplyReader {
	return &ReplyReader{r: r, buf: make([]byte, 2*MaxReplyLine)}
}

// Reset makes the reader read from r, as after a TLS handshake. It must not be
// called while octets are Buffered: they would be lost, and RFC 3207 §5 wants
// them treated as an attack.
func (rr *ReplyReader) Reset(r io.Reader) { rr.r, rr.start, rr.end = r, 0, 0 }

// Buffered returns how many octets were read and belong to no reply yet.
func (rr *ReplyReader) Buffered() int { return rr.end - rr.start }

// HasReply says whether a complete reply is buffered, so that Next would not
// read.
func (rr *ReplyReader) HasReply() bool {
	for have := rr.buf[rr.start:rr.end]; ; {
		i := bytes.IndexByte(have, '\n')
		if i < 0 {
			return false
		}
		if i < 4 || have[3] != '-' {
			return true
		}
		have = have[i+1:]
	}
}

// Partial returns a copy of the octets that were read and belong to no complete
// reply, the beginning of a reply that was cut off, for a report.
func (rr *ReplyReader) Partial() string {
	const most = 512
	p := append(append([]byte(nil), rr.text...), rr.buf[rr.start:rr.end]...)
	return string(p[:min(len(p), most)])
}

// Next reads one complete reply. An error of the connection is returned as it
// is (io.EOF at the end, io.ErrUnexpectedEOF within a reply); one that wraps
// ErrProtocol means that what came is no reply. Where a line has another code than
// the lines before it, that line is returned with the error.
func (rr *ReplyReader) Next() (Reply, error) {
	var reply Reply
	rr.text = rr.text[:0]
	for lines, octets := 0, 0; ; lines++ {
		line, err := rr.line()
		if err != nil {
			if err == io.EOF && (lines > 0 || rr.Buffered() > 0) {
				err = io.ErrUnexpectedEOF
			}
			return Reply{}, err
		}
		octets += len(line)
		if lines == MaxReplyLines || octets > MaxReply {
			return Reply{}, fmt.Errorf("%w: reply of more than %d lines or %d octets", ErrProtocol, MaxReplyLines, MaxReply)
		}
		code, last, text, err := parseReplyLine(line)
		if err != nil {
			return Reply{}, err
		}
		if lines == 0 {
			reply.Code = code
		} else if code != reply.Code {
			enhanced, text := cutEnhanced(line[0], text)
			return Reply{code, enhanced, text}, fmt.Errorf("%w: code changes from %d to %d within one reply", ErrProtocol, reply.Code, code)
		}
		enhanced, text := cutEnhanced(line[0], text)
		if reply.Enhanced == (EnhancedCode{}) {
			reply.Enhanced = enhanced
		}
		if last && lines == 0 {
			reply.Text = text // the common reply: no copy
			return reply, nil
		}
		if lines > 0 {
			rr.text = append(rr.text, '\n')
		}
		rr.text = append(rr.text, text...)
		if last {
			reply.Text, rr.text = rr.text, rr.text[:0]
			return reply, nil
		}
	}
}

// line returns the next line without its CRLF, as a view into the buffer. A
// bare LF ends a line too, as some relays write it in replies.
func (rr *ReplyReader) line() ([]byte, error) {
	for searched := 0; ; {
		have := rr.buf[rr.start:rr.end]
		if i := bytes.IndexByte(have[searched:], '\n'); i >= 0 {
			line := have[:searched+i]
			rr.start += searched + i + 1
			if n := len(line); n > 0 && line[n-1] == '\r' {
				line = line[:n-1]
			}
			if len(line) > MaxReplyLine {
				return nil, errLongLine()
			}
			return line, nil
		}
		searched = len(have)
		if searched > MaxReplyLine+1 { // with a CR whose LF is yet to come
			return nil, errLongLine()
		}
		if rr.start > 0 && len(rr.buf)-rr.end < MaxReplyLine {
			copy(rr.buf, have)
			rr.start, rr.end = 0, len(have)
		}
		n, err := rr.r.Read(rr.buf[rr.end:])
		rr.end += n
		if n == 0 {
			if err == nil {
				err = io.ErrNoProgress
			}
			return nil, err
		}
	}
}

func errLongLine() error {
	return fmt.Errorf("%w: reply line of more than %d octets", ErrProtocol, MaxReplyLine)
}

// errNoReply shows the beginning of what is no reply ("SSH-2.0-…"), unless the
// line may hold an address.
func errNoReply(line []byte) error {
	const most = 32
	if bytes.IndexByte(line, '@') >= 0 {
		return fmt.Errorf("%w: not a reply, and with an address in it", ErrProtocol)
	}
	return fmt.Errorf("%w: not a reply: %q", ErrProtocol, line[:min(len(line), most)])
}

// parseReplyLine splits a line into code, whether it is the last of its reply,
// and text (RFC 5321 §4.2: three digits, then space, hyphen or nothing).
func parseReplyLine(line []byte) (code int, last bool, text []byte, err error) {
	bad := len(line) < 3 || line[0] < '2' || line[0] > '5' ||
		line[1] < '0' || line[1] > '9' || line[2] < '0' || line[2] > '9'
	if !bad {
		code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
		if len(line) == 3 {
			return code, true, nil, nil
		}
		bad = line[3] != ' ' && line[3] != '-'
	}
	if !bad && (bytes.IndexByte(line, 0) >= 0 || bytes.IndexByte(line, '\r') >= 0) {
		return 0, false, nil, fmt.Errorf("%w: NUL or bare CR in a reply", ErrProtocol)
	}
	if bad {
		return 0, false, nil, errNoReply(line)
	}
	return code, line[3] == ' ', line[4:], nil
}

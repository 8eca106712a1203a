package smtpwire

import (
	"bufio"
	"bytes"
)

// ServerContent is what came after DATA.
type ServerContent struct {
	Octets []byte // dots unstuffed, without the final dot; what was appended to dst, up to the limit
	Size   int    // octets, also those over the limit, which are not kept
	Over   bool   // over the limit
	BareLF bool   // an LF without CR before it, or a CR without LF after it: RFC 5321 §2.3.8 forbids both
}

// ReadContent reads content up to and with the final dot, appends it to dst, and takes away what
// dot-stuffing added (RFC 5321 §4.5.2). Only CRLF.CRLF ends it: a client that relies on a bare LF would otherwise
// have a second mail smuggled in. Beyond limit octets (zero: no limit) content is read and thrown away.
// An error is the connection's, and what was read so far is in Octets.
func (c *ServerConn) ReadContent(dst []byte, limit int) (ServerContent, error) {
	var content ServerContent
	start := len(dst)
	lineStart := true // the last line ended in CRLF
	for {
		chunk, err := c.in.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			content.Octets = dst[start:]
			return content, err
		}
		ended := bytes.HasSuffix(chunk, crlf)
		if err == bufio.ErrBufferFull && chunk[len(chunk)-1] == '\r' {
			// A CR at the very end of a full buffer: its LF, if it has one, comes next.
			if err := c.in.UnreadByte(); err == nil {
				chunk = chunk[:len(chunk)-1]
			}
		}
		if lineStart && chunk[0] == '.' {
			if ended && len(chunk) == 3 {
				content.Octets = dst[start:]
				if c.trace != nil {
					c.trace(false, []byte("."))
				}
				return content, nil
			}
			chunk = chunk[1:]
		}
		if !content.BareLF {
			content.BareLF = bare(chunk, ended)
		}
		content.Size += len(chunk)
		if limit > 0 && content.Size > limit {
			content.Over = true
			chunk = chunk[:limit-(len(dst)-start)]
		}
		dst = append(dst, chunk...)
		lineStart = ended
	}
}

var crlf = []byte("\r\n")

// bare reports whether a chunk, up to an LF if it has one, holds CR or LF outside CRLF.
func bare(chunk []byte, ended bool) bool {
	if ended {
		return bytes.IndexByte(chunk[:len(chunk)-2], '\r') >= 0
	}
	return bytes.IndexByte(chunk, '\r') >= 0 || bytes.IndexByte(chunk, '\n') >= 0
}

package smtpwire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// MaxLine is the longest line of content without its CRLF (RFC 5321
// §4.5.3.1.6). Postfix breaks longer ones (smtp_line_length_limit), which
// breaks signatures.
const MaxLine = 998

// ContentInfo is what CheckContent found.
type ContentInfo struct {
	BareLF   bool // a line ends in LF alone: ToCRLF mends it
	EightBit bool // octets over 127
	Dots     bool // a line begins with a dot: WriteContent has to stuff it
}

// CheckContent refuses what no relay carries unchanged: NUL, CR without LF, and
// lines of more than MaxLine octets. The error names the line, not its text.
func CheckContent(content []byte) (ContentInfo, error) {
	var info ContentInfo
	if i := bytes.IndexByte(content, 0); i >= 0 {
		return info, fmt.Errorf("line %d of the content has a NUL octet", lineAt(content, i))
	}
	crlf := 0
	for start, number := 0, 1; start < len(content); number++ {
		i := bytes.IndexByte(content[start:], '\n')
		next := start + i + 1
		if content[start] == '.' {
			info.Dots = true
		}
		if i < 0 {
			i = len(content) - start
			next = len(content)
		} else if i > 0 && content[start+i-1] == '\r' {
			crlf++
			i--
		} else {
			info.BareLF = true
		}
		if i > MaxLine {
			return info, fmt.Errorf("line %d of the content has %d octets; at most %d may be sent: re-encode the part as quoted-printable or base64", number, i, MaxLine)
		}
		start = next
	}
	if bytes.Count(content, []byte{'\r'}) != crlf {
		return info, fmt.Errorf("line %d of the content has a CR without LF", lineAt(content, bareCR(content)))
	}
	info.EightBit = hasEightBit(content)
	return info, nil
}

// lineAt returns the number, from one, of the line that holds content[i].
func lineAt(content []byte, i int) int { return 1 + bytes.Count(content[:i], []byte{'\n'}) }

func bareCR(content []byte) int {
	for i, c := range content {
		if c == '\r' && (i+1 == len(content) || content[i+1] != '\n') {
			return i
		}
	}
	return len(content)
}

func hasEightBit(p []byte) bool {
	for ; len(p) >= 32; p = p[32:] { // four words at a time: one branch for all
		words := binary.LittleEndian.Uint64(p) | binary.LittleEndian.Uint64(p[8:]) |
			binary.LittleEndian.Uint64(p[16:]) | binary.LittleEndian.Uint64(p[24:])
		if words&0x8080808080808080 != 0 {
			return true
		}
	}
	for _, c := range p {
		if c >= 0x80 {
			return true
		}
	}
	return false
}

// ToCRLF returns content with every bare LF as CRLF: content itself where there
// is none, else a new slice. A bare CR stays.
func ToCRLF(content []byte) []byte {
	bare := 0
	for i := 0; ; {
		n := bytes.IndexByte(content[i:], '\n')
		if n < 0 {
			break
		}
		i += n + 1
		if i < 2 || content[i-2] != '\r' {
			bare++
		}
	}
	if bare == 0 {
		return content
	}
	out := make([]byte, 0, len(content)+bare)
	for len(content) > 0 {
		n := bytes.IndexByte(content, '\n')
		if n < 0 {
			return append(out, content...)
		}
		out = append(out, content[:n]...)
		// What is before this LF was taken over as it is, so its CR is the last octet written.
		if n == 0 || content[n-1] != '\r' {
			out = append(out, '\r')
		}
		out = append(out, '\n')
		content = content[n+1:]
	}
	return out
}

// WriteContent writes content that CheckContent passed and that has CRLF line
// ends, dot-stuffed (RFC 5321 §4.5.2). The parts are written one after the
// other: header and body, say, without joining them first. The terminator is
// not written: Terminator gives it.
func WriteContent(w io.Writer, parts ...[]byte) error {
	lineStart := true
	for _, p := range parts {
		for len(p) > 0 {
			if lineStart && p[0] == '.' {
				if _, err := w.Write(dot); err != nil {
					return err
				}
			}
			n := len(p)
			if i := bytes.Index(p, crlfDot); i >= 0 {
				n = i + 2
			}
			if _, err := w.Write(p[:n]); err != nil {
				return err
			}
			lineStart = p[n-1] == '\n'
			p = p[n:]
		}
	}
	return nil
}

// Terminator returns what ends content whose last octets are tail: the final
// dot on a line of its own, after a CRLF where the content lacks it.
func Terminator(tail []byte) []byte {
	if bytes.HasSuffix(tail, lineEnd) {
		return dotCRLF
	}
	return crlfDotCRLF
}

var (
	dot         = []byte(".")
	lineEnd     = []byte("\r\n")
	crlfDot     = []byte("\r\n.")
	dotCRLF     = []byte(".\r\n")
	crlfDotCRLF = []byte("\r\n.\r\n")
)

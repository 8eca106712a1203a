package dkim

import (
	"bytes"
	"encoding/base64"
)

const maxEncodedLine = 76 // RFC 2045 §6.7 and §6.8

// appendBase64 appends body as base64 in lines.
func appendBase64(dst, body []byte) []byte {
	const octets = maxEncodedLine / 4 * 3
	for len(body) > 0 {
		n := min(octets, len(body))
		dst = base64.StdEncoding.AppendEncode(dst, body[:n])
		dst = append(dst, crlf...)
		body = body[n:]
	}
	return dst
}

// appendQuotedPrintable appends body as quoted-printable (RFC 2045 §6.7): its CRLFs are line ends, a
// CR or LF alone is an octet. Beyond what must be encoded it encodes a dot, and the F of "From ", at
// the beginning of a line: some programs on the way to a mailbox change those.
func appendQuotedPrintable(dst, body []byte) []byte {
	const hex = "0123456789ABCDEF"
	column := 0
	for i := 0; i < len(body); i++ {
		c := body[i]
		atEnd := i+1 == len(body) || bytes.HasPrefix(body[i+1:], crlf)
		if c == '\r' && i+1 < len(body) && body[i+1] == '\n' {
			dst = append(dst, crlf...)
			column = 0
			i++
			continue
		}
		plain := c > ' ' && c < 0x7f && c != '=' || isBlank(c) && !atEnd
		width, room := 3, maxEncodedLine
		if plain {
			width = 1
		}
		if !atEnd {
			room-- // for the "=" of a soft line break
		}
		if column+width > room {
			dst = append(dst, "=\r\n"...)
			column = 0
		}
		if column == 0 && (c == '.' || bytes.HasPrefix(body[i:], []byte("From "))) {
			plain, width = false, 3
		}
		if plain {
			dst = append(dst, c)
		} else {
			dst = append(dst, '=', hex[c>>4], hex[c&15])
		}
		column += width
	}
	return dst
}

// refold breaks the lines of a header field that are longer than a relay takes, at white space that
// is there already; the relaxed form of the field stays the same. Where there is none it leaves the
// line as it is.
func refold(field []byte) []byte {
	if !hasLongLine(field) {
		return field
	}
	var out []byte
	for line := range bytes.SplitAfterSeq(field, crlf) {
		for len(line)-len(crlf) > maxLine {
			at := foldPoint(line)
			if at == 0 {
				break
			}
			out = append(append(out, line[:at]...), crlf...)
			line = line[at:]
		}
		out = append(out, line...)
	}
	return out
}

// foldPoint returns the offset of white space with text before and behind it, the last one that
// keeps the line within foldAt, or else the first; 0 where there is none.
func foldPoint(line []byte) int {
	line = bytes.TrimRight(line, " \t\r\n")
	text := len(line) - len(bytes.TrimLeft(line, " \t"))
	at := 0
	for i := text + 1; i < len(line); i++ {
		if !isBlank(line[i]) {
			continue
		}
		if i > foldAt && at > 0 {
			break
		}
		at = i
	}
	return at
}

func hasLongLine(field []byte) bool {
	for line := range bytes.SplitAfterSeq(field, crlf) {
		if len(bytes.TrimSuffix(line, crlf)) > maxLine {
			return true
		}
	}
	return false
}

package bounce

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// part is a body part that is not a multipart.
type part struct {
	header header
	typ    string // lower case, text/plain where there is none
	body   string // decoded
}

// walker collects the parts of one message within the limits.
type walker struct {
	parts     []part
	decoded   int // octets decoded so far
	truncated bool
}

// walk adds the parts of an entity with that header and body, depth first.
// The work is linear in the message's size for each of at most maxDepth levels.
func (w *walker) walk(h header, body string, depth int) {
	if len(w.parts) >= maxParts || depth > maxDepth {
		w.truncated = true
		return
	}
	ct := h.get("Content-Type")
	typ, boundary := mediaType(ct, "boundary")
	if strings.HasPrefix(typ, "multipart/") {
		if boundary == "" || !hasDelimiter(body, boundary) {
			boundary = guessBoundary(body)
		}
		if boundary != "" {
			w.multipart(body, boundary, depth)
			return
		}
		typ = "text/plain"
	} else if typ == "" || typ == "text/plain" {
		// A MIME body whose header has lost its Content-Type on the way.
		if b := guessBoundary(body); b != "" && hasReportPart(body) {
			w.multipart(body, b, depth)
			return
		}
	}
	if typ == "" || strings.IndexByte(typ, '/') < 0 {
		typ = "text/plain"
	}
	body = w.decode(h, typ, body)
	if _, charset := mediaType(ct, "charset"); isLatin(charset) {
		body = w.latinToUTF8(body)
	}
	w.parts = append(w.parts, part{h, typ, body})
}

// multipart walks what lies between the delimiter lines (RFC 2046 §5.1.1). A
// missing closing delimiter ends the last part with the text.
func (w *walker) multipart(body, boundary string, depth int) {
	delimiter := "--" + boundary
	start, pos := -1, 0
	for {
		at, next, closing := nextDelimiter(body, delimiter, pos)
		if start >= 0 {
			h, b, cut := splitHeader(strings.TrimSuffix(body[start:at], "\n"))
			w.truncated = w.truncated || cut
			w.walk(h, b, depth+1)
		}
		if next < 0 || closing {
			return
		}
		if len(w.parts) >= maxParts {
			w.truncated = true
			return
		}
		start, pos = next, next
	}
}

// nextDelimiter finds the next delimiter line from pos on, which must be the
// start of a line. Without one, at is the end of body and next is -1.
func nextDelimiter(body, delimiter string, pos int) (at, next int, closing bool) {
	for pos < len(body) {
		i := strings.Index(body[pos:], delimiter)
		if i < 0 {
			break
		}
		i += pos
		l, end := line(body, i)
		rest := strings.TrimRight(l[len(delimiter):], " \t")
		if (i == 0 || body[i-1] == '\n') && (rest == "" || rest == "--") {
			return i, end, rest == "--"
		}
		pos = end
	}
	return len(body), -1, false
}

func hasDelimiter(body, boundary string) bool {
	_, next, _ := nextDelimiter(body, "--"+boundary, 0)
	return next >= 0
}

// guessBoundary finds the boundary of a multipart whose header does not tell
// it: the first line that starts with "--" and is followed by a MIME field.
func guessBoundary(body string) string {
	pos := 0
	for range 200 {
		if pos >= len(body) {
			return ""
		}
		l, next := line(body, pos)
		if strings.HasPrefix(l, "--") && len(l) > 6 && len(l) < 200 && strings.IndexByte(l, ' ') < 0 {
			follow, _ := line(body, next)
			if len(follow) > 8 && strings.EqualFold(follow[:8], "Content-") {
				return strings.TrimRight(l[2:], " \t")
			}
		}
		pos = next
	}
	return ""
}

// hasReportPart reports whether body contains the type of a report's part.
func hasReportPart(body string) bool {
	body = body[:min(len(body), maxText)]
	return strings.Contains(body, "delivery-status") || strings.Contains(body, "message/rfc822") ||
		strings.Contains(body, "feedback-report") || strings.Contains(body, "rfc822-headers")
}

// decode undoes the transfer encoding, as far as the budget lasts.
func (w *walker) decode(h header, typ, body string) string {
	enc := strings.ToLower(h.get("Content-Transfer-Encoding"))
	if enc != "base64" && enc != "quoted-printable" {
		return body
	}
	if !strings.HasPrefix(typ, "text/") && !strings.HasPrefix(typ, "message/") {
		return "" // an attachment: never opened
	}
	if left := maxDecoded - w.decoded; len(body) > left {
		body, w.truncated = body[:max(left, 0)], true
	}
	w.decoded += len(body)
	if enc == "base64" {
		body = decodeBase64(body)
	} else {
		body = decodeQuotedPrintable(body)
	}
	return normalizeLines(body)
}

// isLatin reports whether a charset is, for letters, ISO 8859-1.
func isLatin(charset string) bool {
	switch strings.ToLower(charset) {
	case "iso-8859-1", "iso-8859-15", "windows-1252", "cp1252", "latin1":
		return true
	}
	return false
}

// latinToUTF8 converts ISO 8859-1, as far as the budget lasts.
func (w *walker) latinToUTF8(s string) string {
	if utf8.ValidString(s) || w.decoded+len(s) > maxDecoded {
		return s // ASCII, or UTF-8 that calls itself something else
	}
	w.decoded += len(s)
	out := make([]byte, 0, len(s)+len(s)/8)
	for i := range len(s) {
		out = utf8.AppendRune(out, rune(s[i]))
	}
	return string(out)
}

// decodeBase64 decodes what it can, up to the first octet that does not belong.
func decodeBase64(s string) string {
	clean := make([]byte, 0, len(s))
scan:
	for i := range len(s) {
		ch := s[i]
		switch {
		case ch == '+' || ch == '/' || '0' <= ch && ch <= '9' || 'A' <= ch && ch <= 'Z' || 'a' <= ch && ch <= 'z':
			clean = append(clean, ch)
		case ch != ' ' && ch != '\n' && ch != '\t':
			break scan
		}
	}
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	n, _ := base64.RawStdEncoding.Decode(clean, clean)
	return string(clean[:n])
}

// decodeQuotedPrintable decodes RFC 2045 §6.7 and leaves alone what does not
// follow it.
func decodeQuotedPrintable(s string) string {
	if strings.IndexByte(s, '=') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			out = append(out, s[i])
			continue
		}
		if i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		j := i + 1
		for j < len(s) && (s[j] == ' ' || s[j] == '\t') {
			j++
		}
		if j < len(s) && s[j] == '\n' { // soft line break
			i = j
			continue
		}
		out = append(out, '=')
	}
	return string(out)
}

func unhex(ch byte) int {
	switch {
	case '0' <= ch && ch <= '9':
		return int(ch - '0')
	case 'A' <= ch && ch <= 'F':
		return int(ch-'A') + 10
	case 'a' <= ch && ch <= 'f':
		return int(ch-'a') + 10
	}
	return -1
}

// normalizeLines ends lines with LF: CRLF, CRCRLF and CR become LF.
func normalizeLines(s string) string {
	i := strings.IndexByte(s, '\r')
	if i < 0 {
		return s
	}
	var out strings.Builder
	out.Grow(len(s))
	for ; i >= 0; i = strings.IndexByte(s, '\r') {
		out.WriteString(s[:i])
		s = s[i+1:]
		if strings.HasPrefix(s, "\r\n") {
			s = s[1:]
		}
		if !strings.HasPrefix(s, "\n") {
			out.WriteByte('\n')
		}
	}
	out.WriteString(s)
	return out.String()
}

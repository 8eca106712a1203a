package bounce

import (
	"mime"
	"strings"
)

// header is a header section, or a group of DSN fields, in the order written.
type header []field

// field is a header field. Its value may still be folded.
type field struct{ name, value string }

// splitHeader splits text at the end of its header section. It takes what mail
// systems write: an mbox "From " line first, a section that ends with a line
// that is no field instead of an empty one, and spaces before the colon.
func splitHeader(text string) (h header, body string, truncated bool) {
	limit := min(len(text), maxHeader)
	pos, start := 0, 0 // start: of the last field's value
	if strings.HasPrefix(text, "From ") || strings.HasPrefix(text, ">From ") {
		_, pos = line(text, 0)
	}
	for pos < limit {
		l, next := line(text, pos)
		switch {
		case l == "":
			return h, text[next:], false
		case (l[0] == ' ' || l[0] == '\t') && len(h) > 0:
			if strings.TrimSpace(l) == "" { // a line of spaces: the end, in practice
				return h, text[next:], false
			}
			h[len(h)-1].value = text[start : pos+len(l)]
		default:
			name, value, ok := splitField(l)
			if !ok {
				return h, text[pos:], false
			}
			if h == nil {
				h = make(header, 0, 12)
			}
			h = append(h, field{name, value})
			start = pos + len(l) - len(value)
		}
		pos = next
	}
	if pos < len(text) { // over the limit: go on behind the section
		if i := strings.Index(text[pos:], "\n\n"); i >= 0 {
			return h, text[pos+i+2:], true
		}
		return h, "", true
	}
	return h, "", false
}

// enclosedHeader reads the header of an enclosed mail. Systems that cut or
// rewrap long fields leave lines that are none: they are passed over, up to the
// first empty line.
func enclosedHeader(text string) header {
	text = strings.TrimLeft(text, "\n")
	if i := strings.Index(text, "\n\n"); i >= 0 {
		text = text[:i]
	}
	text = text[:min(len(text), maxHeader)]
	var all header
	for text != "" {
		h, rest, _ := splitHeader(text)
		all = append(all, h...)
		if len(rest) == len(text) || len(h) > 0 && rest != "" {
			_, next := line(rest, 0)
			rest = rest[next:]
		}
		text = rest
	}
	return all
}

// splitField splits a line "Name: value". The value keeps its spaces at the end
// so that it stays adjacent to a continuation line.
func splitField(l string) (name, value string, ok bool) {
	i := strings.IndexByte(l, ':')
	if i <= 0 || i > 78 {
		return "", "", false
	}
	name = strings.TrimRight(l[:i], " \t")
	for j := range len(name) {
		if name[j] <= ' ' || name[j] >= 0x7f {
			return "", "", false
		}
	}
	return name, strings.TrimLeft(l[i+1:], " \t"), name != ""
}

// line returns the line at pos without its end, and the next line's position.
func line(text string, pos int) (l string, next int) {
	if i := strings.IndexByte(text[pos:], '\n'); i >= 0 {
		return text[pos : pos+i], pos + i + 1
	}
	return text[pos:], len(text)
}

// get returns the first field of that name, unfolded, or "".
func (h header) get(name string) string {
	for _, f := range h {
		if len(f.name) == len(name) && strings.EqualFold(f.name, name) {
			return unfold(f.value)
		}
	}
	return ""
}

// has reports whether there is a field of that name, even an empty one.
func (h header) has(name string) bool {
	for _, f := range h {
		if len(f.name) == len(name) && strings.EqualFold(f.name, name) {
			return true
		}
	}
	return false
}

// decoded returns the start of get with encoded words (RFC 2047) decoded where
// possible.
func (h header) decoded(name string) string {
	v := h.get(name)
	v = v[:min(len(v), maxSubject)]
	if !strings.Contains(v, "=?") {
		return v
	}
	dec := mime.WordDecoder{}
	if s, err := dec.DecodeHeader(v); err == nil {
		return s
	}
	return v
}

// unfold joins the lines of a field value (RFC 5322 §2.2.3).
func unfold(v string) string {
	v = strings.TrimSpace(v)
	if strings.IndexByte(v, '\n') < 0 {
		return v
	}
	return strings.Join(strings.Fields(v), " ")
}

// mediaType reads a Content-Type value: the type in lower case and one
// parameter. mime.ParseMediaType would refuse many that mail systems write.
func mediaType(value, param string) (typ, p string) {
	typ, rest, _ := strings.Cut(value, ";")
	typ = strings.ToLower(strings.TrimSpace(typ))
	for rest != "" {
		rest = strings.TrimLeft(rest, " \t\n;")
		i := strings.IndexAny(rest, "=;")
		if i < 0 {
			break
		}
		if rest[i] == ';' {
			rest = rest[i:]
			continue
		}
		name := strings.TrimSpace(rest[:i])
		rest = strings.TrimLeft(rest[i+1:], " \t\n")
		var v string
		if strings.HasPrefix(rest, `"`) {
			v, rest = quotedString(rest)
		} else if i := strings.IndexAny(rest, "; \t\n"); i >= 0 {
			v, rest = rest[:i], rest[i:]
		} else {
			v, rest = rest, ""
		}
		if strings.EqualFold(name, param) {
			return typ, v
		}
	}
	return typ, ""
}

// quotedString reads the quoted string that s starts with.
func quotedString(s string) (v, rest string) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}

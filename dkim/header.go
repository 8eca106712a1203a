package dkim

import "bytes"

const (
	maxLine  = 998    // RFC 5322 §2.1.1, and smtp_line_length_limit of Postfix
	maxField = 102400 // header_size_limit of Postfix: what is beyond is cut off
)

// field is one field of the header: offsets into the content.
type field struct {
	start, colon, end int   // end is behind the last line's text, before its CRLF
	nameLen           int   // white space may stand between name and colon
	known             uint8 // index into the table of names; 0: not there
	role              role
	signed            bool
	plain             bool // one line without runs of white space
}

// header is what one walk over the header of a message found.
type header struct {
	fields []field
	body   int // offset of the body
	lines  int // lines before the body, for the number of a line at fault
	name   [maxLine]byte
}

// scan walks over the header of content and refuses what a relay would mangle. It keeps no
// reference to content.
func (h *header) scan(content []byte, names *nameTable) error {
	fields := h.fields[:0] // kept out of h inside the loop: every store of a slice costs a write barrier
	defer func() { h.fields = fields }()
	h.lines = 0
	for at := 0; ; {
		h.lines++
		if len(content) >= at+2 && content[at] == '\r' && content[at+1] == '\n' {
			h.body = at + 2
			return nil
		}
		if at == len(content) {
			return &Refusal{Reason: NoEmptyLine}
		}
		end, plain, err := h.line(content, at)
		if err != nil {
			return err
		}
		if isBlank(content[at]) {
			if len(fields) == 0 {
				return &Refusal{Reason: MalformedField, Line: h.lines}
			}
			f := &fields[len(fields)-1]
			f.end, f.plain = end, false
			if f.end-f.start > maxField {
				return &Refusal{Reason: FieldTooLong, Line: h.lines}
			}
			at = end + 2
			continue
		}
		f := field{start: at, end: end, plain: plain}
		lower := &h.name
		i := at
		for ; i < end && i-at < len(lower); i++ {
			c := fieldNameOctets[content[i]]
			if c == 0 {
				break
			}
			lower[i-at] = c
		}
		f.nameLen = i - at
		for i < end && isBlank(content[i]) { // RFC 5322 §4.5 allows white space here
			i++
		}
		if f.nameLen == 0 || i == end || content[i] != ':' {
			return &Refusal{Reason: MalformedField, Line: h.lines}
		}
		f.colon = i
		if f.known = names.find(lower[:f.nameLen]); f.known > 0 {
			known := &names.known[f.known]
			f.role, f.signed = known.role, known.signed
		} else {
			f.signed = names.signsUnknown(lower[:f.nameLen])
		}
		fields = append(fields, f)
		at = end + 2
	}
}

// line finds the end of the line that begins at offset at: the offset of its CRLF.
func (h *header) line(content []byte, at int) (end int, plain bool, err error) {
	plain = true
	limit := content[:min(len(content), at+maxLine+2)]
	for i := at; ; {
		i = nextStop(limit, i)
		if i == len(limit) {
			if len(limit) < len(content) || i-at > maxLine {
				return 0, false, &Refusal{Reason: LineTooLong, Line: h.lines}
			}
			return 0, false, &Refusal{Reason: NoEmptyLine, Line: h.lines}
		}
		switch content[i] {
		case '\r':
			if i+1 == len(content) || content[i+1] != '\n' {
				return 0, false, &Refusal{Reason: BareCR, Line: h.lines}
			}
			if i-at > maxLine {
				return 0, false, &Refusal{Reason: LineTooLong, Line: h.lines}
			}
			return i, plain, nil
		case '\n':
			return 0, false, &Refusal{Reason: BareLF, Line: h.lines}
		case 0:
			return 0, false, &Refusal{Reason: NUL, Line: h.lines}
		}
		plain = false
		i++
	}
}

// spaced reports whether white space stands before the colon (RFC 5322 §4.5, obsolete).
func (f *field) spaced() bool { return f.colon != f.start+f.nameLen }

// appendName appends the name of f in lower case.
func (f *field) appendName(dst, content []byte, names *nameTable) []byte {
	if f.known > 0 {
		return append(dst, names.known[f.known].lower...)
	}
	for _, c := range content[f.start : f.start+f.nameLen] {
		dst = append(dst, fieldNameOctets[c])
	}
	return dst
}

// appendRelaxed appends the relaxed form of f (RFC 6376 §3.4.2) with its CRLF.
func (f *field) appendRelaxed(dst, content []byte, names *nameTable) []byte {
	dst = f.appendName(dst, content, names)
	dst = append(dst, ':')
	value := content[f.colon+1 : f.end]
	if f.plain {
		if len(value) > 0 && value[0] == ' ' {
			value = value[1:]
		}
		if n := len(value); n > 0 && value[n-1] == ' ' {
			value = value[:n-1]
		}
		dst = append(dst, value...)
	} else {
		dst = appendRelaxedValue(dst, value)
	}
	return append(dst, '\r', '\n')
}

// appendRelaxedValue appends value unfolded, with every run of white space as one space, and none at
// its ends.
func appendRelaxedValue(dst, value []byte) []byte {
	value = bytes.TrimFunc(value, func(r rune) bool { return r < 0x80 && isSpace(byte(r)) })
	from := 0
	for i := 0; i < len(value); {
		i = nextStop(value, i)
		if i == len(value) || !isSpace(value[i]) {
			i++
			continue
		}
		run := i
		for run > from && isSpace(value[run-1]) {
			run--
		}
		for isSpace(value[i]) { // ends before the end of value, which is trimmed
			i++
		}
		dst = append(dst, value[from:run]...)
		dst = append(dst, ' ')
		from = i
	}
	return append(dst, value[from:]...)
}

package dkim

import "hash"

// bodyHasher feeds a hash with the relaxed form of a body (RFC 6376 §3.4.4). Long spans that are
// canonical already go to the hash as they stand; short ones are gathered first.
type bodyHasher struct {
	hash   hash.Hash
	gather []byte
}

const (
	gatherSize = 2048
	longSpan   = 512
)

func newBodyHasher(h hash.Hash) *bodyHasher {
	return &bodyHasher{hash: h, gather: make([]byte, 0, gatherSize)}
}

func (w *bodyHasher) write(b []byte) {
	if len(w.gather)+len(b) > cap(w.gather) || len(b) >= longSpan {
		w.flush()
	}
	if len(b) >= longSpan {
		w.hash.Write(b)
		return
	}
	w.gather = append(w.gather, b...)
}

func (w *bodyHasher) flush() {
	if len(w.gather) > 0 {
		w.hash.Write(w.gather)
		w.gather = w.gather[:0]
	}
}

// sum hashes the relaxed form of body and appends the result to dst. It refuses what a relay would
// mangle; lines is the number of lines before the body.
func (w *bodyHasher) sum(dst, body []byte, lines int) ([]byte, error) {
	w.hash.Reset()
	w.gather = w.gather[:0]
	if err := w.relax(body, lines); err != nil {
		return nil, err
	}
	w.flush()
	return w.hash.Sum(dst), nil
}

// relax walks over the body once. What lies between from and i is canonical but not yet written.
func (w *bodyHasher) relax(body []byte, lines int) error {
	// White space at the end of lines and empty lines at the end of the body do not count, so
	// nothing behind the last octet of text is hashed but one CRLF.
	text := len(body)
	for text > 0 && isSpace(body[text-1]) {
		text--
	}
	line, from := 0, 0
	for i := 0; ; {
		i = nextStop(body, i)
		if i == len(body) {
			break
		}
		switch body[i] {
		case '\r':
			if i+1 == len(body) || body[i+1] != '\n' {
				return refuseLine(BareCR, body, i, lines)
			}
			if i-line > maxLine {
				return refuseLine(LineTooLong, body, i, lines)
			}
			if i < text {
				end := i
				for end > from && isBlank(body[end-1]) {
					end--
				}
				if end < i {
					w.write(body[from:end])
					from = i
				}
			}
			i += 2
			line = i
		case '\n':
			return refuseLine(BareLF, body, i, lines)
		case 0:
			return refuseLine(NUL, body, i, lines)
		case ' ', '\t':
			run := i
			for run > line && isBlank(body[run-1]) {
				run--
			}
			for i < len(body) && isBlank(body[i]) {
				i++
			}
			if i < text && body[i] != '\r' && (i-run > 1 || body[run] == '\t') {
				w.write(body[from:run])
				w.write(oneSpace)
				from = i
			}
		default: // another control is text
			i++
		}
	}
	if len(body)-line > maxLine {
		return refuseLine(LineTooLong, body, len(body), lines)
	}
	if text > 0 {
		w.write(body[from:text])
		w.write(crlf)
	}
	return nil
}

var (
	oneSpace = []byte(" ")
	crlf     = []byte("\r\n")
)

// refuseLine counts lines only now that the number is wanted.
func refuseLine(r Reason, body []byte, at, lines int) error {
	for _, c := range body[:at] {
		if c == '\n' {
			lines++
		}
	}
	return &Refusal{Reason: r, Line: lines + 1}
}

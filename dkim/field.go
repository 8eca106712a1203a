package dkim

import (
	"encoding/base64"
	"strconv"
)

// foldAt is the width that lines of a DKIM-Signature field keep to. RFC 5322 §2.1.1 asks for 78, and
// no relay folds again what is shorter. Where a line is folded the canonical form has one space, so
// a relay that unfolds, or folds elsewhere at that white space, breaks nothing.
const foldAt = 76

// fieldWriter writes a DKIM-Signature field in the form it is sent and, at the same time, in the
// canonical form that is hashed.
type fieldWriter struct {
	raw, canon []byte
	column     int
}

func (w *fieldWriter) put(s string) {
	w.raw = append(w.raw, s...)
	w.canon = append(w.canon, s...)
	w.column += len(s)
}

func (w *fieldWriter) fold() {
	w.raw = append(w.raw, "\r\n\t"...)
	w.canon = append(w.canon, ' ')
	w.column = 1
}

// tag writes one tag behind at least one other, on the same line where it fits.
func (w *fieldWriter) tag(name, value string) {
	if w.column+len(name)+len(value)+3 > foldAt {
		w.fold()
	} else {
		w.put(" ")
	}
	w.put(name)
	w.put("=")
	w.put(value)
	w.put(";")
}

// number is tag for a count of seconds.
func (w *fieldWriter) number(name string, n int64) {
	var digits [20]byte
	if w.column+len(name)+15 > foldAt {
		w.fold()
	} else {
		w.put(" ")
	}
	w.put(name)
	w.put("=")
	text := strconv.AppendInt(digits[:0], n, 10)
	w.raw = append(w.raw, text...)
	w.canon = append(w.canon, text...)
	w.column += len(text)
	w.put(";")
}

// names writes the tag h=: the signed fields of h from the last to the first, which is the order in
// which a verifier picks repeated ones (RFC 6376 §5.4.2), then the oversigned names.
func (w *fieldWriter) names(content []byte, h *header, tail string) {
	w.fold()
	w.put("h=")
	first := true
	for i := len(h.fields) - 1; i >= 0; i-- {
		f := &h.fields[i]
		if !f.signed {
			continue
		}
		if !first {
			w.put(":")
		}
		first = false
		if w.column+f.nameLen+1 > foldAt {
			w.fold()
		}
		from := len(w.raw)
		for _, c := range content[f.start : f.start+f.nameLen] {
			w.raw = append(w.raw, fieldNameOctets[c])
		}
		w.canon = append(w.canon, w.raw[from:]...)
		w.column += f.nameLen
	}
	for start := 0; start < len(tail); {
		end := start
		for end < len(tail) && tail[end] != ':' {
			end++
		}
		w.put(":")
		if w.column+end-start+1 > foldAt {
			w.fold()
		}
		w.put(tail[start:end])
		start = end + 1
	}
	w.put(";")
}

// bodyHash writes the tag bh=.
func (w *fieldWriter) bodyHash(hash []byte) {
	w.fold()
	w.put("bh=")
	from := len(w.raw)
	w.raw = base64.StdEncoding.AppendEncode(w.raw, hash)
	w.canon = append(w.canon, w.raw[from:]...)
	w.put(";")
}

// appendFolded appends the value of b=, which begins at column 3, and the final CRLF.
func appendFolded(dst, text []byte) []byte {
	for width := foldAt - 3; len(text) > width; width = foldAt - 1 {
		dst = append(dst, text[:width]...)
		dst = append(dst, "\r\n\t"...)
		text = text[width:]
	}
	dst = append(dst, text...)
	return append(dst, '\r', '\n')
}

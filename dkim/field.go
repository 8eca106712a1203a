package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
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

// times writes the tags t= and, where lifetime is not zero, x=, on a line of their own.
func (w *fieldWriter) times(now, lifetime int64) {
	w.fold()
	from := len(w.raw)
	w.raw = append(w.raw, "t="...)
	w.raw = strconv.AppendInt(w.raw, now, 10)
	if lifetime > 0 {
		w.raw = append(w.raw, "; x="...)
		w.raw = strconv.AppendInt(w.raw, now+lifetime, 10)
	}
	w.raw = append(w.raw, ';')
	w.canon = append(w.canon, w.raw[from:]...)
}

// names writes the tag h=: the signed fields of h from the last to the first, which is the order in
// which a verifier picks repeated ones (RFC 6376 §5.4.2), then the oversigned names.
func (w *fieldWriter) names(content []byte, h *header, table *nameTable) {
	w.fold()
	w.put("h=")
	first := true
	for i := len(h.fields) - 1; i >= 0; i-- {
		f := &h.fields[i]
		if !f.signed {
			continue
		}
		w.name(first, f.nameLen)
		first = false
		from := len(w.raw)
		w.raw = f.appendName(w.raw, content, table)
		w.canon = append(w.canon, w.raw[from:]...)
	}
	for _, name := range table.tail {
		w.name(first, len(name))
		w.raw = append(w.raw, name...)
		w.canon = append(w.canon, name...)
	}
	w.put(";")
}

// name makes room for a name of n octets in h=.
func (w *fieldWriter) name(first bool, n int) {
	if !first {
		w.put(":")
	}
	if w.column+n+1 > foldAt {
		w.fold()
	}
	w.column += n
}

// bodyHash writes the tag bh= and the beginning of b=.
func (w *fieldWriter) bodyHash(hash []byte) {
	w.raw = append(w.raw, "\r\n\tbh="...)
	w.canon = append(w.canon, " bh="...)
	from := len(w.raw)
	w.raw = base64.StdEncoding.AppendEncode(w.raw, hash)
	w.canon = append(w.canon, w.raw[from:]...)
	w.raw = append(w.raw, ";\r\n\tb="...)
	w.canon = append(w.canon, "; b="...)
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

// fieldRoom is how many octets a field takes behind its first tags, without h=.
func fieldRoom(public crypto.PublicKey) int {
	size := ed25519.SignatureSize
	if p, ok := public.(*rsa.PublicKey); ok {
		size = p.Size()
	}
	text := base64.StdEncoding.EncodedLen(size)
	const times, bodyHash, end = 40, 60, 2
	return times + bodyHash + end + text + text/(foldAt-1)*len("\r\n\t")
}

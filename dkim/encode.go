package dkim

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"slices"
	"strings"
)

// Errors of [Prepare] with Encode, for errors.Is.
var (
	// ErrSealedPart: a part that is signed or encrypted would have to be encoded, which breaks it.
	ErrSealedPart = errors.New("dkim: a signed or encrypted part needs encoding: encode it before it is signed or encrypted")
	// ErrMIME: the structure of the message cannot be followed.
	ErrMIME = errors.New("dkim: malformed MIME structure")
)

const maxDepth = 20 // of parts within parts

// encodeMessage returns content with every part fit for any relay; content itself where it is.
func encodeMessage(content []byte) ([]byte, error) {
	if !needsEncoding(content) {
		return content, nil
	}
	return encodeEntity(content, "text/plain", 0)
}

// needsEncoding reports whether a relay could have to change b: 8-bit octets, NUL, bare CR, lines
// over 998 octets.
func needsEncoding(b []byte) bool {
	line := 0
	for i, c := range b {
		switch {
		case c >= 0x80, c == 0, c == '\r' && (i+1 == len(b) || b[i+1] != '\n'):
			return true
		case c == '\r':
			if i-line > maxLine {
				return true
			}
		case c == '\n':
			line = i + 1
		}
	}
	return len(b)-line > maxLine
}

// entity is a message or a part, taken apart.
type entity struct {
	fields    [][]byte // with their CRLF and continuation lines
	end       []byte   // the empty line behind the header; none where there is no body either
	body      []byte
	mediaType string
	boundary  string
	encoding  string
}

// encodeEntity encodes a message or part. usual is its type where it gives none.
func encodeEntity(text []byte, usual string, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: parts within parts more than %d deep", ErrMIME, maxDepth)
	}
	e := parseEntity(text, usual)
	for i, f := range e.fields {
		e.fields[i] = refold(f)
	}
	if !needsEncoding(e.body) {
		return e.text(), nil
	}
	var err error
	switch {
	case e.mediaType == "multipart/signed" || e.mediaType == "multipart/encrypted":
		return nil, ErrSealedPart
	case strings.HasPrefix(e.mediaType, "multipart/"):
		err = e.encodeMultipart(depth)
	case e.mediaType == "message/rfc822" || e.mediaType == "message/global":
		// RFC 2046 §5.2.1 allows these no encoding of their own, so their parts get one.
		if e.body, err = encodeEntity(e.body, "text/plain", depth+1); err == nil {
			err = e.container()
		}
	default:
		err = e.encodeLeaf()
	}
	if err != nil {
		return nil, err
	}
	return e.text(), nil
}

func parseEntity(text []byte, usual string) *entity {
	e := &entity{mediaType: usual}
	for len(text) > 0 && !bytes.HasPrefix(text, crlf) {
		n := 0
		for {
			i := bytes.Index(text[n:], crlf)
			if i < 0 {
				n = len(text)
				break
			}
			n += i + len(crlf)
			if n == len(text) || !isBlank(text[n]) {
				break
			}
		}
		e.fields = append(e.fields, text[:n])
		text = text[n:]
	}
	if len(text) > 0 {
		e.end, e.body = text[:len(crlf)], text[len(crlf):]
	}
	if v, ok := e.value("Content-Type"); ok {
		mediaType, params, err := mime.ParseMediaType(v)
		if mediaType == "" || err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
			mediaType, _, _ = strings.Cut(v, ";")
			mediaType = strings.ToLower(strings.TrimSpace(mediaType))
		}
		e.mediaType, e.boundary = mediaType, params["boundary"]
	}
	v, _ := e.value("Content-Transfer-Encoding")
	e.encoding = strings.ToLower(strings.TrimSpace(v))
	return e
}

// value returns the unfolded value of the first field of a name.
func (e *entity) value(name string) (string, bool) {
	for _, f := range e.fields {
		if n, v, ok := bytes.Cut(f, []byte(":")); ok && strings.EqualFold(string(bytes.TrimRight(n, " \t")), name) {
			return string(appendRelaxedValue(nil, v)), true
		}
	}
	return "", false
}

// setEncoding puts the transfer encoding into the header.
func (e *entity) setEncoding(encoding string) {
	e.fields = slices.DeleteFunc(e.fields, func(f []byte) bool {
		n, _, _ := bytes.Cut(f, []byte(":"))
		return strings.EqualFold(string(bytes.TrimRight(n, " \t")), "Content-Transfer-Encoding")
	})
	e.fields = append(e.fields, []byte("Content-Transfer-Encoding: "+encoding+"\r\n"))
}

func (e *entity) text() []byte {
	return append(append(bytes.Join(e.fields, nil), e.end...), e.body...)
}

// container makes the header of a part that holds parts fit them: they are all 7bit now.
func (e *entity) container() error {
	switch e.encoding {
	case "", "7bit":
	case "8bit", "binary":
		e.setEncoding("7bit")
	default: // RFC 2045 §6.4
		return fmt.Errorf("%w: a part that holds parts has the Content-Transfer-Encoding %.32q", ErrMIME, e.encoding)
	}
	return nil
}

// encodeMultipart encodes the parts of the body (RFC 2046 §5.1.1).
func (e *entity) encodeMultipart(depth int) error {
	if e.boundary == "" {
		return fmt.Errorf("%w: a multipart without boundary", ErrMIME)
	}
	usual := "text/plain"
	if e.mediaType == "multipart/digest" {
		usual = "message/rfc822"
	}
	var out []byte
	start, open := 0, false // of the piece before the next delimiter; whether it is a part
	for at := 0; at < len(e.body); {
		end := len(e.body)
		if n := bytes.Index(e.body[at:], crlf); n >= 0 {
			end = at + n + len(crlf)
		}
		isDelimiter, last := e.delimiter(e.body[at:end])
		if isDelimiter {
			piece := e.body[start:at]
			var err error
			if out, err = appendPiece(out, piece, open, usual, depth); err != nil {
				return err
			}
			out = append(out, e.body[at:end]...)
			start, open = end, !last
			if last {
				break
			}
		}
		at = end
	}
	if start == 0 {
		return fmt.Errorf("%w: a multipart in which its boundary is not found", ErrMIME)
	}
	out, err := appendPiece(out, e.body[start:], open, usual, depth)
	if err != nil {
		return err
	}
	e.body = out
	return e.container()
}

// appendPiece appends a part, or what stands before the first or behind the last. The line end before
// a delimiter belongs to the delimiter.
func appendPiece(out, piece []byte, isPart bool, usual string, depth int) ([]byte, error) {
	if !needsEncoding(piece) {
		return append(out, piece...), nil
	}
	if !isPart { // nobody is shown it (RFC 2046 §5.1.1), and it cannot be encoded
		return append(out, crlf...), nil
	}
	text, hasEnd := bytes.CutSuffix(piece, crlf)
	encoded, err := encodeEntity(text, usual, depth+1)
	if err != nil {
		return nil, err
	}
	out = append(out, encoded...)
	if hasEnd {
		out = append(out, crlf...)
	}
	return out, nil
}

// delimiter reports whether line is a delimiter, and whether it is the closing one.
func (e *entity) delimiter(line []byte) (is, last bool) {
	rest, ok := bytes.CutPrefix(line, []byte("--"+e.boundary))
	if !ok {
		return false, false
	}
	rest, last = bytes.CutPrefix(rest, []byte("--"))
	return len(bytes.TrimRight(rest, " \t\r\n")) == 0, last
}

// encodeLeaf encodes the body of a part that holds no parts.
func (e *entity) encodeLeaf() error {
	body := e.body
	switch e.encoding {
	case "", "7bit", "8bit", "binary":
	case "base64":
		decoded, err := base64.StdEncoding.DecodeString(withoutFWS(string(body)))
		if err != nil {
			return fmt.Errorf("%w: a part with Content-Transfer-Encoding base64 is not base64", ErrMIME)
		}
		e.body = appendBase64(nil, decoded)
		return nil
	case "quoted-printable":
		r := quotedprintable.NewReader(bufio.NewReaderSize(bytes.NewReader(body), len(body)+16))
		decoded, err := io.ReadAll(r)
		if err != nil {
			return fmt.Errorf("%w: a part with Content-Transfer-Encoding quoted-printable is not", ErrMIME)
		}
		body = decoded
	default:
		return fmt.Errorf("%w: a part has the unknown Content-Transfer-Encoding %.32q", ErrMIME, e.encoding)
	}
	if strings.HasPrefix(e.mediaType, "text/") && bytes.IndexByte(body, 0) < 0 || strings.HasPrefix(e.mediaType, "message/") {
		e.body = appendQuotedPrintable(nil, body)
		e.setEncoding("quoted-printable")
	} else {
		e.body = appendBase64(nil, body)
		e.setEncoding("base64")
	}
	return nil
}

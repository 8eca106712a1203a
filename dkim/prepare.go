package dkim

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// PrepareOptions say how [Prepare] completes a message. The zero value is a good choice.
type PrepareOptions struct {
	// Now gives the time for Date. Nil: time.Now.
	Now func() time.Time
	// MessageIDDomain is the right side of a Message-ID that is made. Empty: the domain of the first
	// address in From.
	MessageIDDomain string
	// Encode re-encodes parts that hold 8-bit octets or lines of more than 998 octets: text as
	// quoted-printable, all else as base64. A relay does so on the way to a receiver without
	// 8BITMIME, which breaks the signature (RFC 6376 §5.3). Header lines that are too long are
	// folded. Signed and encrypted parts (multipart/signed, multipart/encrypted) are not touched:
	// if they need it, Prepare fails with ErrSealedPart.
	Encode bool
}

// Prepare makes of content a message that Sign accepts, as far as that can be done without guessing:
// it turns bare LF into CRLF, adds Date, Message-ID and MIME-Version where they are missing, and the
// empty line behind the header; it drops Bcc, Resent-Bcc, Return-Path and Content-Length, which
// relays would drop, and white space before the colon of a field. The result is content itself where nothing had to be done, else a new slice;
// content is never modified.
//
// The error is a [*Refusal] for what cannot be mended, as a bare CR or a NUL in the header.
func Prepare(content []byte, o PrepareOptions) ([]byte, error) {
	content = endHeader(smtpwire.ToCRLF(content))
	if o.Encode {
		var err error
		if content, err = encodeMessage(content); err != nil {
			return nil, err
		}
	}
	var h header
	if err := h.scan(content, prepareNames); err != nil {
		return nil, err
	}
	var edit headerEdit
	for i := range h.fields {
		edit.see(&h.fields[i])
	}
	if !edit.changed && edit.complete() {
		return content, nil
	}
	return edit.apply(content, &h, &o)
}

// headerEdit gathers what Prepare has to do to the header.
type headerEdit struct {
	changed                      bool // a field goes, or changes
	date, messageID, mimeVersion bool // present
}

func (e *headerEdit) complete() bool { return e.date && e.messageID && e.mimeVersion }

func (e *headerEdit) see(f *field) {
	e.changed = e.changed || f.role == roleForbidden || f.spaced()
	switch f.role {
	case roleDate:
		e.date = true
	case roleMessageID:
		e.messageID = true
	case roleMIMEVersion:
		e.mimeVersion = true
	}
}

func (e *headerEdit) apply(content []byte, h *header, o *PrepareOptions) ([]byte, error) {
	out := make([]byte, 0, len(content)+256)
	for i := range h.fields {
		if f := &h.fields[i]; f.role != roleForbidden {
			out = append(out, content[f.start:f.start+f.nameLen]...)
			out = append(out, content[f.colon:f.end+len(crlf)]...)
		}
	}
	if !e.date {
		now := time.Now
		if o.Now != nil {
			now = o.Now
		}
		out = append(out, "Date: "+now().Format("Mon, 02 Jan 2006 15:04:05 -0700")+"\r\n"...)
	}
	if !e.messageID {
		domain := o.MessageIDDomain
		if domain == "" {
			d, err := new(header).fromDomain(content)
			if err != nil {
				return nil, err
			}
			domain = string(d)
		}
		var err error
		if domain, _, err = signingDomain(domain); err != nil {
			return nil, errors.New("dkim: Prepare: MessageIDDomain is no domain name, or From has none that can stand in its place")
		}
		out = append(out, "Message-ID: <"+rand.Text()+"@"+domain+">\r\n"...)
	}
	if !e.mimeVersion {
		out = append(out, "MIME-Version: 1.0\r\n"...)
	}
	return append(out, content[h.body-len(crlf):]...), nil
}

var prepareNames = tableOf(
	fieldName{lower: "from", role: roleFrom},
	fieldName{lower: "date", role: roleDate},
	fieldName{lower: "message-id", role: roleMessageID},
	fieldName{lower: "mime-version", role: roleMIMEVersion},
	fieldName{lower: "bcc", role: roleForbidden},
	fieldName{lower: "resent-bcc", role: roleForbidden},
	fieldName{lower: "return-path", role: roleForbidden},
	fieldName{lower: "content-length", role: roleForbidden},
)

// endHeader adds the empty line that a message without a body may lack.
func endHeader(content []byte) []byte {
	if bytes.HasPrefix(content, crlf) || bytes.Contains(content, []byte("\r\n\r\n")) {
		return content
	}
	out := slices.Clone(content)
	if !bytes.HasSuffix(out, crlf) {
		out = append(out, crlf...)
	}
	return append(out, crlf...)
}

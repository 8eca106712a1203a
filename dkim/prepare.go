package dkim

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"time"
)

// PrepareOptions say how [Prepare] completes a message. The zero value is a good choice.
type PrepareOptions struct {
	// Now gives the time for Date. Nil: time.Now.
	Now func() time.Time
	// MessageIDDomain is the right side of a Message-ID that is made. Empty: the domain of the first
	// address in From.
	MessageIDDomain string
}

// Prepare makes of content a message that Sign accepts, as far as that can be done without guessing:
// it turns bare LF into CRLF, adds Date, Message-ID and MIME-Version where they are missing, and the
// empty line behind the header; it drops Bcc, Resent-Bcc, Return-Path and Content-Length, which
// relays would drop. The result is content itself where nothing had to be done, else a new slice;
// content is never modified.
//
// The error is a [*Refusal] for what cannot be mended, as a bare CR or a NUL.
func Prepare(content []byte, o PrepareOptions) ([]byte, error) {
	content = endHeader(ToCRLF(content))
	var h header
	if err := h.scan(content, prepareNames); err != nil {
		return nil, err
	}
	var edit headerEdit
	for i := range h.fields {
		edit.see(&h.fields[i])
	}
	if !edit.dropped && edit.complete() {
		return content, nil
	}
	out := make([]byte, 0, len(content)+256)
	for i := range h.fields {
		if f := &h.fields[i]; f.role != roleForbidden {
			out = append(out, content[f.start:f.end+len(crlf)]...)
		}
	}
	if !edit.date {
		now := time.Now
		if o.Now != nil {
			now = o.Now
		}
		out = append(out, "Date: "+now().Format("Mon, 02 Jan 2006 15:04:05 -0700")+"\r\n"...)
	}
	if !edit.messageID {
		domain := o.MessageIDDomain
		if domain == "" {
			d, err := fromDomain(content)
			if err != nil {
				return nil, err
			}
			domain = string(d)
		}
		if !isDomain(domain) {
			return nil, errors.New("dkim: Prepare: MessageIDDomain is no domain name, or From has none that can stand in its place")
		}
		out = append(out, "Message-ID: <"+rand.Text()+"@"+domain+">\r\n"...)
	}
	if !edit.mimeVersion {
		out = append(out, "MIME-Version: 1.0\r\n"...)
	}
	return append(out, content[h.body-len(crlf):]...), nil
}

// headerEdit gathers what Prepare has to do.
type headerEdit struct {
	dropped, date, messageID, mimeVersion bool
}

func (e *headerEdit) complete() bool { return e.date && e.messageID && e.mimeVersion }

func (e *headerEdit) see(f *field) {
	switch f.role {
	case roleForbidden:
		e.dropped = true
	case roleDate:
		e.date = true
	case roleMessageID:
		e.messageID = true
	case roleMIMEVersion:
		e.mimeVersion = true
	}
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

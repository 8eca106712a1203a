package dkim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// DefaultHeaders returns the names of the fields that are signed when Config.Headers is nil, each as
// often as it is present. "*" at the end of a name stands for any rest.
func DefaultHeaders() []string { return slices.Clone(defaultHeaders) }

// RFC 6376 §5.4.1 names the first lines; RFC 8058 §4 demands the List-Unsubscribe fields, RFC 9477
// §3.1.2 CFBL-Address and CFBL-Feedback-ID. Feedback-ID and BIMI-Selector are only honoured signed.
var defaultHeaders = []string{
	"From", "Reply-To", "Sender", "Subject", "Date", "To", "Cc",
	"Message-ID", "In-Reply-To", "References", "MIME-Version", "Content-*", "List-*",
	"Feedback-ID", "CFBL-Address", "CFBL-Feedback-ID", "BIMI-Selector",
}

// oversigned names are listed once more than the field is present, so that none can be added on the
// way without breaking the signature (RFC 6376 §8.15).
var oversigned = []string{
	"from", "to", "cc", "subject", "date", "message-id", "reply-to",
	"mime-version", "content-type", "content-transfer-encoding",
}

// neverSigned names belong to relays: they add or remove them. Content-Length is here because
// Postfix drops it (message_drop_headers), and "Content-*" would otherwise cover it.
var neverSigned = []string{
	"return-path", "received", "bcc", "resent-bcc", "content-length", "dkim-signature",
	"authentication-results", "arc-seal", "arc-message-signature", "arc-authentication-results",
}

// role is what Sign must know of a field by its name.
type role uint8

const (
	other role = iota
	roleFrom
	roleDate
	roleMessageID
	roleSubject
	roleTo
	roleListUnsubscribe
	roleListUnsubscribePost
	roleMIMEVersion // for Prepare only
	roleForbidden
)

// fieldName is what is known of one well-known name.
type fieldName struct {
	spelling string
	role     role
	signed   bool
}

// nameTable tells for the name of a field whether it is signed.
type nameTable struct {
	known    map[string]fieldName // by lower-case name
	prefixes []string             // lower-case, of the wildcards
	tail     string               // the oversigned names, as they end h=
}

// newNameTable prepares the table for the given list of headers; nil means defaultHeaders.
func newNameTable(headers []string) (*nameTable, error) {
	if headers == nil {
		headers = defaultHeaders
	}
	t := &nameTable{known: map[string]fieldName{
		"from":                  {spelling: "From", role: roleFrom},
		"date":                  {spelling: "Date", role: roleDate},
		"message-id":            {spelling: "Message-ID", role: roleMessageID},
		"subject":               {spelling: "Subject", role: roleSubject},
		"to":                    {spelling: "To", role: roleTo},
		"list-unsubscribe":      {spelling: "List-Unsubscribe", role: roleListUnsubscribe},
		"list-unsubscribe-post": {spelling: "List-Unsubscribe-Post", role: roleListUnsubscribePost},
		"bcc":                   {spelling: "Bcc", role: roleForbidden},
		"resent-bcc":            {spelling: "Resent-Bcc", role: roleForbidden},
		"return-path":           {spelling: "Return-Path", role: roleForbidden},
	}}
	var errs []error
	for _, h := range headers {
		name := strings.ToLower(h)
		prefix, wild := strings.CutSuffix(name, "*")
		switch {
		case prefix == "" || !isFieldName(prefix):
			errs = append(errs, fmt.Errorf("dkim: Headers: %q is no field name", h))
		case slices.Contains(neverSigned, name):
			errs = append(errs, fmt.Errorf("dkim: Headers: %s is never signed, relays change it", h))
		case wild:
			t.prefixes = append(t.prefixes, prefix)
		default:
			t.sign(name)
		}
	}
	// Names with a place of their own in the table would miss their wildcard otherwise.
	for name := range t.known {
		if t.hasPrefix(name) {
			t.sign(name)
		}
	}
	for _, name := range neverSigned {
		f := t.known[name]
		f.signed = false
		t.known[name] = f
	}
	if !t.known["from"].signed {
		errs = append(errs, errors.New("dkim: Headers: From must be signed (RFC 6376 §5.4)"))
	}
	var tail []string
	for _, name := range oversigned {
		if t.known[name].signed || t.hasPrefix(name) {
			tail = append(tail, name)
		}
	}
	t.tail = strings.Join(tail, ":")
	return t, errors.Join(errs...)
}

func (t *nameTable) sign(name string) {
	f := t.known[name]
	f.signed = true
	t.known[name] = f
}

func (t *nameTable) hasPrefix(name string) bool {
	for _, p := range t.prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// lookup tells about the field of the given lower-case name.
func (t *nameTable) lookup(name []byte) fieldName {
	if f, ok := t.known[string(name)]; ok {
		return f
	}
	for _, p := range t.prefixes {
		if len(name) > len(p) && string(name[:len(p)]) == p {
			return fieldName{signed: true}
		}
	}
	return fieldName{}
}

// isFieldName reports whether s has only the octets of a field name (RFC 5322 §3.6.8). A semicolon
// is one of them, but cannot stand in h= (RFC 6376 §3.5, hdr-name), so it is not taken.
func isFieldName(s string) bool {
	for i := range len(s) {
		if fieldNameOctets[s[i]] == 0 {
			return false
		}
	}
	return s != ""
}

// fieldNameOctets maps an octet of a field name to its lower-case form, any other octet to 0.
var fieldNameOctets = func() (t [256]byte) {
	for c := byte(33); c < 127; c++ {
		t[c] = c
		if 'A' <= c && c <= 'Z' {
			t[c] = c + 'a' - 'A'
		}
	}
	t[':'] = 0
	t[';'] = 0
	return t
}()

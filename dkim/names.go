package dkim

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// DefaultHeaders returns the names of the fields that are signed when Config.Headers is nil, each as
// often as it is present. "*" at the end of a name stands for any rest.
func DefaultHeaders() []string { return slices.Clone(defaultHeaders) }

// RFC 6376 §5.4.1 names the first lines; RFC 8058 §4 demands the List-Unsubscribe fields, RFC 9477
// CFBL-Address and CFBL-Feedback-ID. Feedback-ID and BIMI-Selector are only honoured signed.
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
	roleMIMEVersion // for Prepare
	roleForbidden
)

// fieldName is what is known of one name.
type fieldName struct {
	lower    string
	spelling string // the usual one; for names with a role
	role     role
	signed   bool
}

// wellKnown are the names with a role, and others that are frequent: they are found without a look
// at the wildcards.
var wellKnown = []fieldName{
	{lower: "from", spelling: "From", role: roleFrom},
	{lower: "date", spelling: "Date", role: roleDate},
	{lower: "message-id", spelling: "Message-ID", role: roleMessageID},
	{lower: "subject", spelling: "Subject", role: roleSubject},
	{lower: "to", spelling: "To", role: roleTo},
	{lower: "list-unsubscribe", spelling: "List-Unsubscribe", role: roleListUnsubscribe},
	{lower: "list-unsubscribe-post", spelling: "List-Unsubscribe-Post", role: roleListUnsubscribePost},
	{lower: "bcc", spelling: "Bcc", role: roleForbidden},
	{lower: "resent-bcc", spelling: "Resent-Bcc", role: roleForbidden},
	{lower: "return-path", spelling: "Return-Path", role: roleForbidden},
	{lower: "content-type"}, {lower: "content-transfer-encoding"}, {lower: "content-disposition"},
	{lower: "content-language"}, {lower: "content-id"}, {lower: "content-description"},
	{lower: "list-id"}, {lower: "list-help"}, {lower: "list-owner"}, {lower: "list-post"},
	{lower: "list-archive"}, {lower: "list-subscribe"},
}

// nameTable tells for the name of a field whether it is signed, and its role.
type nameTable struct {
	known    []fieldName // the first stands for all that are not known
	index    [256]uint8  // into known, by hashName; 0 ends a search
	prefixes []string    // lower-case, of the wildcards
	tail     []string    // the oversigned names, which end h=
}

// newNameTable prepares the table for the given list of headers; nil means defaultHeaders. It
// returns a table even where there is an error.
func newNameTable(headers []string) (*nameTable, error) {
	if headers == nil {
		headers = defaultHeaders
	}
	var errs []error
	t := &nameTable{known: append([]fieldName{{}}, wellKnown...)}
	for _, h := range headers {
		name := strings.ToLower(h)
		prefix, wild := strings.CutSuffix(name, "*")
		switch {
		case prefix == "" || !isFieldName(prefix):
			errs = append(errs, fmt.Errorf("dkim: Headers: %.64q is no field name", h))
		case strings.Contains(name, "="):
			errs = append(errs, fmt.Errorf("dkim: Headers: %s cannot be signed: some verifiers take its \"=\" for a tag of the signature", h))
		case slices.Contains(neverSigned, name):
			errs = append(errs, fmt.Errorf("dkim: Headers: %s is never signed, relays change it", h))
		case wild:
			t.prefixes = append(t.prefixes, prefix)
		default:
			t.entry(name).signed = true
		}
	}
	for _, name := range neverSigned {
		t.entry(name)
	}
	for i := 1; i < len(t.known); i++ {
		f := &t.known[i]
		f.signed = (f.signed || t.hasPrefix(f.lower)) && !slices.Contains(neverSigned, f.lower)
	}
	if len(t.known) > 200 {
		return t, errors.New("dkim: Headers: more than 150 names")
	}
	t.buildIndex()
	if !t.signs("from") {
		errs = append(errs, errors.New("dkim: Headers: From must be signed (RFC 6376 §5.4)"))
	}
	for _, name := range oversigned {
		if t.signs(name) {
			t.tail = append(t.tail, name)
		}
	}
	return t, errors.Join(errs...)
}

// tableOf makes a table of names with a role, of which none is signed.
func tableOf(names ...fieldName) *nameTable {
	t := &nameTable{known: append([]fieldName{{}}, names...)}
	t.buildIndex()
	return t
}

// entry returns the place of a name in the table, which it adds where it is new.
func (t *nameTable) entry(name string) *fieldName {
	i := slices.IndexFunc(t.known, func(f fieldName) bool { return f.lower == name })
	if i < 0 {
		i = len(t.known)
		t.known = append(t.known, fieldName{lower: name})
	}
	return &t.known[i]
}

func (t *nameTable) buildIndex() {
	for i := 1; i < len(t.known); i++ {
		slot := hashName([]byte(t.known[i].lower))
		for t.index[slot] != 0 {
			slot++
		}
		t.index[slot] = uint8(i)
	}
}

// hashName spreads the usual names of header fields well enough. The name is not empty.
func hashName(name []byte) uint8 {
	return name[0]*5 + name[len(name)/2]*3 + name[len(name)-1] + uint8(len(name))*16
}

// find returns the index into known of a lower-case name; 0 where it is not known.
func (t *nameTable) find(name []byte) uint8 {
	for slot := hashName(name); ; slot++ {
		i := t.index[slot]
		if i == 0 || t.known[i].lower == string(name) {
			return i
		}
	}
}

// signs reports whether fields of the given lower-case name are signed.
func (t *nameTable) signs(name string) bool {
	if i := t.find([]byte(name)); i > 0 {
		return t.known[i].signed
	}
	return t.hasPrefix(name)
}

func (t *nameTable) hasPrefix(name string) bool {
	return slices.ContainsFunc(t.prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// signsUnknown is signs for a name that find does not know. One with "=" is left alone: verifiers that look for the tag b= with
// a pattern find "b=" in h=, too, and then the signature fails.
func (t *nameTable) signsUnknown(name []byte) bool {
	if bytes.IndexByte(name, '=') >= 0 {
		return false
	}
	for _, p := range t.prefixes {
		if len(name) > len(p) && string(name[:len(p)]) == p {
			return true
		}
	}
	return false
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

package dkim

import (
	"bytes"
	"strings"
)

// judge refuses a message whose header a relay or a verifier would not leave alone.
func (s *Signer) judge(content []byte, h *header) error {
	var count [roleForbidden + 1]int
	var from, unsubscribe *field
	https, spaced := false, false
	for i := range h.fields {
		f := &h.fields[i]
		spaced = spaced || f.spaced()
		if f.role == other {
			continue
		}
		count[f.role]++
		switch f.role {
		case roleForbidden:
			// Postfix drops these (message_drop_headers), and Bcc would tell everyone.
			return &Refusal{Reason: ForbiddenField, Field: s.names.known[f.known].spelling}
		case roleFrom, roleDate, roleSubject, roleTo, roleMessageID:
			if count[f.role] > 1 { // RFC 5322 §3.6: max number 1
				return &Refusal{Reason: DuplicateField, Field: s.names.known[f.known].spelling}
			}
			if f.role == roleFrom {
				from = f
			}
		case roleListUnsubscribe:
			unsubscribe = f
			https = https || hasHTTPS(content[f.colon+1:f.end])
		}
	}
	switch {
	case from == nil:
		return &Refusal{Reason: MissingFrom}
	case count[roleDate] == 0:
		return &Refusal{Reason: MissingDate}
	case count[roleMessageID] == 0:
		return &Refusal{Reason: MissingMessageID}
	case count[roleListUnsubscribePost] > 0 && (unsubscribe == nil || !https):
		return &Refusal{Reason: OneClickNoHTTPS}
	case count[roleListUnsubscribePost] > 0 && !s.oneClick:
		return &Refusal{Reason: OneClickUnsigned}
	case spaced:
		return &Refusal{Reason: SpaceBeforeColon}
	}
	if s.unaligned {
		return nil
	}
	aligned := true
	wellFormed := eachFromDomain(content[from.colon+1:from.end], func(domain []byte) bool {
		aligned = s.aligns(domain)
		return aligned
	})
	switch {
	case !aligned:
		return &Refusal{Reason: UnalignedFrom}
	case !wellFormed:
		return &Refusal{Reason: MalformedFrom}
	}
	return nil
}

// aligns reports whether a From domain and the signing domain are the same or one below the other:
// relaxed alignment (RFC 7489 §3.1.1) as far as it can be told without a list of public suffixes.
func (s *Signer) aligns(from []byte) bool {
	for _, signing := range [...]string{s.domain, s.unicode} {
		if signing != "" && (within(from, signing) || above(from, signing)) {
			return true
		}
	}
	return false
}

// within reports whether name is domain or below it, in any case of letters.
func within(name []byte, domain string) bool {
	n := len(name) - len(domain)
	return n == 0 && equalFold(name, domain) || n > 0 && name[n-1] == '.' && equalFold(name[n:], domain)
}

// above reports whether name is above domain, and more than a top-level domain.
func above(name []byte, domain string) bool {
	n := len(domain) - len(name)
	return n > 0 && bytes.IndexByte(name, '.') > 0 && domain[n-1] == '.' && equalFold(name, domain[n:])
}

func equalFold(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if c != b[i] && (c|0x20 != b[i]|0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return strings.EqualFold(string(a), b) // letters beyond ASCII
		}
	}
	return true
}

// hasHTTPS reports whether a List-Unsubscribe value has an https URI: RFC 2369 §2 puts URIs in angle
// brackets.
func hasHTTPS(value []byte) bool {
	const scheme = "https://"
	for {
		i := bytes.IndexByte(value, '<')
		if i < 0 {
			return false
		}
		value = bytes.TrimLeft(value[i+1:], " \t\r\n")
		if len(value) > len(scheme) && strings.EqualFold(string(value[:len(scheme)]), scheme) {
			return true
		}
	}
}

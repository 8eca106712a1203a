package dkim

import (
	"errors"
	"strings"
)

// tagList holds the tags of a record or a signature (RFC 6376 §3.2) in their order.
type tagList []tag

type tag struct{ name, value string }

var errTagList = errors.New("not a list of name=value; (RFC 6376 §3.2)")

// parseTagList reads a tag list. White space around names and values is dropped, inside values it
// stays. A name that comes twice makes the whole list invalid.
func parseTagList(s string) (tagList, error) {
	var list tagList
	rest, more := s, true
	for more {
		var spec string
		spec, rest, more = strings.Cut(rest, ";")
		name, value, ok := strings.Cut(spec, "=")
		name, value = trimFWS(name), trimFWS(value)
		switch {
		case !ok && name == "" && !more && list != nil: // a semicolon may end the list
			return list, nil
		case !ok, !isTagName(name), !isTagValue(value):
			return nil, errTagList
		}
		if _, twice := list.get(name); twice {
			return nil, errors.New("a tag comes twice (RFC 6376 §3.2)")
		}
		list = append(list, tag{name, value})
	}
	return list, nil
}

// get returns the value of a tag; names are case-sensitive.
func (l tagList) get(name string) (value string, ok bool) {
	for _, t := range l {
		if t.name == name {
			return t.value, true
		}
	}
	return "", false
}

// has reports whether the colon-separated value of a tag holds word; an absent tag gives absent. Case
// counts (RFC 6376 §3.2).
func (l tagList) has(name, word string, absent bool) bool {
	value, ok := l.get(name)
	if !ok {
		return absent
	}
	for w := range strings.SplitSeq(value, ":") {
		if trimFWS(w) == word {
			return true
		}
	}
	return false
}

func trimFWS(s string) string { return strings.Trim(s, " \t\r\n") }

func isTagName(s string) bool {
	for i, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// isTagValue reports whether s has only printable ASCII, or UTF-8 (RFC 8616), and white space.
func isTagValue(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' && !isSpace(c) || c == 0x7f {
			return false
		}
	}
	return true
}

// withoutFWS drops all white space, as a base64 value may have it anywhere.
func withoutFWS(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && isSpace(byte(r)) {
			return -1
		}
		return r
	}, s)
}

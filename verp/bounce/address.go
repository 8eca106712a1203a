package bounce

import "strings"

// firstAddress returns the first address in s, or "": what stands in angle
// brackets, or else the first word with an '@' in it.
func firstAddress(s string) string {
	a, _ := nextAddress(s, 0)
	return a
}

// nextAddress returns the first address in s from pos on, and where it ends. One
// that is longer than allowed is none: cut, it would be another.
func nextAddress(s string, pos int) (address string, end int) {
	from := pos // an address does not overlap the one before: a@b@c
	for pos < len(s) {
		i := strings.IndexByte(s[pos:], '@')
		if i < 0 {
			break
		}
		i += pos
		start, stop := addressBounds(s, i)
		if start >= from && start < i && stop > i+1 && stop-start <= maxAddress && !strings.Contains(s[start:i], "//") {
			return withoutType(s[start:stop]), stop
		}
		pos = i + 1
	}
	return "", len(s)
}

// withoutType removes what gateways of other systems write before an address:
// dda:SMTP=jane@example.com.
func withoutType(a string) string {
	if rest, ok := strings.CutPrefix(a, "SMTP="); ok && rest[0] != '@' {
		return rest
	}
	return a
}

// addressBounds finds the ends of the address around the '@' at i.
func addressBounds(s string, i int) (start, stop int) {
	start = i
	if s[i-min(i, 1)] == '"' && i >= 2 {
		if j := strings.LastIndexByte(s[max(0, i-66):i-1], '"'); j >= 0 {
			start = max(0, i-66) + j
		}
	}
	if start == i {
		for start > 0 && i-start <= maxAddress && isLocalByte(s[start-1]) {
			start--
		}
		for start < i && (s[start] == '.' || s[start] == '\'') {
			start++
		}
	}
	stop = i + 1
	if stop < len(s) && s[stop] == '[' {
		if j := strings.IndexByte(s[stop:min(len(s), stop+64)], ']'); j > 0 {
			return start, stop + j + 1
		}
	}
	for stop < len(s) && stop-i <= maxAddress && (isWordByte(s[stop]) || s[stop] == '.' || s[stop] == '-') {
		stop++
	}
	for stop > i+1 && (s[stop-1] == '.' || s[stop-1] == '-') {
		stop--
	}
	return start, stop
}

// isLocalByte: atext, dot and UTF-8.
func isLocalByte(ch byte) bool {
	return isWordByte(ch) || strings.IndexByte(".!#$%&'*+-/=?^`{|}~", ch) >= 0
}

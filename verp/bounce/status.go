package bounce

import "strings"

// findStatus returns an enhanced status code (RFC 3463) in text, or "": the
// first whose detail is not 0, or else the first. A system that wraps another's
// reply often puts a general one of its own before it.
func findStatus(text string) string { return findStatusOf(text, "245") }

// findFailure is findStatus for what failed or waits: a success that a
// transcript shows on the way is passed over.
func findFailure(text string) string { return findStatusOf(text, "45") }

func findStatusOf(text, classes string) string {
	general := ""
	for i := 0; i+5 <= len(text); i++ {
		if strings.IndexByte(classes, text[i]) < 0 {
			continue
		}
		n := statusLen(text, i)
		if n == 0 {
			continue
		}
		status := text[i : i+n]
		if !strings.HasSuffix(status, ".0") {
			return status
		}
		if general == "" {
			general = status
		}
		i += n - 1
	}
	return general
}

// statusLen returns the length of the status code at i, or 0: class, subject
// and detail, each of the latter with up to three digits, and nothing around
// that would make it an address, a version or a date.
func statusLen(text string, i int) int {
	if i > 0 && (isWordByte(text[i-1]) || text[i-1] == '.' || text[i-1] == '-' && i > 1 && isWordByte(text[i-2]) && !isReplyDash(text, i-1)) {
		return 0
	}
	p := i + 1
	for range 2 {
		if p >= len(text) || text[p] != '.' {
			return 0
		}
		p++
		d := p
		for p < len(text) && p < d+4 && isDigit(text[p]) {
			p++
		}
		if p == d || p > d+3 {
			return 0
		}
	}
	if p < len(text) && (isWordByte(text[p]) || text[p] == '.' && p+1 < len(text) && isDigit(text[p+1])) {
		return 0
	}
	return p - i
}

// isReplyDash: the dash of "550-5.1.1".
func isReplyDash(text string, i int) bool {
	return i >= 3 && isDigit(text[i-1]) && isDigit(text[i-2]) && (text[i-3] == '4' || text[i-3] == '5') && (i == 3 || !isWordByte(text[i-4]))
}

// findCode returns the first SMTP reply code of a failure in text, or 0.
func findCode(text string) int {
	for i := 0; i+3 <= len(text); i++ {
		if isCode(text[i:i+3]) && codeMayStart(text, i) && codeMayEnd(text, i+3) {
			return int(text[i]-'0')*100 + int(text[i+1]-'0')*10 + int(text[i+2]-'0')
		}
	}
	return 0
}

// isCode: 4 or 5; 0 to 5, or 7 for the 571 that some use, so that the ports 465
// and 587 are none; any digit (RFC 5321 §4.2.1).
func isCode(s string) bool {
	return (s[0] == '4' || s[0] == '5') && ('0' <= s[1] && s[1] <= '5' || s[1] == '7') && isDigit(s[2])
}

// codeMayStart: a code is no part of a word, an address or a number.
func codeMayStart(text string, i int) bool {
	if i == 0 {
		return true
	}
	switch before := text[i-1]; before {
	case '.', '-', '/', '@', '+', ',':
		return false
	case ':': // "code:550", but not 12:550 or [192.0.2.1]:550
		return i < 2 || !isDigit(text[i-2]) && text[i-2] != ']'
	default:
		return !isWordByte(before)
	}
}

// codeMayEnd: as codeMayStart; a full stop may follow, a dash too.
func codeMayEnd(text string, i int) bool {
	if i == len(text) {
		return true
	}
	switch after := text[i]; after {
	case '/', '@', '%':
		return false
	case '.':
		return i+1 == len(text) || !isDigit(text[i+1])
	default:
		return !isWordByte(after)
	}
}

func isDigit(ch byte) bool { return '0' <= ch && ch <= '9' }

func isWordByte(ch byte) bool {
	return isDigit(ch) || 'a' <= ch && ch <= 'z' || 'A' <= ch && ch <= 'Z' || ch == '_' || ch >= 0x80
}

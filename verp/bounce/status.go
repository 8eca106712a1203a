package bounce

import "strings"

// findStatus returns the first enhanced status code (RFC 3463) in text, or "".
func findStatus(text string) string {
	for i := 0; i+5 <= len(text); i++ {
		if ch := text[i]; ch != '2' && ch != '4' && ch != '5' {
			continue
		}
		if n := statusLen(text, i); n > 0 {
			return text[i : i+n]
		}
	}
	return ""
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

// findCode returns the first SMTP reply code of a failure in text, or 0: three
// digits that start with 4 or 5, followed by a space, a '-' or the end, and
// not part of a number or a name.
func findCode(text string) int {
	for i := 0; i+3 <= len(text); i++ {
		if ch := text[i]; ch != '4' && ch != '5' {
			continue
		}
		if i > 0 && (isWordByte(text[i-1]) || strings.IndexByte(".-/@+:,=[", text[i-1]) >= 0 && !(text[i-1] == ':' && (i < 2 || !isDigit(text[i-2]))) && !(text[i-1] == '[' || text[i-1] == '=')) {
			continue
		}
		if d := text[i+1]; d < '0' || d > '5' && d != '7' || !isDigit(text[i+2]) { // 571 is in use; 465 and 587 are ports
			continue
		}
		if i+3 < len(text) && (isWordByte(text[i+3]) || strings.IndexByte("./@%", text[i+3]) >= 0 && !(text[i+3] == '.' && (i+4 == len(text) || !isDigit(text[i+4])))) {
			continue
		}
		return int(text[i]-'0')*100 + int(text[i+1]-'0')*10 + int(text[i+2]-'0')
	}
	return 0
}

func isDigit(ch byte) bool { return '0' <= ch && ch <= '9' }

func isWordByte(ch byte) bool {
	return isDigit(ch) || 'a' <= ch && ch <= 'z' || 'A' <= ch && ch <= 'Z' || ch == '_' || ch >= 0x80
}

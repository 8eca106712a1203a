package verp

import "strings"

// splitAddress splits at the last '@', after removing angle brackets, a source
// route (RFC 5321 §4.1.1.3: accepted and ignored) and quotes around a local
// part that needs none.
func splitAddress(address string) (local, domain string, ok bool) {
	address = strings.TrimSpace(address)
	if n := len(address); n >= 2 && address[0] == '<' && address[n-1] == '>' {
		address = address[1 : n-1]
	}
	if strings.HasPrefix(address, "@") {
		if _, rest, found := strings.Cut(address, ":"); found {
			address = rest
		}
	}
	i := strings.LastIndexByte(address, '@')
	if i <= 0 || i == len(address)-1 {
		return "", "", false
	}
	local, domain = address[:i], address[i+1:]
	if n := len(local); n > 2 && local[0] == '"' && local[n-1] == '"' && isDotString(local[1:n-1]) {
		local = local[1 : n-1]
	}
	return local, domain, true
}

// isDotString reports whether s is a local part that needs no quotes
// (RFC 5321 §4.1.2), UTF-8 included (RFC 6531 §3.3).
func isDotString(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		if ch := s[i]; ch < 0x80 && ch != '.' && !isAtext(ch) {
			return false
		}
	}
	return true
}

// isAtext reports whether ch is atext (RFC 5322 §3.2.3).
func isAtext(ch byte) bool {
	return isAlnum(ch) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", ch) >= 0
}

func isAlnum(ch byte) bool {
	return '0' <= ch && ch <= '9' || 'a' <= ch && ch <= 'z' || 'A' <= ch && ch <= 'Z'
}

func lower(ch byte) byte {
	if 'A' <= ch && ch <= 'Z' {
		return ch + 'a' - 'A'
	}
	return ch
}

// equalFold compares in ASCII only. Unicode's folding would take the Kelvin
// sign for a 'k' and so accept a domain that is another one.
func equalFold(a, b string) bool { return len(a) == len(b) && hasPrefixFold(a, b) }

// hasPrefixFold is strings.HasPrefix without regard to ASCII case.
func hasPrefixFold(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(s[i]) != lower(prefix[i]) {
			return false
		}
	}
	return true
}

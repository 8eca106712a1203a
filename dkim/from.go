package dkim

// eachFromDomain calls yield with the domain of every address in the value of a From field (RFC 5322
// §3.4, with groups). It reports false where the value is not one or more addresses, or where yield
// did. It is strict where readers differ: an unquoted "@" in a display
// name, or text behind an address, is malformed.
func eachFromDomain(value []byte, yield func(domain []byte) bool) bool {
	var text, angle, closed, found, any bool // of the address being read; any: of the whole value
	for i := 0; i < len(value); {
		switch c := value[i]; c {
		case ' ', '\t', '\r', '\n':
			i++
		case '(':
			if i = skipComment(value, i); i < 0 {
				return false
			}
		case '"':
			if i = skipQuoted(value, i); i < 0 || closed {
				return false
			}
			text = true
		case '<':
			if angle || closed || found {
				return false
			}
			angle = true
			i++
		case '>':
			if !angle || !found {
				return false
			}
			angle, closed = false, true
			i++
		case '@':
			domain, next := addressDomain(value, i+1)
			if next < 0 || found || closed || len(domain) == 0 {
				return false
			}
			i = next
			end := byte(',')
			if i < len(value) {
				end = value[i]
			}
			// RFC 5322 §4.4 has an obsolete route in angle brackets, <@a,@b:local@domain>: Postfix
			// removes it from the mail of local clients, so it is malformed here.
			if angle != (end == '>') || !angle && end != ',' && end != ';' {
				return false
			}
			found, any = true, true
			if !yield(domain) {
				return false
			}
		case ',', ';':
			if angle || text && !found {
				return false
			}
			text, closed, found = false, false, false
			i++
		case ':': // what stood before is the name of a group
			if angle || found || closed || !text {
				return false
			}
			text = false
			i++
		default:
			if closed || found {
				return false
			}
			text = true
			i++
		}
	}
	return any && !angle && (found || !text)
}

// addressDomain reads a domain from offset i on, and what white space and comments surround it. The
// offset it returns is that of the next octet; negative where a comment or literal does not end.
func addressDomain(value []byte, i int) (domain []byte, next int) {
	if i = skipSpace(value, i); i < 0 {
		return nil, -1
	}
	start := i
	if i < len(value) && value[i] == '[' {
		for i < len(value) && value[i] != ']' {
			i++
		}
		if i == len(value) {
			return nil, -1
		}
		i++
	} else {
		for i < len(value) && !isSpace(value[i]) && !special[value[i]] {
			i++
		}
	}
	return value[start:i], skipSpace(value, i)
}

func skipSpace(value []byte, i int) int {
	for i < len(value) {
		switch {
		case isSpace(value[i]):
			i++
		case value[i] == '(':
			if i = skipComment(value, i); i < 0 {
				return -1
			}
		default:
			return i
		}
	}
	return i
}

func skipComment(value []byte, i int) int {
	depth := 0
	for ; i < len(value); i++ {
		switch value[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

func skipQuoted(value []byte, i int) int {
	for i++; i < len(value); i++ {
		switch value[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// special holds the octets that end a domain.
var special = [256]bool{'(': true, ')': true, '<': true, '>': true, '@': true, ',': true, ';': true,
	':': true, '\\': true, '"': true, '[': true, ']': true}

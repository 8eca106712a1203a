package smtpwire

import (
	"errors"
	"strings"
)

// ErrServerSyntax is an argument that does not follow RFC 5321 §4.1.2.
var ErrServerSyntax = errors.New("smtpwire: syntax error in command argument")

// A ServerCommand is a command line in parts.
type ServerCommand struct {
	Verb string // upper case; empty for an empty line
	Arg  string // the rest, spaces around it taken away
}

// ParseServerCommand takes a command line apart. Any line is a command; most are unknown.
func ParseServerCommand(line []byte) ServerCommand {
	end := 0
	for end < len(line) && line[end] != ' ' && line[end] != '\t' {
		end++
	}
	return ServerCommand{Verb: verb(line[:end]), Arg: strings.Trim(string(line[end:]), " \t")}
}

// verb gives the upper-case verb, without allocation where it is one that everyone knows.
func verb(word []byte) string {
	var upper [8]byte
	if len(word) > len(upper) {
		return strings.ToUpper(string(word))
	}
	for i, b := range word {
		if 'a' <= b && b <= 'z' {
			b -= 'a' - 'A'
		}
		upper[i] = b
	}
	switch string(upper[:len(word)]) {
	case "MAIL":
		return "MAIL"
	case "RCPT":
		return "RCPT"
	case "DATA":
		return "DATA"
	case "EHLO":
		return "EHLO"
	case "RSET":
		return "RSET"
	case "QUIT":
		return "QUIT"
	case "STARTTLS":
		return "STARTTLS"
	}
	return string(upper[:len(word)])
}

// A ServerPath is the argument of MAIL FROM or RCPT TO.
type ServerPath struct {
	Address string        // without angle brackets; "" is the null path
	Params  []ServerParam // ESMTP parameters, in their order
}

// A ServerParam is an ESMTP parameter of MAIL or RCPT.
type ServerParam struct{ Keyword, Value string }

// Param returns the value of a parameter, by upper-case keyword, and whether it is there.
func (p ServerPath) Param(keyword string) (string, bool) {
	for _, q := range p.Params {
		if q.Keyword == keyword {
			return q.Value, true
		}
	}
	return "", false
}

// ParseServerPath takes apart `FROM:<address> KEY=value …` or `TO:<address> …`; keyword is FROM or TO.
// Source routes are dropped (RFC 5321 §4.1.1.3 and appendix C), quoted local parts kept as they are. Like other
// relays it forgives a space behind the colon.
func ParseServerPath(arg, keyword string) (ServerPath, error) {
	var path ServerPath
	if len(arg) <= len(keyword) || !strings.EqualFold(arg[:len(keyword)], keyword) || arg[len(keyword)] != ':' {
		return path, ErrServerSyntax
	}
	rest := strings.TrimLeft(arg[len(keyword)+1:], " ")
	if rest == "" || rest[0] != '<' {
		return path, ErrServerSyntax
	}
	end := pathEnd(rest)
	if end < 0 {
		return path, ErrServerSyntax
	}
	address := rest[1:end]
	if strings.HasPrefix(address, "@") {
		_, after, ok := strings.Cut(address, ":")
		if !ok {
			return path, ErrServerSyntax
		}
		address = after
	}
	if !plausible(address) {
		return path, ErrServerSyntax
	}
	path.Address = address
	rest = rest[end+1:]
	if rest != "" && rest[0] != ' ' {
		return path, ErrServerSyntax
	}
	for word := range strings.FieldsSeq(rest) {
		key, value, _ := strings.Cut(word, "=")
		if key == "" {
			return path, ErrServerSyntax
		}
		path.Params = append(path.Params, ServerParam{strings.ToUpper(key), value})
	}
	return path, nil
}

// pathEnd finds the ">" that ends the path s begins with, past quoted strings; -1 if there is none.
func pathEnd(s string) int {
	quoted := false
	for i := 1; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '>' && !quoted:
			return i
		}
	}
	return -1
}

// plausible reports whether an address could be one: no control characters, no space or angle bracket
// outside quotes, something on both sides of its last @ if it has one. Postmaster without domain is one, and so is the null path.
func plausible(address string) bool {
	quoted := false
	for i := 0; i < len(address); i++ {
		switch b := address[i]; {
		case b < ' ' || b == 0x7f:
			return false
		case quoted && b == '\\':
			i++
			if i == len(address) || address[i] < ' ' {
				return false
			}
		case b == '"':
			quoted = !quoted
		case !quoted && (b == ' ' || b == '<' || b == '>'):
			return false
		}
	}
	if quoted {
		return false
	}
	at := strings.LastIndexByte(address, '@')
	return address == "" || at < 0 || at > 0 && at < len(address)-1
}

// DecodeXtext decodes xtext (RFC 3461 §4), as in ENVID and ORCPT.
func DecodeXtext(s string) (string, error) {
	if strings.IndexByte(s, '+') < 0 {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '+' {
			out = append(out, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", ErrServerSyntax
		}
		hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
		if hi < 0 || lo < 0 {
			return "", ErrServerSyntax
		}
		out = append(out, byte(hi<<4|lo))
		i += 2
	}
	return string(out), nil
}

// hexDigit is the value of an upper-case hexadecimal digit, or -1.
func hexDigit(b byte) int {
	switch {
	case '0' <= b && b <= '9':
		return int(b - '0')
	case 'A' <= b && b <= 'F':
		return int(b-'A') + 10
	}
	return -1
}

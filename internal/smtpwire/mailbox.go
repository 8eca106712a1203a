package smtpwire

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of RFC 5321 §4.5.3.1.
const (
	MaxLocalPart = 64
	MaxDomain    = 255
	MaxPath      = 256 // with the angle brackets
)

// A Mailbox is an address that is safe to write into MAIL or RCPT: it has a
// local part and a domain (or is the null return path), and no octet that could
// end the command or the path.
type Mailbox struct {
	path string // without angle brackets; empty: the null return path
	at   int
	utf8 bool
}

// ParseMailbox checks an address as MAIL and RCPT take it (RFC 5321 §4.1.2),
// without angle brackets. The text of its error does not hold the address.
func ParseMailbox(address string) (Mailbox, error) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return Mailbox{}, errors.New("address without @domain")
	}
	m := Mailbox{path: address, at: at}
	local, domain := address[:at], address[at+1:]
	switch {
	case local == "":
		return Mailbox{}, errors.New("address with an empty local part")
	case domain == "":
		return Mailbox{}, errors.New("address with an empty domain")
	case len(local) > MaxLocalPart:
		return Mailbox{}, fmt.Errorf("local part of %d octets; at most %d are allowed", len(local), MaxLocalPart)
	case len(domain) > MaxDomain || len(address)+2 > MaxPath:
		return Mailbox{}, fmt.Errorf("address of %d octets; at most %d are allowed", len(address), MaxPath-2)
	}
	for i := 0; i < len(address); i++ {
		if c := address[i]; c < ' ' || c == 0x7f {
			return Mailbox{}, fmt.Errorf("address with the control character %#02x", c)
		} else if c >= 0x80 {
			m.utf8 = true
		}
	}
	if m.utf8 && !utf8.ValidString(address) { // RFC 6531 §3.3
		return Mailbox{}, errors.New("address with octets that are no UTF-8")
	}
	if err := checkLocalPart(local); err != nil {
		return Mailbox{}, err
	}
	if err := checkDomain(domain); err != nil {
		return Mailbox{}, err
	}
	return m, nil
}

// checkLocalPart wants a dot-string or a quoted string. Dots at the ends or in
// a row are let through: such mailboxes exist, and they harm no command.
func checkLocalPart(local string) error {
	if local[0] != '"' {
		if i := strings.IndexAny(local, " <>()[]:;,\\\""); i >= 0 {
			return fmt.Errorf("address with %q in an unquoted local part", local[i])
		}
		if strings.IndexByte(local, '@') >= 0 {
			return errors.New("address with two @; quote the local part")
		}
		return nil
	}
	for i := 1; i < len(local); i++ {
		switch local[i] {
		case '\\':
			i++
		case '"':
			if i != len(local)-1 {
				return errors.New("address with text after its quoted local part")
			}
			return nil
		}
	}
	return errors.New("address with an unfinished quoted local part")
}

func checkDomain(domain string) error {
	if domain[0] == '[' {
		if domain[len(domain)-1] != ']' || strings.ContainsAny(domain[1:len(domain)-1], "[]<>\\ ") {
			return errors.New("address with a malformed address literal")
		}
		return nil
	}
	for i := 0; i < len(domain); i++ {
		c := domain[i]
		if c < 0x80 && c != '.' && c != '-' && c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') {
			return fmt.Errorf("address with %q in its domain", c)
		}
	}
	if domain[0] == '.' || strings.Contains(domain, "..") {
		return errors.New("address with an empty label in its domain")
	}
	return nil
}

// Null says whether m is the null return path, "<>".
func (m Mailbox) Null() bool { return m.path == "" }

// String returns the address; empty for the null return path.
func (m Mailbox) String() string { return m.path }

// Local and Domain return the address's two halves.
func (m Mailbox) Local() string  { return m.path[:m.at] }
func (m Mailbox) Domain() string { return strings.TrimPrefix(m.path[m.at:], "@") }

// NonASCII says whether the address has octets outside ASCII, which only a
// relay with SMTPUTF8 takes (RFC 6531).
func (m Mailbox) NonASCII() bool { return m.utf8 }

package verp

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Errors of EncodePlain and DecodePlain.
var (
	// ErrTooLong: the local part would have more than 64 octets.
	ErrTooLong = errors.New("verp: the return path's local part would be over 64 octets")
	// ErrAmbiguous: decoding would not give back the same sender and recipient.
	ErrAmbiguous = errors.New("verp: the return path could not be split again into the same sender and recipient")
	// ErrBadAddress: an address has no '@', needs quotes, or contains an octet
	// that a return path cannot carry.
	ErrBadAddress = errors.New("verp: the address cannot be part of a plain VERP return path")
	// ErrBadDelimiters: the delimiters are not two different characters of
	// those that Postfix allows (verp_delimiter_filter and '=').
	ErrBadDelimiters = errors.New(`verp: delimiters must be two different ones of + - = . _ / * % ! ~ # such as "+="`)
	// ErrNotVERP: a return path has no recipient in it.
	ErrNotVERP = errors.New("verp: not a plain VERP return path")
)

// EncodePlain writes recipient into sender's local part, separated by the two
// delimiters. "+=" gives Postfix's default form,
//
//	EncodePlain("bounce@example.com", "jane@example.net", "+=")
//	    → bounce+jane=example.net@example.com
//
// and "-=" what qmail and ezmlm write. Octets are kept as they are, case and
// UTF-8 included; what DecodePlain could not give back is refused with
// ErrAmbiguous, ErrBadAddress or ErrTooLong.
//
// The result is readable by anyone and anyone can make one up: see [Codec] for
// return paths that are signed.
func EncodePlain(sender, recipient, delimiters string) (string, error) {
	if err := checkDelimiters(delimiters); err != nil {
		return "", err
	}
	senderLocal, senderDomain, err := plainAddress(sender)
	if err != nil {
		return "", fmt.Errorf("%w: the sender", err)
	}
	local, domain, err := plainAddress(recipient)
	if err != nil {
		return "", fmt.Errorf("%w: the recipient", err)
	}
	verpLocal := senderLocal + delimiters[:1] + local + delimiters[1:] + domain
	if len(verpLocal) > maxLocal {
		return "", fmt.Errorf("%w: it has %d", ErrTooLong, len(verpLocal))
	}
	returnPath := verpLocal + "@" + senderDomain
	if s, r, err := DecodePlain(returnPath, delimiters); err != nil || s != sender || r != recipient {
		return "", ErrAmbiguous
	}
	return returnPath, nil
}

// DecodePlain splits a return path that EncodePlain, Postfix, qmail or ezmlm
// has written with the same delimiters. A BATV signature around it is removed.
//
// The second delimiter counts where it occurs last, because a domain cannot
// contain it and a local part can. The first delimiter counts where it occurs
// first; with "-=", where senders usually contain a '-' themselves, an ezmlm
// message number (list-return-1234-) or qmail's owner (list-owner-) is taken
// to end the sender. A recipient's local part may begin or end with a dot,
// which needs quotes elsewhere (RFC 5321 §4.1.2): some providers have such
// addresses, and Postfix writes them.
//
// The result is unverified, always: anyone can write such an address.
func DecodePlain(returnPath, delimiters string) (sender, recipient string, err error) {
	if err := checkDelimiters(delimiters); err != nil {
		return "", "", err
	}
	local, senderDomain, err := plainAddress(returnPath)
	if err != nil {
		return "", "", err
	}
	if inner, ok := batvLocal(local); ok {
		local = inner
	}
	last := strings.LastIndexByte(local, delimiters[1])
	if last < 0 {
		return "", "", ErrNotVERP
	}
	domain := local[last+1:]
	first := senderEnd(local[:last], delimiters)
	if first <= 0 || first+1 >= last || !isDotString(local[:first]) || !isDomainText(domain) {
		return "", "", ErrNotVERP
	}
	return local[:first] + "@" + senderDomain, local[first+1:last] + "@" + domain, nil
}

// senderEnd returns the index of the delimiter that ends the sender's local
// part, or -1.
func senderEnd(local, delimiters string) int {
	if delimiters[0] == '-' {
		if i := strings.Index(local, "-return-"); i > 0 {
			end := i + len("-return-")
			for end < len(local) && '0' <= local[end] && local[end] <= '9' {
				end++
			}
			if end > i+len("-return-") && end < len(local) && local[end] == '-' {
				return end
			}
		}
		if i := strings.Index(local, "-owner-"); i > 0 {
			return i + len("-owner")
		}
	}
	return strings.IndexByte(local, delimiters[0])
}

func checkDelimiters(d string) error {
	if len(d) != 2 || d[0] == d[1] || strings.IndexByte("+-=._/*%!~#", d[0]) < 0 || strings.IndexByte("+=/*%!~#", d[1]) < 0 {
		return ErrBadDelimiters
	}
	return nil
}

// plainAddress splits an address that needs no quotes.
func plainAddress(address string) (local, domain string, err error) {
	i := strings.LastIndexByte(address, '@')
	if i <= 0 || !utf8.ValidString(address) || !isDotString(address[:i]) || !isDomainText(address[i+1:]) {
		return "", "", ErrBadAddress
	}
	return address[:i], address[i+1:], nil
}

// isDomainText accepts domain names, in UTF-8 too, but no address literals:
// their brackets would need quotes in a local part.
func isDomainText(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		if ch := s[i]; ch < 0x80 && !isAlnum(ch) && ch != '-' && ch != '.' && ch != '_' {
			return false
		}
	}
	return true
}

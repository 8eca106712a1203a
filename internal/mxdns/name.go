package mxdns

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const (
	maxLabel = 63
	maxName  = 253 // RFC 1035 §2.3.4: 255 octets on the wire, as text without the last dot
)

// canonical brings a domain name into the form in which it is asked for and compared: A-labels, lower
// case, with a last dot. Underscores are let through, which names of TXT records need.
func canonical(name string) (string, error) {
	trimmed := strings.TrimSuffix(name, ".")
	if trimmed == "" {
		return "", errors.New("is empty")
	}
	if _, err := netip.ParseAddr(strings.Trim(trimmed, "[]")); err == nil {
		return "", errors.New("is an IP address: a domain name is needed")
	}
	if len(trimmed) > 4*maxName { // no name is longer in UTF-8, and IDNA takes long over what is
		return "", fmt.Errorf("is longer than %d octets", maxName)
	}
	if !utf8.ValidString(trimmed) {
		return "", errors.New("is not UTF-8")
	}
	if !isASCII(trimmed) {
		// RFC 5890 §2.3.2.1: what users write as U-labels goes into DNS as A-labels.
		profile := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false))
		ascii, err := profile.ToASCII(trimmed)
		if err != nil {
			return "", fmt.Errorf("has no ASCII form: %w", err)
		}
		trimmed = strings.TrimSuffix(ascii, ".")
	}
	if len(trimmed) > maxName {
		return "", fmt.Errorf("is longer than %d octets", maxName)
	}
	for label := range strings.SplitSeq(trimmed, ".") {
		switch {
		case label == "":
			return "", errors.New("has an empty label: two dots in a row, or one in front")
		case len(label) > maxLabel:
			return "", fmt.Errorf("has a label of more than %d octets", maxLabel)
		}
		for i := range len(label) {
			if !isNameOctet(label[i]) {
				return "", fmt.Errorf("has the character %q: letters, digits, hyphens and underscores are allowed", label[i])
			}
		}
	}
	return strings.ToLower(trimmed) + ".", nil
}

func isNameOctet(c byte) bool {
	return c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// bare is a name without its last dot, as it is shown.
func bare(name string) string { return strings.TrimSuffix(name, ".") }

// addressOf is the address a name of the reverse zones stands for, or empty.
func addressOf(name string) string {
	name = strings.ToLower(bare(name))
	if labels, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		parts := strings.Split(labels, ".")
		slices.Reverse(parts)
		return strings.Join(parts, ".")
	}
	if labels, ok := strings.CutSuffix(name, ".ip6.arpa"); ok {
		nibbles := strings.Split(labels, ".")
		slices.Reverse(nibbles)
		var b strings.Builder
		for i, nibble := range nibbles {
			if i > 0 && i%4 == 0 {
				b.WriteByte(':')
			}
			b.WriteString(nibble)
		}
		return b.String()
	}
	return ""
}

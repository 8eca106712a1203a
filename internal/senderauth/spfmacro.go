package senderauth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A macroPart is a piece of a macro-string (RFC 7208 §7.1): text, or a macro.
type macroPart struct {
	text       string
	letter     byte // in lower case; zero: text
	escaped    bool // the letter was a capital: URL-escape
	parts      int  // how many of the right-hand parts are kept; zero: all
	reversed   bool
	delimiters string
}

func hasMacro(s string) bool { return strings.IndexByte(s, '%') >= 0 }

// splitMacros parses a macro-string.
func splitMacros(s string) (parts []macroPart, err error) {
	for s != "" {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			return append(parts, macroPart{text: s}), nil
		}
		if i > 0 {
			parts = append(parts, macroPart{text: s[:i]})
		}
		if s = s[i+1:]; s == "" {
			return nil, errors.New("ends in the middle of a macro")
		}
		if literal, ok := macroLiterals[s[0]]; ok {
			parts, s = append(parts, macroPart{text: literal}), s[1:]
			continue
		}
		end := strings.IndexByte(s, '}')
		if s[0] != '{' || end < 2 {
			return nil, errors.New("has a macro that there is not")
		}
		part, err := parseMacro(s[1:end])
		if err != nil {
			return nil, err
		}
		parts, s = append(parts, part), s[end+1:]
	}
	return parts, nil
}

var macroLiterals = map[byte]string{'%': "%", '_': " ", '-': "%20"}

// parseMacro parses what stands in the braces: "ir", "d2", "L-".
func parseMacro(s string) (macroPart, error) {
	p := macroPart{letter: lower(s[0]), escaped: s[0] != lower(s[0]), delimiters: "."}
	if !strings.ContainsRune("slodiphcrtv", rune(p.letter)) {
		return p, errors.New("has a macro that there is not")
	}
	rest := strings.TrimLeft(s[1:], "0123456789")
	if digits := s[1 : len(s)-len(rest)]; digits != "" {
		n, err := strconv.Atoi(digits)
		if err != nil || n == 0 { // RFC 7208 §7.1: not zero; 128 at the least must be understood
			return p, fmt.Errorf("has a malformed macro: %.20s parts", digits)
		}
		p.parts = n
	}
	if rest != "" && lower(rest[0]) == 'r' {
		p.reversed, rest = true, rest[1:]
	}
	if strings.Trim(rest, ".-+,/_=") != "" {
		return p, errors.New("has a malformed macro")
	}
	if rest != "" {
		p.delimiters = rest
	}
	return p, nil
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// checkMacroDomain says what is wrong with a domain-spec with macros.
func checkMacroDomain(s string) error {
	parts, err := splitMacros(s)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p.letter != 0 && strings.IndexByte("crt", p.letter) >= 0 {
			return fmt.Errorf("has the macro %%{%c}, which is for explanations only", p.letter) // RFC 7208 §7.2
		}
	}
	if last := parts[len(parts)-1]; last.letter == 0 && !strings.HasSuffix(s, "%"+s[len(s)-1:]) {
		// domain-end: a macro, or a dot and a top label.
		if name, top := cutTopLabel(last.text); name == "" || !isTopLabel(top) {
			return fmt.Errorf("%.100q ends in no top-level domain", s)
		}
	}
	return nil
}

// expand puts values in the macros of a term's domain-spec (RFC 7208 §7.3). False:
// it cannot be, which is noted.
func (s *spfCheck) expand(ctx context.Context, term, spec, domain string) (string, bool) {
	parts, err := splitMacros(spec)
	if err != nil { // parseSPF checked it
		return "", false
	}
	var b strings.Builder
	for _, p := range parts {
		if p.letter == 0 {
			b.WriteString(p.text)
			continue
		}
		value, known := s.macro(ctx, p.letter, domain)
		switch {
		case known:
		case s.ip.IsValid() || strings.IndexByte("lsh", p.letter) >= 0:
			s.PerMail = append(s.PerMail, term)
			return "", false
		default:
			s.PerAddress = append(s.PerAddress, term)
			return "", false
		}
		b.WriteString(p.apply(value))
	}
	name := canonical(b.String())
	for len(name) > 253 { // RFC 7208 §7.3: labels are dropped from the left
		_, rest, found := strings.Cut(name, ".")
		if !found {
			break
		}
		name = rest
	}
	return name, true
}

// macro returns what a letter stands for (RFC 7208 §7.2). The local part (l, s) is
// each mail's own, and the name in EHLO (h) each relay's.
func (s *spfCheck) macro(ctx context.Context, letter byte, domain string) (value string, known bool) {
	switch letter {
	case 'd':
		return domain, true
	case 'o':
		return s.path[0], true
	case 'l', 's', 'h':
		value, known = s.mail[letter]
		return value, known
	case 'p':
		s.Deprecated = true
	}
	if !s.ip.IsValid() {
		return "", false
	}
	switch letter {
	case 'i':
		return macroAddress(s.ip), true
	case 'v':
		if s.ip.Is4() {
			return "in-addr", true
		}
		return "ip6", true
	case 'p':
		return s.validatedName(ctx, domain), true
	}
	return "", false
}

// macroAddress writes IPv4 with dots between octets, IPv6 between nibbles.
func macroAddress(ip netip.Addr) string {
	if ip.Is4() {
		return ip.String()
	}
	nibbles := strings.ReplaceAll(ip.StringExpanded(), ":", "")
	return strings.Join(strings.Split(nibbles, ""), ".")
}

// apply transforms a macro's value.
func (p macroPart) apply(value string) string {
	var labels []string
	for {
		i := strings.IndexAny(value, p.delimiters)
		if i < 0 {
			break
		}
		labels, value = append(labels, value[:i]), value[i+1:]
	}
	labels = append(labels, value)
	if p.reversed {
		slices.Reverse(labels)
	}
	if p.parts > 0 && p.parts < len(labels) {
		labels = labels[len(labels)-p.parts:]
	}
	value = strings.Join(labels, ".")
	if p.escaped {
		return urlEscape(value)
	}
	return value
}

// urlEscape escapes all that RFC 3986 §2.3 does not call unreserved.
func urlEscape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if lc := lower(c); 'a' <= lc && lc <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// validatedName is the macro p: the name of the address that belongs to the
// domain, or any that has the address, or "unknown".
func (s *spfCheck) validatedName(ctx context.Context, domain string) string {
	found, err := LookUpReverse(ctx, s.names, s.ip)
	if err != nil || len(found.Confirmed) == 0 {
		return "unknown"
	}
	for _, belongs := range []func(string) bool{
		func(name string) bool { return name == domain },
		func(name string) bool { return Within(name, domain) },
	} {
		if i := slices.IndexFunc(found.Confirmed, belongs); i >= 0 {
			return found.Confirmed[i]
		}
	}
	return found.Confirmed[0]
}

package senderauth

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// An spfRecord is a parsed SPF record (RFC 7208 §4.6.1).
type spfRecord struct {
	terms    []spfTerm
	redirect string // domain-spec; empty: there is none
}

// An spfTerm is a mechanism with its qualifier.
type spfTerm struct {
	text         string // as written
	result       Result
	kind         spfKind
	domain       string       // domain-spec; empty: the domain of the record
	prefix       netip.Prefix // of ip4 and ip6
	bits4, bits6 int          // of a and mx
}

type spfKind string

const (
	spfAll     spfKind = "all"
	spfInclude spfKind = "include"
	spfA       spfKind = "a"
	spfMX      spfKind = "mx"
	spfPTR     spfKind = "ptr"
	spfIP4     spfKind = "ip4"
	spfIP6     spfKind = "ip6"
	spfExists  spfKind = "exists"
)

// A Result is what a receiver makes of an address (RFC 7208 §2.6).
type Result string

// The results.
const (
	None      Result = "none"
	Neutral   Result = "neutral"
	Pass      Result = "pass"
	Fail      Result = "fail"
	SoftFail  Result = "softfail"
	TempError Result = "temperror"
	PermError Result = "permerror"
)

// isSPF says whether a TXT record is an SPF record (RFC 7208 §4.5).
func isSPF(record string) bool {
	version, _, _ := strings.Cut(record, " ")
	return strings.EqualFold(version, "v=spf1")
}

// parseSPF parses a record for which isSPF holds. A mistake anywhere in it makes
// all of it void (RFC 7208 §4.6).
func parseSPF(record string) (*spfRecord, error) {
	if strings.ContainsFunc(record, func(c rune) bool { return c < ' ' || c > '~' }) {
		return nil, errors.New("it holds what is not printable ASCII (RFC 7208 §3.1)")
	}
	r := &spfRecord{}
	seen := map[string]bool{}
	for text := range strings.SplitSeq(record[len("v=spf1"):], " ") {
		if text == "" {
			continue
		}
		// A modifier has its '=' before any ':' or '/' (RFC 7208 §4.6.1).
		if i := strings.IndexAny(text, "=:/"); i > 0 && text[i] == '=' {
			if err := r.modifier(strings.ToLower(text[:i]), text[i+1:], seen); err != nil {
				return nil, fmt.Errorf("%.100q: %w", text, err)
			}
			continue
		}
		t, err := parseSPFTerm(text)
		if err != nil {
			return nil, fmt.Errorf("%.100q: %w", text, err)
		}
		r.terms = append(r.terms, t)
	}
	return r, nil
}

func (r *spfRecord) modifier(name, value string, seen map[string]bool) error {
	switch name {
	case "redirect", "exp":
		if seen[name] {
			return errors.New("is there twice") // RFC 7208 §6
		}
		seen[name] = true
		if err := checkDomainSpec(value); err != nil {
			return err
		}
		if name == "redirect" {
			r.redirect = value
		}
		return nil
	}
	if !isSPFName(name) {
		return errors.New("is no mechanism and no modifier")
	}
	_, err := splitMacros(value) // unknown ones are passed over
	return err
}

func isSPFName(s string) bool {
	for i, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '_' && c != '.') {
			return false
		}
	}
	return s != ""
}

// parseSPFTerm parses one mechanism (RFC 7208 §5).
func parseSPFTerm(text string) (spfTerm, error) {
	t := spfTerm{text: text, result: Pass, bits4: 32, bits6: 128}
	rest := text
	switch text[0] {
	case '+', '-', '~', '?':
		t.result = map[byte]Result{'+': Pass, '-': Fail, '~': SoftFail, '?': Neutral}[text[0]]
		rest = text[1:]
	}
	end := strings.IndexAny(rest, ":/")
	if end < 0 {
		end = len(rest)
	}
	t.kind, rest = spfKind(strings.ToLower(rest[:end])), rest[end:]
	var err error
	switch t.kind {
	case spfAll:
		if rest != "" {
			return t, errors.New("all takes nothing behind it")
		}
		return t, nil
	case spfIP4, spfIP6:
		t.prefix, err = parseSPFNetwork(t.kind, strings.TrimPrefix(rest, ":"))
		return t, err
	case spfA, spfMX:
		if rest, err = t.cutBits(rest); err != nil {
			return t, err
		}
	case spfInclude, spfExists:
		if rest == "" {
			return t, fmt.Errorf("%s needs a domain", t.kind)
		}
	case spfPTR:
	default:
		return t, errors.New("is no mechanism of SPF")
	}
	if rest == "" {
		return t, nil
	}
	domain, ok := strings.CutPrefix(rest, ":")
	if !ok {
		return t, fmt.Errorf("%s takes no prefix length", t.kind)
	}
	t.domain = domain
	return t, checkDomainSpec(domain)
}

// cutBits takes "/24//64" off the end (RFC 7208 §5.6).
func (t *spfTerm) cutBits(rest string) (string, error) {
	rest, err := cutLength(rest, "//", &t.bits6, 128)
	if err != nil {
		return "", err
	}
	return cutLength(rest, "/", &t.bits4, 32)
}

// cutLength takes a prefix length off the end, where there is one. A slash may
// stand within a domain-spec, too.
func cutLength(rest, sep string, bits *int, most int) (string, error) {
	i := strings.LastIndex(rest, sep)
	if i < 0 || strings.Trim(rest[i+len(sep):], "0123456789") != "" {
		return rest, nil
	}
	var err error
	*bits, err = prefixLength(rest[i+len(sep):], most)
	return rest[:i], err
}

func prefixLength(s string, most int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > most || strconv.Itoa(n) != s {
		return 0, fmt.Errorf("%.20q is no prefix length within 0 and %d", s, most)
	}
	return n, nil
}

func parseSPFNetwork(kind spfKind, s string) (netip.Prefix, error) {
	host, length, ranged := strings.Cut(s, "/")
	a, err := netip.ParseAddr(host)
	is4 := kind == spfIP4
	if err != nil || a.Is4() != is4 || a.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%s needs an IP%s address", kind, string(kind[2:]))
	}
	bits := a.BitLen()
	if ranged {
		if bits, err = prefixLength(length, a.BitLen()); err != nil {
			return netip.Prefix{}, err
		}
	}
	return netip.PrefixFrom(a, bits), nil
}

// checkDomainSpec says what is wrong with a domain-spec (RFC 7208 §7.1). In front
// of its last dot, every visible character may stand: a name that cannot be is one
// that nothing is found for.
func checkDomainSpec(s string) error {
	if hasMacro(s) {
		return checkMacroDomain(s)
	}
	switch name, top := cutTopLabel(s); {
	case name != "" && top != "" && strings.Trim(top, "0123456789") == "":
		return fmt.Errorf("%.100q is an address where a domain is needed: use ip4", s)
	case name == "" || !isTopLabel(top):
		return fmt.Errorf("%.100q is no complete domain name", s)
	}
	return nil
}

// cutTopLabel cuts a domain before its last label; name is empty where there is
// no dot.
func cutTopLabel(s string) (name, top string) {
	s = strings.TrimSuffix(s, ".")
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return "", s
	}
	return s[:i+1], s[i+1:]
}

// isTopLabel says whether s is a toplabel of RFC 7208 §7.1: letters, digits and
// hyphens, not digits alone, and no hyphen at an end.
func isTopLabel(s string) bool {
	return IsHostName(strings.ToLower(s)) && !strings.Contains(s, "_") &&
		s[0] != '-' && s[len(s)-1] != '-' && strings.Trim(s, "0123456789") != ""
}

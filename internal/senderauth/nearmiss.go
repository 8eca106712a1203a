package senderauth

import (
	"fmt"
	"strings"
	"unicode"
)

// A NearMiss is a TXT record that was meant to be one of SPF or DMARC, and that
// receivers pass over.
type NearMiss struct {
	Name   string // where it stands
	Record string
	Why    string // it is passed over
}

// aside is what a sentence that misses the record says of it; nil is none.
func (m *NearMiss) aside() string {
	if m == nil {
		return ""
	}
	return fmt.Sprintf(" (%#.200q is passed over: %s)", m.Record, m.Why)
}

// firstNearMiss returns the first of the records at a name that why explains.
func firstNearMiss(name string, records []string, why func(string) string) *NearMiss {
	for _, r := range records {
		if reason := why(r); reason != "" {
			return &NearMiss{Name: name, Record: r, Why: reason}
		}
	}
	return nil
}

// nearlySPF says why a record that isSPF denies is none; empty: nobody meant it
// to be one.
func nearlySPF(record string) string {
	for _, start := range [...]string{"v=spf", "v:spf", "spf1", "spf2.", "spf="} {
		if strings.HasPrefix(letters(record), start) {
			return misspelt(record, "v=spf1", "a space")
		}
	}
	return ""
}

// nearlyDMARC is nearlySPF for a record below _dmarc, where little else stands.
func nearlyDMARC(record string) string {
	for _, part := range [...]string{"dmarc", "p=none", "p=quarantine", "p=reject"} {
		if strings.Contains(letters(record), part) {
			return misspelt(record, "v=DMARC1", "a semicolon")
		}
	}
	return ""
}

// letters is a record without all that may have strayed into it, in lower case.
func letters(record string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r <= ' ' || r >= unicode.MaxASCII || r == '"' || r == '\'' || r == '\\' {
			return -1
		}
		return r
	}, record))
}

// misspelt says why a record does not begin with version and what must stand
// behind it.
func misspelt(record, version, next string) string {
	if why := stray(record); why != "" {
		return why
	}
	switch rest, ok := cutPrefixFold(record, version); {
	case strings.TrimLeft(record, " \t\r\n") != record:
		return "it begins with white space"
	case !ok:
		return fmt.Sprintf("it does not begin with %q", version)
	case !strings.HasPrefix(record, version):
		return fmt.Sprintf("its version must be written %q", version)
	case rest != "" && (rest[0] < '0' || rest[0] > '9'):
		return fmt.Sprintf("behind %q there must be %s", version, next)
	}
	return fmt.Sprintf("its version is not %q", version)
}

// stray says what is in a record that never is in one of SPF or DMARC, but comes
// in easily; empty: nothing.
func stray(record string) string {
	if strings.ContainsAny(record, `"\`) {
		return "it has quotation marks or backslashes in it, which belong to zone files only"
	}
	for _, r := range record {
		if r > unicode.MaxASCII {
			return fmt.Sprintf("it has the character %U in it, where ASCII is needed: type it anew", r)
		}
	}
	return ""
}

// blame adds to what is wrong with a record what may have led to it.
func blame(err error, record string) error {
	if why := stray(record); why != "" {
		return fmt.Errorf("%w; %s", err, why)
	}
	return err
}

func cutPrefixFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

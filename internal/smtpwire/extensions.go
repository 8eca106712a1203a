package smtpwire

import (
	"bytes"
	"strconv"
	"strings"
)

// Extensions is what a relay offers in its answer to EHLO. The zero value is a
// relay that knows only HELO.
type Extensions struct {
	Pipelining          bool     // RFC 2920
	EightBitMIME        bool     // RFC 6152
	SMTPUTF8            bool     // RFC 6531
	DSN                 bool     // RFC 3461
	StartTLS            bool     // RFC 3207
	RequireTLS          bool     // RFC 8689
	EnhancedStatusCodes bool     // RFC 2034
	SizeOffered         bool     // RFC 1870
	Size                int64    // octets; zero: no fixed limit
	Auth                []string // mechanisms in upper case, RFC 4954
	Names               []string // every keyword, in upper case, in the relay's order
}

// ParseExtensions reads the text of a positive reply to EHLO: the first line is
// the relay's greeting, each other an extension. Keywords with octets outside
// printable ASCII are ignored, as is whatever is not known.
func ParseExtensions(text []byte) Extensions {
	var x Extensions
	_, rest, more := bytes.Cut(text, []byte{'\n'})
	for more {
		var line []byte
		line, rest, more = bytes.Cut(rest, []byte{'\n'})
		if !printable(line) {
			continue
		}
		// "AUTH=LOGIN PLAIN" is how old servers wrote it.
		keyword, args, _ := strings.Cut(strings.Replace(string(line), "=", " ", 1), " ")
		x.add(strings.ToUpper(keyword), strings.TrimSpace(args))
	}
	return x
}

func (x *Extensions) add(keyword, args string) {
	if keyword == "" {
		return
	}
	x.Names = append(x.Names, keyword)
	switch keyword {
	case "PIPELINING":
		x.Pipelining = true
	case "8BITMIME":
		x.EightBitMIME = true
	case "SMTPUTF8":
		x.SMTPUTF8 = true
	case "DSN":
		x.DSN = true
	case "STARTTLS":
		x.StartTLS = true
	case "REQUIRETLS":
		x.RequireTLS = true
	case "ENHANCEDSTATUSCODES":
		x.EnhancedStatusCodes = true
	case "SIZE":
		x.SizeOffered = true
		if n, err := strconv.ParseInt(args, 10, 64); err == nil && n > 0 {
			x.Size = n
		}
	case "AUTH":
		for _, mechanism := range strings.Fields(strings.ToUpper(args)) {
			if !x.OffersAuth(mechanism) {
				x.Auth = append(x.Auth, mechanism)
			}
		}
	}
}

// OffersAuth says whether the relay offers the mechanism (in upper case).
func (x *Extensions) OffersAuth(mechanism string) bool {
	for _, m := range x.Auth {
		if m == mechanism {
			return true
		}
	}
	return false
}

func printable(line []byte) bool {
	for _, c := range line {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

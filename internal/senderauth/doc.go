// Package senderauth finds what receivers make of a sender domain: SPF for an address (RFC 7208), the
// names of an address, DMARC's policy and its alignment (RFC 7489). It asks DNS as they do and returns
// what it found; what is said of it, and how bad it is, is the caller's.
package senderauth

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"github.com/mxsend/go-mxsend/internal/mxdns"
)

// Names is DNS as receivers ask it. *mxdns.Resolver is one.
type Names interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, domain string) (mxdns.MXSet, error)
	LookupIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupPTR(ctx context.Context, addr netip.Addr) ([]string, error)
}

// Absent says whether a lookup failed because there is nothing to be found.
func Absent(err error) bool {
	return errors.Is(err, mxdns.ErrNoSuchDomain) || errors.Is(err, mxdns.ErrNoRecord) || errors.Is(err, mxdns.ErrNoAddress)
}

// nothingThere says so of a name that others wrote, too, which may be none.
func nothingThere(err error) bool { return Absent(err) || errors.Is(err, mxdns.ErrInvalidName) }

// LookupTXT returns the TXT records of a name; none where there is no such name.
func LookupTXT(ctx context.Context, names Names, name string) ([]string, error) {
	records, err := names.LookupTXT(ctx, name)
	if Absent(err) {
		return nil, nil
	}
	return records, err
}

// canonical is a name as names are compared: in lower case, without the last dot.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// Within says whether a canonical name is a domain or below it.
func Within(name, domain string) bool { return name == domain || strings.HasSuffix(name, "."+domain) }

// IsHostName says whether name consists of labels as DNS has them, in lower-case
// ASCII.
func IsHostName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

package mxsend

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/mxsend/go-mxsend/internal/mxdns"
	"github.com/mxsend/go-mxsend/internal/senderauth"
)

// A CheckConfig tells Client.Check about the way of mail beyond the relays.
// Sending does not use it. Every field may be left out; what cannot be checked
// without it then is not.
type CheckConfig struct {
	// FromDomains are the domains in From of the mail that is sent. DMARC and
	// alignment are checked for each. Nil: neither is.
	FromDomains []string
	// ReturnPathDomains are the domains of Message.ReturnPath, where bounces go,
	// 16 at most; there are several where lanes have return paths of their own.
	// The MX and the SPF record of each are checked, and its alignment with each of
	// FromDomains. Nil: they are not.
	ReturnPathDomains []string
	// OutboundIPs are the addresses that receivers see: those of every primary
	// and of every graveyard, which sends from its own. SPF and reverse DNS are
	// checked for each. Nil: they are not.
	OutboundIPs []netip.Addr
	// NameServers are asked for all that receivers look up ("192.0.2.53",
	// "[2001:db8::53]:5353"): set it where name servers inside answer otherwise
	// than those that the world asks. Nil: those of a Config.Resolver made by
	// NewResolver, or the system's.
	NameServers []string
}

// What bounds the time and the queries of a check.
const (
	maxOutbound    = 256
	maxReturnPaths = 16
)

// validate checks everything at once and brings names into the form they are
// compared in.
func (cfg *CheckConfig) validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("mxsend: Config.Check."+format, args...))
	}
	cfg.FromDomains = cleanDomains(cfg.FromDomains, "FromDomains", bad)
	cfg.ReturnPathDomains = cleanDomains(cfg.ReturnPathDomains, "ReturnPathDomains", bad)
	if n := len(cfg.ReturnPathDomains); n > maxReturnPaths {
		bad("ReturnPathDomains has %d domains; at most %d are checked at a time", n, maxReturnPaths)
	}
	cfg.OutboundIPs = slices.Clone(cfg.OutboundIPs)
	if len(cfg.OutboundIPs) > maxOutbound {
		bad("OutboundIPs has %d addresses; at most %d are checked at a time", len(cfg.OutboundIPs), maxOutbound)
	}
	for i, ip := range cfg.OutboundIPs {
		if !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() || ip.Zone() != "" {
			bad("OutboundIPs[%d] %v is no address that mail could come from", i, ip)
		}
		cfg.OutboundIPs[i] = ip.Unmap()
	}
	if len(cfg.NameServers) > 0 {
		r, err := mxdns.New(mxdns.Config{Servers: cfg.NameServers})
		if err != nil {
			bad("NameServers: %w", err)
		} else {
			_ = r.Close()
		}
		cfg.NameServers = slices.Clone(cfg.NameServers)
	}
	return errors.Join(errs...)
}

// cleanDomains returns the domains of a field as checkDomain does, each once.
func cleanDomains(domains []string, field string, bad func(format string, args ...any)) (checked []string) {
	for _, d := range domains {
		name, err := checkDomain(d)
		if err != nil {
			bad(field+": %w", err)
		}
		if !slices.Contains(checked, name) {
			checked = append(checked, name)
		}
	}
	return checked
}

// checkDomain returns a domain as A-labels in lower case, without the last dot.
func checkDomain(s string) (string, error) {
	if _, domain, isAddress := strings.Cut(s, "@"); isAddress {
		return "", fmt.Errorf("want a domain, not an address: what stands behind its @, %.100q", domain)
	}
	name := canonicalHost(s)
	if !isASCII(name) {
		ascii, err := idna.Lookup.ToASCII(name)
		if err != nil {
			return "", fmt.Errorf("%.100q is no valid internationalised domain name", s)
		}
		name = ascii
	}
	if len(name) > 253 || !strings.Contains(name, ".") || !senderauth.IsHostName(name) {
		return "", fmt.Errorf("%.100q is not a complete domain name such as bounce.example.com", s)
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "", fmt.Errorf("%.100q is an IP address, and a domain is needed", s)
	}
	return name, nil
}

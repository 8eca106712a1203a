package mxtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"
)

// NoGraveyards as Config.Graveyards makes a cluster of primaries alone, which keep deferred mail
// themselves.
const NoGraveyards = -1

// A Config says what a cluster is made of. The zero value is two primaries and two graveyards of the
// domain mail.test, with STARTTLS, over TCP.
type Config struct {
	// Domain is the internal mail domain whose MX records name the primaries. Empty: "mail.test".
	Domain string

	// Primaries is the number of primaries, p1.Domain and on, all of MX preference 10. Zero: 2.
	// At most 9.
	Primaries int

	// Graveyards is the number of graveyards, g1.Domain and on. They have no MX record. Zero: 2;
	// NoGraveyards: none. At most 9.
	Graveyards int

	// GraveyardDomain is a domain whose MX records name the graveyards, all of preference 10: as
	// smtp_fallback_relay it lets them share what is handed over. Empty: "graveyard." and Domain.
	GraveyardDomain string

	// Relay gives the parameters of the relay with this name ("p1.mail.test"). Nil: Postfix's
	// defaults, with what makes a primary and a graveyard: see [RelayConfig].
	Relay func(name string) RelayConfig

	// Limits are what every relay starts with; [Relay.SetLimits] changes them.
	Limits Limits

	// Port is the port of every relay's virtual address. Zero: 25.
	Port int

	// FirstPort is the loopback port of the first primary; the other relays take the ports after it.
	// Zero: any free ones. It is not for Memory, nor for tests that run side by side.
	FirstPort int

	// Users maps names to passwords. Where it is not empty, relays offer AUTH PLAIN and LOGIN inside
	// TLS and relay for nobody else.
	Users map[string]string

	// Bounces says where relays hand over the notifications (DSNs) they make: "lmtp:host:port" or
	// "smtp:host:port". They are retried like all mail until taken. Empty: they are only kept in the
	// ledger, as delivered.
	Bounces string

	// DialBounces connects to the address in Bounces. Nil: the cluster's own network with Memory,
	// else TCP to loopback addresses only.
	DialBounces func(ctx context.Context, network, address string) (net.Conn, error)

	// Memory takes an in-memory network in place of TCP, fit for testing/synctest.
	Memory bool

	// Latency and Bandwidth (octets a second and direction) shape the in-memory network.
	// Zero: none, unlimited. They need Memory.
	Latency   time.Duration
	Bandwidth int64

	// KeepContent bounds the octets of content kept in the ledger of mails that are done; beyond it
	// the oldest go first. Content of mail still queued is always kept. Zero: 64 MiB; negative: none is kept.
	KeepContent int64

	// Transcripts keeps what was said in the sessions, for [Relay.Transcripts]: commands and replies, AUTH
	// redacted, content only as a count of octets.
	Transcripts bool

	// Logger gets a line for each session that ends, at Debug. Nil: slog.Default().
	Logger *slog.Logger
}

// withDefaults returns c with zero values filled in.
func (c Config) withDefaults() Config {
	if c.Domain == "" {
		c.Domain = "mail.test"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Domain = strings.ToLower(strings.TrimSuffix(c.Domain, "."))
	if c.GraveyardDomain == "" {
		c.GraveyardDomain = "graveyard." + c.Domain
	}
	c.GraveyardDomain = strings.ToLower(strings.TrimSuffix(c.GraveyardDomain, "."))
	if c.Primaries == 0 {
		c.Primaries = 2
	}
	switch c.Graveyards {
	case 0:
		c.Graveyards = 2
	case NoGraveyards:
		c.Graveyards = 0
	}
	if c.Port == 0 {
		c.Port = 25
	}
	if c.KeepContent == 0 {
		c.KeepContent = 64 << 20
	}
	return c
}

// validate names everything that is wrong with c, defaults filled in.
func (c Config) validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("mxtest: Config."+format, args...)) }
	if !validDomain(c.Domain) {
		wrong("Domain %q is no domain name", c.Domain)
	}
	if !validDomain(c.GraveyardDomain) || c.GraveyardDomain == c.Domain {
		wrong("GraveyardDomain %q is no domain name, or the relays' own", c.GraveyardDomain)
	}
	if c.Primaries < 0 || c.Primaries > 9 {
		wrong("Primaries is %d; a cluster has 1 to 9", c.Primaries)
	}
	if c.Graveyards < 0 || c.Graveyards > 9 {
		wrong("Graveyards is %d; a cluster has 0 (NoGraveyards) to 9", c.Graveyards)
	}
	if c.Port < 1 || c.Port > 65535 {
		wrong("Port %d is no port", c.Port)
	}
	if c.FirstPort < 0 || c.FirstPort+c.Primaries+c.Graveyards > 65535 {
		wrong("FirstPort %d leaves no ports for the relays", c.FirstPort)
	}
	if c.Memory && c.FirstPort != 0 {
		wrong("FirstPort is of no use with Memory")
	}
	if c.Bounces != "" {
		if _, _, err := splitBounces(c.Bounces); err != nil {
			wrong("Bounces: %w", err)
		}
	} else if c.DialBounces != nil {
		wrong("DialBounces is set, but Bounces is empty")
	}
	if !c.Memory && (c.Latency != 0 || c.Bandwidth != 0) {
		wrong("Latency and Bandwidth need Memory: TCP has its own")
	}
	if c.Latency < 0 || c.Bandwidth < 0 {
		wrong("Latency and Bandwidth cannot be negative")
	}
	if err := c.Limits.validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// splitBounces takes Config.Bounces apart.
func splitBounces(s string) (protocol, address string, err error) {
	protocol, address, ok := strings.Cut(s, ":")
	if !ok || protocol != "lmtp" && protocol != "smtp" {
		return "", "", fmt.Errorf(`%q is not of the form "lmtp:host:port" or "smtp:host:port"`, s)
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return "", "", fmt.Errorf("%q: %w", s, err)
	}
	return protocol, address, nil
}

// validDomain reports whether s is a host name of two labels or more: letters, digits, hyphens.
func validDomain(s string) bool {
	if len(s) > 253 || !strings.Contains(s, ".") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
				return false
			}
		}
	}
	return true
}

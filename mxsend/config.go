package mxsend

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/emersion/go-sasl"
)

// Config configures a Client. Domain (or Resolver) is all that is needed: every
// other zero value works and says what it means.
type Config struct {
	// Domain is the mail domain whose MX records name the relays.
	Domain string
	// Weights are the shares of the relays, by MX host name; absent: 1, and 0
	// drains. A host that is not (yet) in DNS is a warning in the log.
	Weights map[string]int
	// MaxPreference: relays of a higher MX preference are never used. Zero: all are.
	MaxPreference int
	// Port of the relays, unless the Resolver's Host names one. Zero: 25.
	Port int
	// LocalName is the name in EHLO: the fully qualified name of this machine
	// ("app1.example.com"), or an address literal ("[192.0.2.9]", "[IPv6:2001:db8::9]";
	// RFC 5321 §4.1.3). Many relays refuse a bare host name, as a container has, and
	// some a name that DNS does not know. Empty: os.Hostname, or "[127.0.0.1]" where
	// that could not stand in EHLO; what is not fully qualified is logged as a warning,
	// and Client.Check says so.
	LocalName string
	// TLS says how connections are secured. Zero: TLSRequired.
	TLS TLSPolicy
	// TLSConfig is cloned for every connection. Nil: the system's roots, TLS 1.2
	// and later. InsecureSkipVerify in it turns verification off.
	TLSConfig *tls.Config
	// RelayNames are the names that relays may bear under verified TLS, such as
	// "p1.example.com" or "*.relays.example.com": an MX record comes from unsigned
	// DNS, so it must not be able to name a relay of somebody else's. Nil: Domain
	// and every name inside it.
	RelayNames []string
	// Auth makes the SASL client for a connection (go-sasl). It is used over
	// verified TLS only. Nil: no AUTH.
	Auth func() sasl.Client
	// Resolver finds the relays. Nil: NewResolver().
	Resolver Resolver
	// Dial opens connections. Nil: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Signer signs every message that has none of its own. Nil: content goes
	// out as it is.
	Signer Signer
	// Transactional and Bulk configure the two lanes.
	Transactional, Bulk LaneConfig
	// Limits bound connections, memory and waiting.
	Limits Limits
	// Retry makes the schedule of a message's rounds; the Client calls it for
	// each message that needs one, and asks it while that message, and no other,
	// waits for the answer. Nil: 1 s, doubling to 30 s, jittered, for two
	// minutes in all.
	Retry func() backoff.BackOff
	// InDoubt says what to do in doubt. Zero: InDoubtReport.
	InDoubt InDoubtPolicy
	// SeparateTransactions never writes the content of one message and the
	// envelope of the next as one group, for relays that cannot take it. It is
	// found out by itself, for ten minutes each, at the cost of a connection.
	SeparateTransactions bool
	// AllowRecipient is a guard for staging: a recipient for which it returns
	// false is Rejected with ErrNotAllowed before anything is sent. Nil: all are
	// allowed. It may be called concurrently.
	AllowRecipient func(address string) bool
	// Check tells Client.Check about the way of mail beyond the relays. Zero: it
	// checks DNS, relays and signer only.
	Check CheckConfig
	// Logger gets what an operator should know, once for each change: relays that
	// cannot be reached, are put out or taken back, lanes that are held and go on,
	// lookups that failed. No addresses, no content. To silence it, set
	// slog.New(slog.DiscardHandler). Nil: slog.Default(), as it is at New.
	Logger *slog.Logger
	// Observer is told of connections and transactions. Nil: nobody is.
	Observer *Observer
}

// A TLSPolicy says how connections to relays are secured.
type TLSPolicy uint8

const (
	TLSRequired      TLSPolicy = iota // STARTTLS, verified; without it nothing is sent
	TLSImplicit                       // TLS from the first octet (port 465), verified
	TLSOpportunistic                  // STARTTLS where offered, without verification; else in clear
	TLSDisabled                       // in clear
)

// An InDoubtPolicy says what to do with a message whose fate is unknown.
type InDoubtPolicy uint8

const (
	// InDoubtReport reports InDoubt and leaves the decision to the caller.
	InDoubtReport InDoubtPolicy = iota
	// InDoubtResend sends the identical octets once more and sets
	// DuplicatePossible: rather twice than never.
	InDoubtResend
)

// A LaneConfig configures one lane.
type LaneConfig struct {
	// Domain is a mail domain of the lane's own. Empty: Config.Domain.
	Domain string
	// Port is a port of the lane's own, of relays that keep the two kinds of mail apart
	// by it. As with a Domain of its own, the lane then has connections and limits to
	// itself, and a relay's health is the lane's. Zero: Config.Port.
	Port int
	// Rate limits the lane, in messages a second. Zero: unlimited.
	Rate float64
}

// Limits bound what the Client uses. Zero values mean the defaults named.
type Limits struct {
	Connections int // to each relay, at each port; default 10
	// Reserved of them are kept from Bulk for Transactional; default 2, at most
	// Connections−1. Negative: none.
	Reserved      int
	InFlight      int           // messages of a lane between submission and outcome; default 1000
	InFlightBytes int64         // octets of their content; default 32 MiB; one message is always let in
	Age           time.Duration // of a connection, ±20 %; default 300 s
	Idle          time.Duration // of a connection; default 5 s
	Connect       time.Duration // TCP, and the TLS handshake; default 10 s
	Greeting      time.Duration // the relay's first reply; default 5 min (RFC 5321 §4.5.3.2.1)
	// Reply and ReplyTransactional bound the wait for each complete reply before
	// the final dot, and for each 64 KiB of content to be taken; defaults 60 s
	// and 15 s.
	Reply, ReplyTransactional time.Duration
	// FinalDot bounds the wait for the reply to the final dot; default 10 min
	// (RFC 5321 §4.5.3.2.6). A shorter one raises the number of messages in doubt.
	FinalDot time.Duration
}

// validate checks everything at once and fills in the defaults.
func (cfg *Config) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("mxsend: "+format, args...)) }

	if cfg.Domain == "" && cfg.Resolver == nil {
		bad("Config.Domain is empty: set it to the mail domain whose MX records name your relays, or set Config.Resolver: mxsend.StaticRelays(…)")
	}
	for _, d := range []struct{ field, value string }{
		{"Domain", cfg.Domain}, {"Transactional.Domain", cfg.Transactional.Domain}, {"Bulk.Domain", cfg.Bulk.Domain},
	} {
		if strings.ContainsAny(d.value, " @<>[]:/\\\r\n\x00") {
			bad("Config.%s %q is not a domain name", d.field, d.value)
		}
	}
	for name, w := range cfg.Weights {
		if err := checkWeight(name, w); err != nil {
			errs = append(errs, err)
		}
	}
	for _, p := range []struct {
		field string
		value int
	}{{"Port", cfg.Port}, {"Transactional.Port", cfg.Transactional.Port}, {"Bulk.Port", cfg.Bulk.Port}} {
		if p.value < 0 || p.value > 65535 {
			bad("Config.%s %d is not a port", p.field, p.value)
		}
	}
	setDefault(&cfg.Port, 25)
	setDefault(&cfg.Transactional.Port, cfg.Port)
	setDefault(&cfg.Bulk.Port, cfg.Port)
	if cfg.LocalName == "" {
		cfg.LocalName = defaultLocalName()
	} else if err := checkLocalName(cfg.LocalName); err != nil {
		errs = append(errs, err)
	}
	if cfg.TLS > TLSDisabled {
		bad("Config.TLS %d is none of the policies", cfg.TLS)
	}
	if cfg.Auth != nil && (cfg.TLS == TLSDisabled || cfg.TLS == TLSOpportunistic) {
		bad("Config.Auth needs verified TLS: set Config.TLS to TLSRequired or TLSImplicit")
	}
	if cfg.Auth != nil && cfg.TLSConfig != nil && cfg.TLSConfig.InsecureSkipVerify {
		bad("Config.Auth needs verified TLS: Config.TLSConfig.InsecureSkipVerify turns verification off")
	}
	if cfg.TLSConfig != nil && cfg.TLSConfig.MinVersion != 0 && cfg.TLSConfig.MinVersion < tls.VersionTLS12 {
		bad("Config.TLSConfig.MinVersion is below TLS 1.2")
	}
	if cfg.InDoubt > InDoubtResend {
		bad("Config.InDoubt %d is none of the policies", cfg.InDoubt)
	}
	if cfg.Transactional.Rate < 0 || cfg.Bulk.Rate < 0 {
		bad("Rate of a lane is negative")
	}
	if r, ok := cfg.Resolver.(*dnsResolver); ok && r.err != nil {
		bad("Config.Resolver: %w", r.err)
	}
	errs = append(errs, cfg.Limits.validate(), cfg.Check.validate())
	cfg.fillFuncs()
	return errors.Join(errs...)
}

func (cfg *Config) fillFuncs() {
	if cfg.Resolver == nil {
		cfg.Resolver = NewResolver()
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{Control: dialControl}).DialContext
	}
	if cfg.Retry == nil {
		cfg.Retry = defaultRetry
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Observer == nil {
		cfg.Observer = &Observer{}
	}
	weights := make(map[string]int, len(cfg.Weights))
	for name, w := range cfg.Weights {
		weights[canonicalHost(name)] = w
	}
	cfg.Weights = weights
}

func (l *Limits) validate() error {
	if l.Connections < 0 || l.InFlight < 0 || l.InFlightBytes < 0 {
		return errors.New("mxsend: Config.Limits has a negative number")
	}
	for _, d := range []*time.Duration{&l.Age, &l.Idle, &l.Connect, &l.Greeting, &l.Reply, &l.ReplyTransactional, &l.FinalDot} {
		if *d < 0 {
			return errors.New("mxsend: Config.Limits has a negative duration")
		}
	}
	setDefault(&l.Connections, 10)
	if l.Reserved < 0 {
		l.Reserved = 0
	} else {
		setDefault(&l.Reserved, min(2, l.Connections-1))
	}
	if l.Reserved >= l.Connections {
		return fmt.Errorf("mxsend: Config.Limits.Reserved %d leaves Bulk none of %d Connections", l.Reserved, l.Connections)
	}
	setDefault(&l.InFlight, 1000)
	setDefault(&l.InFlightBytes, 32<<20)
	setDefault(&l.Age, 300*time.Second)
	setDefault(&l.Idle, 5*time.Second)
	setDefault(&l.Connect, 10*time.Second)
	setDefault(&l.Greeting, 5*time.Minute)
	setDefault(&l.Reply, 60*time.Second)
	setDefault(&l.ReplyTransactional, 15*time.Second)
	setDefault(&l.FinalDot, 10*time.Minute)
	return nil
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

func checkWeight(name string, w int) error {
	const most = 1000
	if w < 0 || w > most {
		return fmt.Errorf("mxsend: weight %d of relay %q is not within 0 and %d", w, name, most)
	}
	return nil
}

func defaultRetry() backoff.BackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(time.Second),
		backoff.WithMultiplier(2),
		backoff.WithMaxInterval(30*time.Second),
		backoff.WithRandomizationFactor(0.3),
		backoff.WithMaxElapsedTime(2*time.Minute),
	)
}

// canonicalHost is how host names are compared: lower case, no final dot.
func canonicalHost(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

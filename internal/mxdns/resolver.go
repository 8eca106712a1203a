package mxdns

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

const (
	defaultStaleFor   = 24 * time.Hour
	maxStaleFor       = 7 * 24 * time.Hour // RFC 8767 §4 asks for a bound, and for days, not weeks
	defaultResolvConf = "/etc/resolv.conf"
)

// Config says which name servers to ask, and how. The zero value asks the system's.
type Config struct {
	// Servers are asked in this order, "192.0.2.53", "192.0.2.53:5353" or "[2001:db8::53]:5353", from
	// the one on that answered last. None: those of ResolvConf.
	Servers []string
	// ResolvConf is the file that names the system's servers, read again when it changes; empty:
	// /etc/resolv.conf. While it names none, System is asked.
	ResolvConf string
	// System answers where no name server is known; nil: net.DefaultResolver.
	System *net.Resolver
	// Dial connects to name servers over "udp" and "tcp"; nil: a net.Dialer. Over "udp" it must return a
	// net.PacketConn too, as net does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Timeout is how long one server may take for one question; zero: as resolv.conf says, or 2 s.
	Timeout time.Duration
	// Attempts is how many times every server is asked; zero: as resolv.conf says, or 2.
	Attempts int
	// StaleFor is how long after its time the last good answer is given while name servers fail; zero:
	// 24 h; at most a week; negative: never.
	StaleFor time.Duration
	// Logger hears when lookups of a name begin to fail and when they work again; nil: nobody does.
	Logger *slog.Logger
}

// Resolver looks up what mail needs, and keeps the answers. It is safe for concurrent use. Close ends it.
type Resolver struct {
	cache *cache
	stats *counters
	seed  maphash.Seed // orders relays of one preference differently in every process
}

// New checks cfg and returns a Resolver. It does no I/O and starts no goroutine.
func New(cfg Config) (*Resolver, error) {
	var faults []error
	base := roster{timeout: cfg.Timeout, attempts: cfg.Attempts}
	for _, s := range cfg.Servers {
		server, err := parseServer(s)
		if err != nil {
			faults = append(faults, err)
		}
		base.servers = append(base.servers, server)
	}
	if len(cfg.Servers) > maxServers {
		faults = append(faults, fmt.Errorf("%d Servers: name %d at most", len(cfg.Servers), maxServers))
	}
	if cfg.Timeout < 0 {
		faults = append(faults, errors.New("negative Timeout: use zero for the default"))
	}
	if cfg.Attempts < 0 {
		faults = append(faults, errors.New("negative Attempts: use zero for the default"))
	}
	if cfg.StaleFor > maxStaleFor {
		faults = append(faults, fmt.Errorf("too long a StaleFor: %v is the most", maxStaleFor))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("mxdns: %w", err)
	}
	return newResolver(cfg, base), nil
}

func newResolver(cfg Config, base roster) *Resolver {
	if cfg.ResolvConf == "" {
		cfg.ResolvConf = defaultResolvConf
	}
	if len(base.servers) > 0 {
		cfg.ResolvConf = ""
	}
	if cfg.System == nil {
		cfg.System = net.DefaultResolver
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.StaleFor == 0 {
		cfg.StaleFor = defaultStaleFor
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	stats := new(counters)
	b := &backend{
		asker:   asker{dial: cfg.Dial, stats: stats},
		servers: &servers{path: cfg.ResolvConf, base: base, roster: base},
		system:  systemResolver{resolver: cfg.System, stats: stats},
	}
	return &Resolver{
		stats: stats,
		seed:  maphash.MakeSeed(),
		cache: &cache{
			resolve:  b.resolve,
			staleFor: max(cfg.StaleFor, 0),
			logger:   cfg.Logger,
			stats:    stats,
			work:     newWork(),
			slots:    make(chan struct{}, maxParallel),
			entries:  make(map[question]*entry),
		},
	}
}

// Close ends every lookup under way and waits for its goroutine. Later lookups return ErrClosed.
func (r *Resolver) Close() error {
	r.cache.close()
	return nil
}

// Interrupt ends every lookup under way and waits for its goroutine. The Resolver goes on to be of use, and
// keeps its answers.
func (r *Resolver) Interrupt() { r.cache.interrupt() }

// Stats returns a snapshot.
func (r *Resolver) Stats() Stats { return r.stats.snapshot() }

// LookupTXT returns the TXT records of a name, the strings of each joined (RFC 7208 §3.3). Errors:
// ErrNoSuchDomain, ErrNoRecord, ErrTemporary, ErrInvalidName, ErrClosed.
func (r *Resolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	res, err := r.lookup(ctx, name, dns.TypeTXT)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, txt := range records[*dns.TXT](res.answer) {
		texts = append(texts, joinText(txt.Txt))
	}
	return texts, nil
}

// LookupPTR returns the names of an address, without their last dots. Errors: those of LookupTXT.
func (r *Resolver) LookupPTR(ctx context.Context, addr netip.Addr) ([]string, error) {
	name, err := dns.ReverseAddr(addr.Unmap().WithZone("").String())
	if err != nil {
		return nil, &Error{Type: "PTR", Name: addr.String(), Kind: ErrInvalidName, Err: errors.New("no IP address")}
	}
	res, err := r.lookup(ctx, name, dns.TypePTR)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, ptr := range records[*dns.PTR](res.answer) {
		names = append(names, bare(ptr.Ptr))
	}
	return names, nil
}

// maxIPs bounds what LookupIP returns.
const maxIPs = 1000

// LookupIP returns the addresses of one family of a host as DNS has them: network is "ip4" or "ip6", and
// nothing is left out but addresses beyond the first thousand. It is for those who compare addresses, as a
// receiver does at SPF; LookupRelays gives those that one can connect to. Errors: those of LookupTXT.
func (r *Resolver) LookupIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	qtype := dns.TypeA
	if network == "ip6" {
		qtype = dns.TypeAAAA
	}
	res, err := r.lookup(ctx, host, qtype)
	if err != nil {
		return nil, err
	}
	addrs := addrsOf(res.answer)
	return addrs[:min(len(addrs), maxIPs)], nil
}

// lookup returns an answer with records, or an error.
func (r *Resolver) lookup(ctx context.Context, name string, qtype uint16) (result, error) {
	full, err := canonical(name)
	if err != nil {
		return result{}, &Error{Type: dns.TypeToString[qtype], Name: name, Kind: ErrInvalidName, Err: err}
	}
	q := question{full, qtype}
	res, err := r.cache.begin(q).wait(ctx)
	if err != nil {
		return result{}, err
	}
	switch res.status {
	case noDomain:
		return result{}, q.fail(ErrNoSuchDomain, nil)
	case noData:
		return result{}, q.fail(ErrNoRecord, nil)
	}
	return res, nil
}

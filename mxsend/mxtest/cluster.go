package mxtest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/mxsend/go-mxsend/internal/relaymodel"
)

// ErrClosed is returned by what needs a running cluster after [Cluster.Close].
var ErrClosed = errors.New("mxtest: the cluster is closed")

// A Cluster is a mail domain with its relays, its DNS and the destinations outside. Its methods are
// safe for concurrent use.
type Cluster struct {
	cfg     Config
	tb      testing.TB // nil for Start
	engine  *engine
	relays  []*Relay // primaries first
	dns     *DNS
	dnsAddr string
	certs   *certs
	net     network
	ledger  *Ledger

	done    chan struct{} // closed by Close
	ctx     context.Context
	cancel  context.CancelFunc
	closers []func() error
	wg      sync.WaitGroup
	once    sync.Once
}

// NewCluster starts a cluster that ends with the test, or reports through tb.Fatal why it cannot. Where
// the test has failed, it logs the ledger.
func NewCluster(tb testing.TB, cfg Config) *Cluster {
	tb.Helper()
	c, err := start(cfg, tb)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			var s strings.Builder
			c.ledger.Dump(&s)
			tb.Log("\n" + s.String())
		}
		c.Close()
	})
	return c
}

// Start starts a cluster outside tests. The caller closes it.
func Start(cfg Config) (*Cluster, error) { return start(cfg, nil) }

func start(cfg Config, tb testing.TB) (*Cluster, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	c := &Cluster{cfg: cfg, tb: tb, engine: newEngine(cfg), dns: newDNS(), done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.engine.fail = c.fail
	c.engine.verify = c.dns.verify
	c.ledger = &Ledger{c: c, e: c.engine}
	if err := c.addRelays(); err != nil {
		return nil, err
	}
	var err error
	if c.certs, err = newCerts(); err != nil {
		return nil, fmt.Errorf("mxtest: making certificates: %w", err)
	}
	if cfg.Memory {
		c.net = newInMemory(c)
	} else {
		c.net = newLoopback(c)
	}
	if cfg.Bounces != "" {
		c.engine.out = newHandover(c).deliver
	}
	if err := c.listen(); err != nil {
		c.Close()
		return nil, fmt.Errorf("mxtest: %w", err)
	}
	return c, nil
}

// addRelays makes the relays and their records.
func (c *Cluster) addRelays() error {
	var graveyards []string
	for i := range c.cfg.Graveyards {
		graveyards = append(graveyards, fmt.Sprintf("g%d.%s", i+1, c.cfg.Domain))
	}
	var mx []MX
	for i := range c.cfg.Primaries {
		name := fmt.Sprintf("p%d.%s", i+1, c.cfg.Domain)
		c.addRelay(name, fmt.Sprintf("10.0.0.%d", 11+i), false)
		mx = append(mx, MX{10, name})
	}
	for i, name := range graveyards {
		c.addRelay(name, fmt.Sprintf("10.0.1.%d", 11+i), true)
	}
	c.dns.SetMX(c.cfg.Domain, mx...)
	var errs []error
	for _, r := range c.relays {
		if c.cfg.Relay != nil {
			r.cfg = c.cfg.Relay(r.name)
		}
		r.cfg = r.cfg.withDefaults(r.graveyard, graveyards)
		if err := r.cfg.validate(r.name, func(host string) bool { return c.engine.relay(host) != nil }); err != nil {
			errs = append(errs, err)
			continue
		}
		r.queue = relaymodel.New(r.params())
		r.admission.processes = r.cfg.SMTPDProcessLimit
		c.dns.SetAddress(r.name, r.ip)
	}
	return errors.Join(errs...)
}

func (c *Cluster) addRelay(name, ip string, graveyard bool) {
	r := &Relay{c: c, e: c.engine, index: int32(len(c.relays)), name: name, ip: ip, graveyard: graveyard, limits: c.cfg.Limits, sessions: map[*session]struct{}{}}
	c.relays = append(c.relays, r)
	c.engine.relays = c.relays
}

// listen opens the DNS server and the relays.
func (c *Cluster) listen() error {
	udp, tcp, address, err := c.net.dns()
	if err != nil {
		return err
	}
	c.dnsAddr = address
	c.closers = append(c.closers, udp.Close, tcp.Close)
	c.wg.Go(func() { c.dns.serveUDP(udp) })
	c.wg.Go(func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(c.ctx, func() { conn.Close() })
			c.wg.Go(func() {
				defer stop()
				c.dns.serveTCP(conn)
			})
		}
	})
	for _, r := range c.relays {
		if err := c.net.start(r); err != nil {
			return err
		}
	}
	return nil
}

// Close stops everything and waits until it has stopped. Later calls do nothing.
func (c *Cluster) Close() error {
	var errs []error
	c.once.Do(func() {
		close(c.done)
		c.cancel()
		c.engine.close()
		for _, f := range c.closers {
			errs = append(errs, f())
		}
		for _, r := range c.relays {
			r.unserve()
			for _, s := range r.current() {
				s.reset()
			}
		}
		c.wg.Wait()
	})
	return errors.Join(errs...)
}

// fail reports a mistake in the use of the cluster.
func (c *Cluster) fail(format string, args ...any) {
	if c.tb != nil {
		c.tb.Helper()
		c.tb.Fatalf(format, args...)
	}
	panic(fmt.Sprintf(format, args...))
}

// usable fails the test after Close.
func (c *Cluster) usable(what string) {
	select {
	case <-c.done:
		c.fail("mxtest: %s: %s after Close", caller(), what)
	default:
	}
}

// Domain is the internal mail domain whose MX records name the primaries.
func (c *Cluster) Domain() string { return c.cfg.Domain }

// DNSAddr is the address of the cluster's DNS server, UDP and TCP: a port of 127.0.0.1, or with
// Config.Memory an address that only Dial reaches.
func (c *Cluster) DNSAddr() string { return c.dnsAddr }

// Port is the port of the relays' addresses, as the DNS names them: Config.Port.
func (c *Cluster) Port() int { return c.cfg.Port }

// TLSConfig trusts the cluster's CA. It is the caller's to change.
func (c *Cluster) TLSConfig() *tls.Config { return c.certs.client() }

// Dial connects to a relay's or the DNS server's address in the cluster, as net.Dialer's DialContext does. An address
// of nobody is refused. The client's own address is 127.0.0.1.
func (c *Cluster) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return c.dial(ctx, "", network, address)
}

// DialFrom returns [Cluster.Dial] for a client with an IP address of its own, as relays see it: they count each address
// by itself (see [Limits]), and the ledger notes it. With Config.Memory it is any address that is none of the cluster's; over
// TCP it is a loopback address, of which some systems have only 127.0.0.1. Any other is tb.Fatal, or a panic in a cluster
// of [Start].
func (c *Cluster) DialFrom(client string) func(ctx context.Context, network, address string) (net.Conn, error) {
	if err := c.net.client(client); err != nil {
		c.fail("mxtest: %s: DialFrom(%q): %v", caller(), client, err)
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return c.dial(ctx, client, network, address)
	}
}

// dial connects from a client's address; empty is 127.0.0.1.
func (c *Cluster) dial(ctx context.Context, client, network, address string) (net.Conn, error) {
	select {
	case <-c.done:
		return nil, ErrClosed
	default:
	}
	return c.net.dial(ctx, client, network, address)
}

// Listen listens in the cluster's network, where relays reach it for Config.Bounces: with Config.Memory on any IP
// address that is no relay's, else on loopback addresses only. The caller closes it.
func (c *Cluster) Listen(network, address string) (net.Listener, error) {
	select {
	case <-c.done:
		return nil, ErrClosed
	default:
	}
	return c.net.listen(network, address)
}

// Primary is the ith primary, from 0. There being none it is tb.Fatal, or a panic in a cluster of Start.
func (c *Cluster) Primary(i int) *Relay {
	if i < 0 || i >= c.cfg.Primaries {
		c.fail("mxtest: %s: Primary(%d): the cluster has %d primaries, counted from 0", caller(), i, c.cfg.Primaries)
	}
	return c.relays[i]
}

// Graveyard is the ith graveyard, from 0.
func (c *Cluster) Graveyard(i int) *Relay {
	if i < 0 || i >= c.cfg.Graveyards {
		c.fail("mxtest: %s: Graveyard(%d): the cluster has %d graveyards, counted from 0", caller(), i, c.cfg.Graveyards)
	}
	return c.relays[c.cfg.Primaries+i]
}

// Relays are all relays, primaries first.
func (c *Cluster) Relays() []*Relay { return append([]*Relay(nil), c.relays...) }

// Destination is the mail domain of the world outside with this name.
func (c *Cluster) Destination(domain string) *Destination {
	c.usable("Destination")
	name := key(domain)
	if !validDomain(name) {
		c.fail("mxtest: %s: Destination(%q): no domain name", caller(), domain)
	}
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	return c.engine.outside[c.engine.dest(name)]
}

// DNS is the cluster's DNS server, whose zones can be changed while it runs.
func (c *Cluster) DNS() *DNS { return c.dns }

// Ledger is what became of every mail. It can be read after Close too.
func (c *Cluster) Ledger() *Ledger { return c.ledger }

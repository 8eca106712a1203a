package mxtest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"
)

// ErrClosed is returned by what needs a running cluster after [Cluster.Close].
var ErrClosed = errors.New("mxtest: the cluster is closed")

// errNotBuilt marks what this version does not do yet.
var errNotBuilt = errors.New("mxtest: not built yet")

// A Cluster is a mail domain with its relays, its DNS and the destinations outside. Its methods are
// safe for concurrent use.
type Cluster struct{}

// NewCluster starts a cluster that ends with the test, or reports through tb.Fatal why it cannot. Where
// the test has failed, it logs the ledger.
func NewCluster(tb testing.TB, cfg Config) *Cluster {
	tb.Helper()
	c, err := Start(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// Start starts a cluster outside tests. The caller closes it.
func Start(cfg Config) (*Cluster, error) { return nil, errNotBuilt }

// Close stops everything and waits until it has stopped. Later calls do nothing.
func (c *Cluster) Close() error { return errNotBuilt }

// Domain is the internal mail domain whose MX records name the primaries.
func (c *Cluster) Domain() string { panic(errNotBuilt) }

// DNSAddr is the address of the cluster's DNS server, UDP and TCP: a port of 127.0.0.1, or with
// Config.Memory an address that only Dial reaches.
func (c *Cluster) DNSAddr() string { panic(errNotBuilt) }

// Port is the port of the relays' addresses, as the DNS names them: Config.Port.
func (c *Cluster) Port() int { panic(errNotBuilt) }

// TLSConfig trusts the cluster's CA. It is the caller's to change.
func (c *Cluster) TLSConfig() *tls.Config { panic(errNotBuilt) }

// Dial connects to a relay's or the DNS server's address in the cluster, as net.Dialer's DialContext does. An address
// of nobody is refused.
func (c *Cluster) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return nil, errNotBuilt
}

// Listen listens in the cluster's network, where relays reach it for Config.Bounces: with Config.Memory on any address
// "10.1.x.y:port", else on loopback addresses only.
func (c *Cluster) Listen(network, address string) (net.Listener, error) { return nil, errNotBuilt }

// Primary is the ith primary, from 0. There being none it is tb.Fatal, or a panic in a cluster of Start.
func (c *Cluster) Primary(i int) *Relay { panic(errNotBuilt) }

// Graveyard is the ith graveyard, from 0.
func (c *Cluster) Graveyard(i int) *Relay { panic(errNotBuilt) }

// Relays are all relays, primaries first.
func (c *Cluster) Relays() []*Relay { panic(errNotBuilt) }

// Destination is the mail domain of the world outside with this name.
func (c *Cluster) Destination(domain string) *Destination { panic(errNotBuilt) }

// DNS is the cluster's DNS server, whose zones can be changed while it runs.
func (c *Cluster) DNS() *DNS { panic(errNotBuilt) }

// Ledger is what became of every mail.
func (c *Cluster) Ledger() *Ledger { panic(errNotBuilt) }

// WaitIdle waits until no relay has work at hand: nothing in an incoming or active queue, no notification
// being handed over, no transaction open. Deferred mail may remain. Its error is ctx's, with what was still to do.
func (c *Cluster) WaitIdle(ctx context.Context) error { return errNotBuilt }

// WaitFor waits until cond holds for the ledger's counts. Its error is ctx's, with the counts.
func (c *Cluster) WaitFor(ctx context.Context, cond func(Counts) bool) error { return errNotBuilt }

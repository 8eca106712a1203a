package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/dkim"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
	"github.com/mxsend/go-mxsend/verp"
	"github.com/mxsend/go-mxsend/verp/bounce"
)

// The domains of the sender.
const (
	shopDomain   = "shop.test"        // From and DKIM
	bounceDomain = "bounce.shop.test" // return paths
)

// A world is everything that takes part: relays and destinations, which a real application would not bring along, and
// what it would: a codec of return paths, a signer, a client, and a receiver of bounces.
type world struct {
	cluster  *mxtest.Cluster
	codec    *verp.Codec
	client   *mxsend.Client
	receiver *bounce.Receiver

	mu      sync.Mutex
	bounced map[uint64]bounce.Recipient // by recipient id; guarded by mu
	strays  int                         // events that are no genuine bounce of ours; guarded by mu
}

func newWorld() (_ *world, err error) {
	w := &world{bounced: map[uint64]bounce.Recipient{}}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	w.codec, err = verp.New(verp.Config{Prefix: "b", Domain: bounceDomain, Keys: []verp.Key{{ID: 1, Secret: secret}}})
	if err != nil {
		return nil, err
	}
	// Bounces come back to a receiver in this process.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the bounce receiver: %w", err)
	}
	w.receiver = &bounce.Receiver{Codec: w.codec, Handle: w.handleBounce, Hostname: bounceDomain, Logger: slog.New(slog.DiscardHandler)}
	go func() { _ = w.receiver.ServeLMTP(l) }()

	w.cluster, err = mxtest.Start(mxtest.Config{
		Domain:  "relays.shop.test",
		Bounces: "lmtp:" + l.Addr().String(),
		Relay: func(string) mxtest.RelayConfig {
			// Real relays give a silent host five minutes; nobody wants to watch that.
			return mxtest.RelayConfig{SMTPHeloTimeout: 500 * time.Millisecond, SMTPConnectTimeout: 500 * time.Millisecond}
		},
	})
	if err != nil {
		return nil, err
	}
	w.cluster.Destination("bigmail.test").Reject(mxtest.AtRcpt, "550 5.1.1 no such mailbox", "gone.*")
	w.cluster.Destination("postbox.test").Reject(mxtest.AtRcpt, "550 5.1.1 unknown user", "gone.*")
	w.cluster.Destination("greylisting.test").Greylist(5 * time.Minute)
	w.cluster.Destination("strict.test").Reject(mxtest.AtDot, "554 5.7.1 not wanted here")
	w.cluster.Destination("silent.test").Silence()
	w.cluster.Destination("closed.test").NullMX()

	signer, err := w.newSigner()
	if err != nil {
		return nil, err
	}
	w.client, err = mxsend.New(mxsend.Config{
		Domain:    w.cluster.Domain(), // its MX records name the relays
		Resolver:  mxsend.NewResolver(w.cluster.DNSAddr()),
		Dial:      w.cluster.Dial,
		TLSConfig: w.cluster.TLSConfig(), // STARTTLS, verified, is the default
		LocalName: "app." + shopDomain,
		Signer:    signer,
		Logger:    slog.New(slog.DiscardHandler), // a relay is switched off on purpose
	})
	return w, err
}

// newSigner makes two keys and publishes them in the cluster's DNS, where destinations look.
func (w *world) newSigner() (*dkim.Signer, error) {
	var keys []dkim.Key
	for selector, algorithm := range map[string]dkim.Algorithm{"r2026": dkim.RSA2048, "e2026": dkim.Ed25519} {
		key, err := dkim.GenerateKey(algorithm)
		if err != nil {
			return nil, err
		}
		record, err := dkim.Record(key.Public())
		if err != nil {
			return nil, err
		}
		w.cluster.DNS().SetTXT(selector+"._domainkey."+shopDomain, record)
		keys = append(keys, dkim.Key{Selector: selector, Signer: key})
	}
	return dkim.NewSigner(dkim.Config{Domain: shopDomain, Keys: keys})
}

// handleBounce is what an application does with its bounces: a genuine return path says whom it is about, the report
// what happened.
func (w *world) handleBounce(_ context.Context, e bounce.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Verdict != bounce.Valid || e.Report == nil || e.Report.Kind != bounce.Failed || len(e.Report.Recipients) != 1 {
		w.strays++
		return nil
	}
	id, ok := e.Token.Uint64()
	if !ok {
		w.strays++
		return nil
	}
	w.bounced[id] = e.Report.Recipients[0]
	return nil
}

// settle waits until the relays have tried everything once, the one that was off included.
func (w *world) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := w.client.Shutdown(ctx); err != nil {
		return fmt.Errorf("shutdown: %w", err)
	}
	w.cluster.Primary(0).Start()
	return w.cluster.WaitIdle(ctx)
}

func (w *world) Close() {
	for _, c := range []io.Closer{closer(w.client != nil, w.client), closer(w.cluster != nil, w.cluster), closer(w.receiver != nil, w.receiver)} {
		if c != nil {
			_ = c.Close()
		}
	}
}

func closer(there bool, c io.Closer) io.Closer {
	if there {
		return c
	}
	return nil
}

var errInexact = errors.New("the ledger is not exact")

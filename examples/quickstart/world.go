package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
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
	shopDomain          = "shop.test"        // From and DKIM
	bulkDomain          = "bounce.shop.test" // return paths of the mailing
	transactionalDomain = "tx.shop.test"     // and of transactional mail, by which relays can tell it
)

// A world is everything that takes part: relays and destinations, which a real application would not bring along, and
// what it would: codecs of return paths, a signer, a client, and a receiver of bounces.
type world struct {
	cluster  *mxtest.Cluster // nil with real
	real     *realRelays     // nil with cluster
	codecs   map[mxsend.Lane]*verp.Codec
	client   *mxsend.Client
	receiver *bounce.Receiver

	mu      sync.Mutex
	bounced map[uint64]bounce.Recipient // by recipient id; guarded by mu
	strays  int                         // events that are no genuine bounce of ours; guarded by mu
}

// newWorld makes one with relays in this process, or with real ones.
func newWorld(real *realRelays) (_ *world, err error) {
	w := &world{real: real, bounced: map[uint64]bounce.Recipient{}}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	w.codecs = map[mxsend.Lane]*verp.Codec{}
	for lane, domain := range map[mxsend.Lane]string{mxsend.Bulk: bulkDomain, mxsend.Transactional: transactionalDomain} {
		if w.codecs[lane], err = verp.New(verp.Config{Prefix: "b", Domain: domain, Keys: []verp.Key{{ID: 1, Secret: secret}}}); err != nil {
			return nil, err
		}
	}
	w.receiver = &bounce.Receiver{
		Codecs: slices.Collect(maps.Values(w.codecs)), Handle: w.handleBounce, Hostname: bulkDomain, Logger: slog.New(slog.DiscardHandler),
	}
	var cfg mxsend.Config
	if real != nil {
		cfg, err = real.config()
		err = errors.Join(err, real.bringBack(w.receiver))
	} else {
		cfg, err = w.startRelays()
	}
	if err != nil {
		return nil, err
	}
	w.client, err = mxsend.New(cfg)
	return w, err
}

// startRelays starts relays and destinations in this process.
func (w *world) startRelays() (cfg mxsend.Config, err error) {
	// Bounces come back to a receiver in this process.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return cfg, fmt.Errorf("the bounce receiver: %w", err)
	}
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
		return cfg, err
	}
	w.cluster.Destination("bigmail.test").Do(mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 no such mailbox"), "gone.*")
	w.cluster.Destination("postbox.test").Do(mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 unknown user"), "gone.*")
	w.cluster.Destination("greylisting.test").Do(mxtest.Greylist(5 * time.Minute))
	w.cluster.Destination("strict.test").Do(mxtest.Reject(mxtest.AtDot, "554 5.7.1 not wanted here"))
	w.cluster.Destination("silent.test").Do(mxtest.Silence())
	w.cluster.Destination("closed.test").Do(mxtest.NullMX())

	signer, err := w.newSigner()
	if err != nil {
		return cfg, err
	}
	return mxsend.Config{
		Domain:    w.cluster.Domain(), // its MX records name the relays
		Resolver:  mxsend.NewResolver(w.cluster.DNSAddr()),
		Dial:      w.cluster.Dial,
		TLSConfig: w.cluster.TLSConfig(), // STARTTLS, verified, is the default
		LocalName: "app." + shopDomain,
		Signer:    signer,
		Logger:    slog.New(slog.DiscardHandler), // a relay is switched off on purpose
	}, nil
}

// ready looks at real relays before any mail is made: what is wrong with them is said at once, and is an error where none is left.
func (w *world) ready(ctx context.Context, progress io.Writer) error {
	if w.real == nil {
		return nil
	}
	found, err := w.client.Check(ctx)
	if err != nil {
		return err
	}
	errs := found.Errors()
	some := slices.ContainsFunc(found.Findings, func(f mxsend.Finding) bool {
		return f.Topic == mxsend.TopicExtensions && f.Severity == mxsend.SeverityOK
	})
	switch {
	case len(errs) > 0 && !some:
		return fmt.Errorf("not ready to send:\n%v", mxsend.CheckResult{Findings: errs})
	case len(errs) > 0:
		fmt.Fprintln(progress, mxsend.CheckResult{Findings: errs})
	}
	return nil
}

// describe says what mail goes over.
func (w *world) describe() string {
	if w.real != nil {
		return "the relays of " + w.real.domain
	}
	return "2 primaries, with 2 graveyards behind them;\nsome destinations reject, greylist or say nothing"
}

// halfway is called when half the mailing has its outcome: the first primary is switched off.
func (w *world) halfway(say func(format string, args ...any)) {
	if w.cluster != nil {
		w.cluster.Primary(0).Stop()
		say("%s is switched off", w.cluster.Primary(0).Name())
	}
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

// settle waits until the relays have tried everything once, the one that was off included; with real relays, for bounces.
func (w *world) settle(ctx context.Context, progress io.Writer) error {
	limited, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := w.client.Shutdown(limited); err != nil {
		return fmt.Errorf("shutdown: %w", err)
	}
	if w.real != nil {
		w.real.await(ctx, progress)
		return nil
	}
	w.cluster.Primary(0).Start()
	return w.cluster.WaitIdle(limited)
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

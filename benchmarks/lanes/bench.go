package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/peers"
	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
	"github.com/mxsend/go-mxsend/dkim"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// A bench is two relays and one client for both lanes.
type bench struct {
	cluster  *mxtest.Cluster
	client   *mxsend.Client
	content  []byte
	number   int // of the next message
	accepted int // guarded by mu
	mu       sync.Mutex
}

func newBench(service time.Duration) (*bench, error) {
	cluster, err := mxtest.Start(mxtest.Config{
		Limits:      mxtest.Limits{Accept: service},
		KeepContent: -1,
		Relay:       func(string) mxtest.RelayConfig { return mxtest.RelayConfig{InFlowDelay: -1} },
	})
	if err != nil {
		return nil, err
	}
	key, err := dkim.GenerateKey(dkim.Ed25519)
	if err != nil {
		return nil, err
	}
	signer, err := dkim.NewSigner(dkim.Config{Domain: "bench.test", Keys: []dkim.Key{{Selector: "e", Signer: key}}, AllowUnaligned: true})
	if err != nil {
		return nil, err
	}
	cluster.Primary(0).Inject(mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtData, Reply: "451 4.7.1 not here", Recipient: "over*", Times: mxtest.Always})
	client, err := mxsend.New(mxsend.Config{
		Domain: cluster.Domain(), Resolver: mxsend.NewResolver(cluster.DNSAddr()), Dial: cluster.Dial,
		TLSConfig: cluster.TLSConfig(), LocalName: peers.LocalName, Signer: signer,
	})
	if err != nil {
		return nil, errors.Join(err, cluster.Close())
	}
	return &bench{cluster: cluster, client: client, content: peers.Content(4 << 10)}, nil
}

func (b *bench) close() {
	_ = b.client.Close()
	_ = b.cluster.Close()
}

// phases are the figures of one condition, a value a round.
type phases struct {
	took []report.Sample // of Send, in ms, sorted
	rate report.Sample   // of the mailing
}

func (p *phases) quantile(q float64) (s report.Sample) {
	for _, took := range p.took {
		s = append(s, took[min(len(took)-1, int(q*float64(len(took))))])
	}
	return s
}

// A kind of mail is placed in a way of its own.
type kind struct {
	name      string
	recipient string // its local part begins so
	field     string // in front of the header
}

var (
	plain = kind{name: "ASCII", recipient: "r"}
	kinds = []kind{
		plain,
		{name: "8-bit", recipient: "r", field: "X-Note: caf\u00e9\r\n"},
		{name: "SMTPUTF8", recipient: "r\u00e9", field: "X-Note: caf\u00e9\r\n"},
		{name: "failed over", recipient: "over"}, // the first relay defers it
	}
)

func (b *bench) message(k kind) *mxsend.Message {
	b.mu.Lock()
	b.number++
	n := b.number
	b.mu.Unlock()
	content := fmt.Appendf(nil, "X-Number: %d\r\n%s", n, k.field)
	return &mxsend.Message{
		ReturnPath: fmt.Sprintf("b+%d@bounces.bench.test", n),
		Recipients: []string{fmt.Sprintf("%s%d@destination.bench.test", k.recipient, n)},
		Content:    append(content, b.content...),
	}
}

// every5ms sends a transactional mail every 5 ms for a time.
func (b *bench) every5ms(ctx context.Context, k kind, phase time.Duration, p *phases) error {
	var sends sync.WaitGroup
	var mu sync.Mutex
	var took report.Sample
	var failed error
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(phase); time.Now().Before(end) && ctx.Err() == nil; <-tick.C {
		m := b.message(k)
		sends.Go(func() {
			start := time.Now()
			receipt, err := b.client.Send(ctx, m)
			d := time.Since(start)
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = err
			}
			took = append(took, float64(d)/1e6)
			b.count(receipt)
		})
	}
	sends.Wait()
	if failed != nil {
		return failed
	}
	slices.Sort(took)
	p.took = append(p.took, took)
	return ctx.Err()
}

func (b *bench) count(r mxsend.Receipt) {
	b.mu.Lock()
	b.accepted += r.Accepted()
	b.mu.Unlock()
}

// loaded does the same beside a mailing that is under way already.
func (b *bench) loaded(ctx context.Context, k kind, phase time.Duration, p *phases) error {
	mailing, stop := context.WithCancel(ctx)
	defer stop()
	rate, failed := make(chan float64, 1), error(nil)
	go func() {
		start, n := time.Now(), 0
		for r := range b.client.SendAll(context.WithoutCancel(ctx), b.until(mailing)) {
			if failed == nil {
				failed = r.Err
			}
			b.count(r.Receipt)
			n++
		}
		rate <- float64(n) / time.Since(start).Seconds()
	}()
	time.Sleep(300 * time.Millisecond) // to be under way
	err := b.every5ms(ctx, k, phase, p)
	stop()
	p.rate = append(p.rate, <-rate)
	return errors.Join(err, failed)
}

// until gives messages until ctx ends.
func (b *bench) until(ctx context.Context) iter.Seq[*mxsend.Message] {
	return func(yield func(*mxsend.Message) bool) {
		for ctx.Err() == nil && yield(b.message(plain)) {
		}
	}
}

// audit holds what the client counted against the relays' ledger.
func (b *bench) audit(ctx context.Context) error {
	if err := b.cluster.WaitIdle(ctx); err != nil {
		return err
	}
	if got := b.cluster.Ledger().Counts().Accepted; got != b.accepted {
		return fmt.Errorf("void: %d mails were reported accepted, and the relays took %d", b.accepted, got)
	}
	return nil
}

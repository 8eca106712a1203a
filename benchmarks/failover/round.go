package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/peers"
	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// An outcome holds a value a round.
type outcome struct {
	alone, both, first, after, back, inDoubt, inFlight, others, lost, duplicates report.Sample
}

func (o *outcome) add(p outcome) {
	to := []*report.Sample{&o.alone, &o.both, &o.first, &o.after, &o.back, &o.inDoubt, &o.inFlight, &o.others, &o.lost, &o.duplicates}
	for i, s := range []report.Sample{p.alone, p.both, p.first, p.after, p.back, p.inDoubt, p.inFlight, p.others, p.lost, p.duplicates} {
		*to[i] = append(*to[i], s...)
	}
}

// round runs a mailing over both relays, switches the first off after a phase and on again after another, and lets it run
// for a while; then one over the second relay alone.
func round(ctx context.Context, phase time.Duration) (o outcome, err error) {
	cluster, err := mxtest.Start(mxtest.Config{
		Limits:      mxtest.Limits{Accept: 20 * time.Millisecond},
		KeepContent: -1,
		Relay:       func(string) mxtest.RelayConfig { return mxtest.RelayConfig{InFlowDelay: -1} },
	})
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	client, err := mxsend.New(mxsend.Config{
		Domain: cluster.Domain(), Resolver: mxsend.NewResolver(cluster.DNSAddr()), Dial: cluster.Dial,
		TLSConfig: cluster.TLSConfig(), LocalName: peers.LocalName,
	})
	if err != nil {
		return o, err
	}
	defer client.Close()

	// 8 connections for Bulk with a message in each of their two slots.
	const inFlight = 2 * 8
	m := &mailing{client: client, start: time.Now()}
	off := time.AfterFunc(phase, cluster.Primary(0).Stop)
	on := time.AfterFunc(2*phase, cluster.Primary(0).Start)
	defer off.Stop()
	defer on.Stop()
	end := 3*phase + 4*time.Second // a relay that was put out is tried again after 5 s
	m.run(ctx, end)
	o.both = report.Sample{m.rate(time.Second, phase)}
	o.first = report.Sample{m.rate(phase, phase+time.Second)}
	o.after = report.Sample{m.rate(phase+time.Second, 2*phase)}
	o.back = report.Sample{m.rate(end-time.Second, end)}
	o.inDoubt = report.Sample{float64(m.count[mxsend.InDoubt])}
	o.inFlight = report.Sample{inFlight}
	o.others = report.Sample{float64(m.count[mxsend.Rejected] + m.count[mxsend.Deferred] + m.count[mxsend.NotAttempted])}
	if err := m.audit(ctx, cluster, &o); err != nil {
		return o, err
	}

	cluster.Primary(0).Stop()
	alone := &mailing{client: client, start: time.Now()}
	alone.run(ctx, phase+time.Second)
	o.alone = report.Sample{alone.rate(time.Second, phase)}
	return o, ctx.Err()
}

// A mailing counts outcomes, and when mails were accepted.
type mailing struct {
	client   *mxsend.Client
	start    time.Time
	accepted []time.Duration // after start, in order
	refs     []string
	count    [5]int
	number   int
}

func (m *mailing) run(ctx context.Context, long time.Duration) {
	for r := range m.client.SendAll(ctx, m.messages(long)) {
		to := r.Receipt.Recipients[0]
		m.count[to.Outcome]++
		if to.Outcome == mxsend.Accepted {
			m.accepted = append(m.accepted, time.Since(m.start))
			m.refs = append(m.refs, to.Address)
		}
	}
}

func (m *mailing) messages(long time.Duration) iter.Seq[*mxsend.Message] {
	content := peers.Content(4 << 10)
	return func(yield func(*mxsend.Message) bool) {
		for time.Since(m.start) < long {
			m.number++
			if !yield(&mxsend.Message{
				ReturnPath: fmt.Sprintf("b+%d@bounces.bench.test", m.number),
				Recipients: []string{fmt.Sprintf("r%d@destination.bench.test", m.number)},
				Content:    append(fmt.Appendf(nil, "X-Number: %d\r\n", m.number), content...),
			}) {
				return
			}
		}
	}
}

// rate is how many mails a second were accepted in a time.
func (m *mailing) rate(from, to time.Duration) float64 {
	n := 0
	for _, at := range m.accepted {
		if at >= from && at < to {
			n++
		}
	}
	return float64(n) / (to - from).Seconds()
}

// audit holds every receipt against the relays' ledger.
func (m *mailing) audit(ctx context.Context, cluster *mxtest.Cluster, o *outcome) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := cluster.WaitIdle(ctx); err != nil {
		return err
	}
	copies := map[string]int{}
	for _, mail := range cluster.Ledger().Mails() {
		copies[mail.Recipients[0].Address]++
	}
	lost, duplicates := 0, 0
	for _, ref := range m.refs {
		if copies[ref] == 0 {
			lost++
		}
	}
	for _, n := range copies {
		duplicates += n - 1
	}
	o.lost, o.duplicates = report.Sample{float64(lost)}, report.Sample{float64(duplicates)}
	if extra := len(copies) - len(m.refs); extra > m.count[mxsend.InDoubt] {
		return fmt.Errorf("void: relays have %d mails that are neither accepted nor in doubt", extra-m.count[mxsend.InDoubt])
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/peers"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// service is what a relay takes to answer a final dot: with 8 connections for Bulk
// its capacity is some 400 mails a second.
const service = 20 * time.Millisecond

// A stage is relays and a client for them.
type stage struct {
	cluster *mxtest.Cluster
	client  *mxsend.Client
}

// onStage runs f with that many relays, holds every receipt against the relays'
// ledger, and enters what is lost or there twice in the outcome.
func onStage(ctx context.Context, relays int, change func(*mxsend.Config), f func(*stage) (outcome, []*load, error)) (o outcome, err error) {
	cluster, err := mxtest.Start(mxtest.Config{
		Primaries:   relays,
		Limits:      mxtest.Limits{Accept: service},
		KeepContent: -1,
		Relay:       func(string) mxtest.RelayConfig { return mxtest.RelayConfig{InFlowDelay: -1} },
	})
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	cfg := mxsend.Config{
		Domain: cluster.Domain(), Resolver: mxsend.NewResolver(cluster.DNSAddr()), Dial: cluster.Dial,
		TLSConfig: cluster.TLSConfig(), LocalName: peers.LocalName, Logger: slog.New(slog.DiscardHandler), // relays fail on purpose
	}
	if change != nil {
		change(&cfg)
	}
	client, err := mxsend.New(cfg)
	if err != nil {
		return o, err
	}
	defer client.Close()
	o, loads, err := f(&stage{cluster, client})
	if err != nil {
		return o, err
	}
	if err := ctx.Err(); err != nil {
		return o, err
	}
	return o, audit(ctx, cluster, loads, &o)
}

// audit holds every receipt against the relays' ledger.
func audit(ctx context.Context, cluster *mxtest.Cluster, loads []*load, o *outcome) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := cluster.WaitIdle(ctx); err != nil {
		return err
	}
	copies := map[string]int{}
	for _, mail := range cluster.Ledger().Mails() {
		copies[mail.Recipients[0].Address]++
	}
	lost, duplicates, others := 0, 0, 0.0
	for _, n := range copies {
		duplicates += n - 1
	}
	for _, l := range loads {
		for _, e := range l.events {
			switch n := copies[e.address]; {
			case e.outcome == mxsend.Accepted && n == 0:
				lost++
			case e.outcome != mxsend.Accepted && e.outcome != mxsend.InDoubt && n > 0:
				return fmt.Errorf("void: a mail is %v, and a relay has it", e.outcome)
			}
		}
		others += l.count(mxsend.Rejected, mxsend.Deferred, mxsend.NotAttempted)
	}
	o.figure("not accepted, and not in doubt", mails, others, none())
	o.figure("lost", mails, float64(lost), none())
	o.figure("there twice", mails, float64(duplicates), none())
	return nil
}

// after has f called when a load has run for a time.
func (l *load) after(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(time.Until(l.start.Add(d)), f).Stop
}

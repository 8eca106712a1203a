package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/program"
	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// singleConfig is that of a process which finds relays at addresses of this machine. The certificate is not verified: a process
// started anew would have to be given the CA.
func singleConfig(relays []string) (mxsend.Config, error) {
	hosts, err := staticHosts(relays)
	if err != nil {
		return mxsend.Config{}, err
	}
	return mxsend.Config{
		Domain: "bench.test", Resolver: mxsend.StaticRelays(hosts...), LocalName: "app.bench.test",
		TLSConfig: &tls.Config{InsecureSkipVerify: true},
	}, nil
}

// single sends one mail.
func single(ctx context.Context, client *mxsend.Client, number int) error {
	_, err := client.Send(ctx, &mxsend.Message{
		ReturnPath: "b@bounces.bench.test", Recipients: []string{fmt.Sprintf("r%d@destination.bench.test", number)}, Content: content,
	})
	return err
}

// cron is the process that sends one mail.
func cron(ctx context.Context, relays []string) error {
	cfg, err := singleConfig(relays)
	if err != nil {
		return err
	}
	client, err := mxsend.New(cfg)
	if err != nil {
		return err
	}
	return errors.Join(single(ctx, client, 0), client.Close())
}

// runOne asks what a mail costs a process that keeps its Client, one that makes a new one for each, and one that is new itself;
// and whether many that send a single mail share relays that are named without DNS.
func runOne(ctx context.Context, e *program.Env) error {
	cluster, err := mxtest.Start(mxtest.Config{KeepContent: -1})
	if err != nil {
		return err
	}
	defer cluster.Close()
	relays := []string{cluster.Primary(0).ListenAddr(), cluster.Primary(1).ListenAddr()}
	cfg, err := singleConfig(relays)
	if err != nil {
		return err
	}
	kept, err := mxsend.New(cfg)
	if err != nil {
		return err
	}
	defer kept.Close()
	ways := []struct {
		name string
		n    int
		send func(int) error
	}{
		{"a Client that is kept", either(e.Quick, 500, 5000), func(i int) error { return single(ctx, kept, i) }},
		{"a Client for each mail", either(e.Quick, 50, 500), func(int) error { return cron(ctx, relays) }},
		{"a process for each mail", either(e.Quick, 20, 200), func(int) error {
			if out, err := exec.CommandContext(ctx, program.Self(), append([]string{beCron}, relays...)...).CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		}},
	}
	t := &report.Table{Title: "What a mail takes, over TLS and TCP on loopback", Header: []string{"", "median ms", "p99 ms"}}
	for _, w := range ways {
		var took []float64
		for i := range w.n {
			start := time.Now()
			if err := w.send(i); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			took = append(took, float64(time.Since(start))/1e6)
		}
		median, p99 := quantile(took, 0.5), quantile(took, 0.99)
		e.Report().Rows = append(e.Report().Rows, row("one mail, "+w.name+": median", "ms", median, none), row("one mail, "+w.name+": p99", "ms", p99, none))
		t.Rows = append(t.Rows, []string{w.name, report.Figure(median), report.Figure(p99)})
	}
	outcomes, err := runPlans(ctx, []plan{{Clients: 100, Single: true}})
	if err != nil {
		return err
	}
	by := outcomes[0].ByRelay
	fewest := row("one mail, StaticRelays: to the relay that gets fewest", "% of mails", 100*float64(min(by[0], by[1]))/float64(by[0]+by[1]), atLeast(30))
	t.Notes = append(t.Notes, fmt.Sprintf("a hundred clients with the same StaticRelays, one mail each: %s to the two relays, %s",
		strings.Trim(fmt.Sprint(by), "[]"), fewest.Verdict()))
	e.Report().Rows = append(e.Report().Rows, fewest)
	return e.Table(t)
}

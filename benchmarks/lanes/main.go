// Lanes measures what a mailing costs transactional mail: the time that Send takes on idle relays, and while a signed
// mailing keeps both relays as busy as they can be. The relays are mxtest's, over TCP on loopback, and take 5 ms to
// answer each final dot.
//
//	go run ./benchmarks/lanes           # a minute
//	go run ./benchmarks/lanes -quick    # at most 20 s
//	go run ./benchmarks/lanes -json     # one object on standard output
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "lanes:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	quick := flag.Bool("quick", false, "at most 20 seconds: shorter phases")
	asJSON := flag.Bool("json", false, "print one JSON object in place of the table")
	service := flag.Duration("service", 5*time.Millisecond, "what a relay takes to answer a final dot")
	flag.Parse()
	rounds, phase := 5, 5*time.Second
	if *quick {
		rounds, phase = 3, 1500*time.Millisecond
	}
	b, err := newBench(*service)
	if err != nil {
		return err
	}
	defer b.close()
	var idle, loaded phases
	for i := range rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d: idle\n", i+1, rounds)
		if err := b.idle(ctx, phase, &idle); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "round %d of %d: under a mailing\n", i+1, rounds)
		if err := b.loaded(ctx, phase, &loaded); err != nil {
			return err
		}
	}
	if err := b.audit(ctx); err != nil {
		return err
	}
	r := &report.Report{Benchmark: "lanes", Machine: report.ThisMachine(), Reference: "the same on idle relays"}
	t := &report.Table{
		Title:  fmt.Sprintf("Send of a transactional mail, relays with %v service time, %d rounds of %v", *service, rounds, phase),
		Header: []string{"", "idle ms", "under a mailing ms", "ratio"},
	}
	for _, q := range []struct {
		name string
		of   float64
	}{{"median", 0.5}, {"p99", 0.99}, {"slowest", 1}} {
		before, during := idle.quantile(q.of), loaded.quantile(q.of)
		r.Add("transactional "+q.name+", idle", "ms", before)
		r.AddRatio("transactional "+q.name+", under a mailing", "ms", during, before.Median())
		t.Rows = append(t.Rows, []string{q.name, report.Figure(before.Median()), report.Figure(during.Median()), report.Figure(during.Median() / before.Median())})
	}
	r.Add("mailing", "messages/s", loaded.rate)
	t.Notes = append(t.Notes, fmt.Sprintf("the mailing ran at %s messages/s (spread %.0f %%), signed with Ed25519", report.Figure(loaded.rate.Median()), 100*loaded.rate.Spread()))
	if *asJSON {
		return r.WriteJSON(os.Stdout)
	}
	fmt.Printf("%s/%s, %s, %d cores, %s\n\n", r.Machine.OS, r.Machine.Arch, r.Machine.CPU, r.Machine.Cores, r.Machine.Go)
	return t.Write(os.Stdout)
}

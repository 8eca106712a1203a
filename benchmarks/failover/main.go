// Failover measures what a mailing does when one of two relays is switched off under it, and comes back: throughput over
// time, against what the other relay does alone, and what became of every mail. The relays are mxtest's, over TCP on
// loopback, and take 20 ms to answer each final dot, so that their capacity and not the machine's is the limit.
//
//	go run ./benchmarks/failover           # a minute
//	go run ./benchmarks/failover -quick    # at most 20 s
//	go run ./benchmarks/failover -json     # one object on standard output
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
		fmt.Fprintln(os.Stderr, "failover:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	quick := flag.Bool("quick", false, "at most 20 seconds: one round of short phases")
	asJSON := flag.Bool("json", false, "print one JSON object in place of the table")
	flag.Parse()
	rounds, phase := 3, 4*time.Second
	if *quick {
		rounds, phase = 1, 3*time.Second
	}
	var all outcome
	for i := range rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", i+1, rounds)
		o, err := round(ctx, phase)
		if err != nil {
			return err
		}
		all.add(o)
	}
	r := &report.Report{Benchmark: "failover", Machine: report.ThisMachine(), Reference: "the other relay alone"}
	alone := all.alone.Median()
	r.Add("one relay alone", "messages/s", all.alone)
	r.AddRatio("both relays", "messages/s", all.both, alone)
	r.AddRatio("from 0 to 1 s after one was switched off", "messages/s", all.first, alone)
	r.AddRatio("from 1 s after it", "messages/s", all.after, alone)
	r.AddRatio("the last second, after it came back", "messages/s", all.back, alone)
	r.Add("in doubt", "messages", all.inDoubt)
	r.Add("in flight to it when it was switched off, at most", "messages", all.inFlight)
	r.Add("not accepted otherwise", "messages", all.others)
	r.Add("lost", "messages", all.lost)
	r.Add("duplicates", "messages", all.duplicates)
	if *asJSON {
		return r.WriteJSON(os.Stdout)
	}
	t := &report.Table{
		Title:  fmt.Sprintf("A mailing over two relays, one of them switched off for %v, %d rounds", phase, rounds),
		Header: []string{"", "", "× alone"},
	}
	for _, row := range r.Rows {
		ratio := ""
		if row.Ratio != nil {
			ratio = fmt.Sprintf("%.2f", *row.Ratio)
		}
		t.Rows = append(t.Rows, []string{row.Name, report.Figure(row.Value) + " " + row.Unit, ratio})
	}
	fmt.Printf("%s/%s, %s, %d cores, %s\n\n", r.Machine.OS, r.Machine.Arch, r.Machine.CPU, r.Machine.Cores, r.Machine.Go)
	return t.Write(os.Stdout)
}

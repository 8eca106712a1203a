// Lanes measures what a mailing costs transactional mail, in the application and in the relays.
//
// In the application: the time that Send takes on idle relays, and while a signed mailing keeps both relays as busy as they
// can be. The relays are mxtest's, over TCP on loopback, and take 5 ms to answer each final dot.
//
// In the relays: how long after its acceptance a transactional mail reaches its destination while the mailing is tried for
// the first time, by the model of Postfix in virtual time: relays shared without pacing, Bulk paced by LaneConfig.Rate, Bulk
// with a transport or relays of its own.
//
//	go run ./benchmarks/lanes             # a minute and a half
//	go run ./benchmarks/lanes -quick      # at most 20 s
//	go run ./benchmarks/lanes -json       # one object on standard output
//	go run ./benchmarks/lanes -plots DIR  # both delays, as SVG and PNG
package main

import (
	"context"
	"errors"
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
	quick := flag.Bool("quick", false, "at most 20 seconds: shorter phases, a smaller mailing in the model")
	asJSON := flag.Bool("json", false, "print one JSON object in place of the tables")
	plotDir := flag.String("plots", "", "directory for plots, as SVG and PNG")
	service := flag.Duration("service", 5*time.Millisecond, "what a relay takes to answer a final dot")
	pace := flag.Float64("pace", 200, "Bulk's rate where it is paced, in messages a second")
	flag.Parse()
	if *pace <= 0 {
		return fmt.Errorf("-pace %v: it must be above 0", *pace)
	}
	s := sending{service: *service, rounds: 5, phase: 5 * time.Second}
	d := delivering{pace: *pace, recipients: 1_700_000}
	if *quick {
		s.rounds, s.phase, d.recipients = 3, 1500*time.Millisecond, 200_000
	}
	if err := s.measure(ctx); err != nil {
		return err
	}
	if err := d.simulate(ctx); err != nil {
		return err
	}
	r := &report.Report{Benchmark: "lanes", Machine: report.ThisMachine(), Reference: "the same on idle relays"}
	tables := []*report.Table{s.report(r), d.report(r)}
	if *plotDir != "" {
		if err := errors.Join(s.plot(*plotDir), d.plot(*plotDir)); err != nil {
			return err
		}
	}
	if *asJSON {
		return r.WriteJSON(os.Stdout)
	}
	fmt.Printf("%s/%s, %s, %d cores, %s\n\n", r.Machine.OS, r.Machine.Arch, r.Machine.CPU, r.Machine.Cores, r.Machine.Go)
	for _, t := range tables {
		if err := t.Write(os.Stdout); err != nil {
			return err
		}
	}
	return nil
}

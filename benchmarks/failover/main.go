// Failover measures what a mailing does while its relays change under it: throughput over time against what one relay
// does alone, and what became of every mail. The relays are mxtest's, over TCP on loopback, and take 20 ms to answer each
// final dot, so that their capacity and not the machine's is the limit.
//
//	go run ./benchmarks/failover                  # five minutes
//	go run ./benchmarks/failover -quick           # at most 20 s: the cases beside each other, once
//	go run ./benchmarks/failover -case hole,slow  # of alone, off, hole, dns, slow
//	go run ./benchmarks/failover -json            # one object on standard output
//	go run ./benchmarks/failover -plots DIR       # throughput over time, as SVG and PNG
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"

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
	quick := flag.Bool("quick", false, "at most 20 seconds: one round, the cases beside each other")
	asJSON := flag.Bool("json", false, "print one JSON object in place of the tables")
	only := flag.String("case", "", "run these cases only, separated by commas")
	plotDir := flag.String("plots", "", "directory for plots, as SVG and PNG")
	flag.Parse()
	cases, err := choose(*only)
	if err != nil {
		return err
	}
	rounds := 3
	if *quick {
		rounds = 1
	}
	all := make([]outcome, len(cases))
	for i := range rounds {
		if err := runRound(ctx, cases, all, *quick, fmt.Sprintf("round %d of %d", i+1, rounds)); err != nil {
			return err
		}
	}
	if *plotDir != "" {
		for i, c := range cases {
			if err := report.Lines(*plotDir, "failover-"+c.name, c.title, "seconds", "mails accepted a second", all[i].series); err != nil {
				return err
			}
		}
	}
	if *asJSON {
		return reportOf(cases, all).WriteJSON(os.Stdout)
	}
	return writeTables(os.Stdout, cases, all)
}

// choose picks cases by name. The others are compared with alone, which is
// therefore always among them.
func choose(names string) ([]scenario, error) {
	all := scenarios()
	if names == "" {
		return all, nil
	}
	wanted := strings.Split(names, ",")
	for _, name := range wanted {
		if !slices.ContainsFunc(all, func(c scenario) bool { return c.name == name }) {
			return nil, fmt.Errorf("-case: there is no case %q", name)
		}
	}
	return slices.DeleteFunc(all, func(c scenario) bool { return c.name != alone && !slices.Contains(wanted, c.name) }), nil
}

// runRound runs every case once, and adds what it found to all.
func runRound(ctx context.Context, cases []scenario, all []outcome, quick bool, progress string) error {
	errs := make([]error, len(cases))
	var running sync.WaitGroup
	for i, c := range cases {
		fmt.Fprintf(os.Stderr, "%s: %s\n", progress, c.title)
		running.Go(func() {
			o, err := c.run(ctx, quick)
			if err != nil {
				errs[i] = fmt.Errorf("%s: %w", c.name, err)
				return
			}
			all[i].add(o)
		})
		if !quick {
			running.Wait()
		}
	}
	running.Wait()
	return errors.Join(errs...)
}

func reportOf(cases []scenario, all []outcome) *report.Report {
	r := &report.Report{Benchmark: "failover", Machine: report.ThisMachine(), Reference: "one relay alone"}
	reference := all[0].figures[0].values.Median()
	for i, c := range cases {
		for _, f := range all[i].figures {
			if f.unit == rate {
				r.AddRatio(c.name+": "+f.name, f.unit, f.values, reference)
			} else {
				r.Add(c.name+": "+f.name, f.unit, f.values)
			}
		}
	}
	return r
}

func writeTables(w io.Writer, cases []scenario, all []outcome) error {
	r := reportOf(cases, all)
	if _, err := fmt.Fprintf(w, "%s/%s, %s, %d cores, %s\n\n", r.Machine.OS, r.Machine.Arch, r.Machine.CPU, r.Machine.Cores, r.Machine.Go); err != nil {
		return err
	}
	rows := r.Rows
	for i, c := range cases {
		t := &report.Table{Title: c.title, Header: []string{"", "", "", "× alone", "wanted"}}
		for k, f := range all[i].figures {
			ratio := ""
			if p := rows[k].Ratio; p != nil {
				ratio = fmt.Sprintf("%.2f", *p)
			}
			t.Rows = append(t.Rows, []string{f.name, report.Figure(rows[k].Value), f.unit, ratio, f.wanted})
		}
		rows = rows[len(all[i].figures):]
		if err := t.Write(w); err != nil {
			return err
		}
	}
	return nil
}

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
	"slices"
	"strings"
	"sync"

	"github.com/mxsend/go-mxsend/benchmarks/internal/program"
)

func main() { program.Main(newProgram()) }

func newProgram() program.Program {
	only := ""
	return program.Program{
		Name: "failover", Quick: "one round, the cases beside each other",
		Flags: func(f *flag.FlagSet) { f.StringVar(&only, "case", "", "run these cases only, separated by commas") },
		Run:   func(ctx context.Context, e *program.Env) error { return run(ctx, e, only) },
	}
}

func run(ctx context.Context, e *program.Env, only string) error {
	cases, err := choose(only)
	if err != nil {
		return err
	}
	rounds := either(e.Quick, 1, 3)
	all := make([]outcome, len(cases))
	for i := range rounds {
		if err := runRound(ctx, e, cases, all, fmt.Sprintf("round %d of %d", i+1, rounds)); err != nil {
			return err
		}
	}
	r := e.Report()
	r.Reference = "one relay alone"
	reference := all[0].figures[0].values.Median()
	for i, c := range cases {
		rows := all[i].rows(c.name, reference)
		r.Rows = append(r.Rows, rows...)
		if err := errors.Join(e.Table(all[i].table(c.title, rows)), e.Plot("failover-"+c.name, c.title, all[i].plot)); err != nil {
			return err
		}
	}
	return nil
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
			return nil, program.Misuse("-case: there is no case %q", name)
		}
	}
	return slices.DeleteFunc(all, func(c scenario) bool { return c.name != alone && !slices.Contains(wanted, c.name) }), nil
}

// runRound runs every case once, and adds what it found to all.
func runRound(ctx context.Context, e *program.Env, cases []scenario, all []outcome, round string) error {
	errs := make([]error, len(cases))
	var running sync.WaitGroup
	for i, c := range cases {
		e.Progress("%s: %s", round, c.title)
		running.Go(func() {
			o, err := c.run(ctx, e.Quick)
			if err != nil {
				errs[i] = fmt.Errorf("%s: %w", c.name, err)
				return
			}
			all[i].add(o)
		})
		if !e.Quick {
			running.Wait()
		}
	}
	running.Wait()
	return errors.Join(errs...)
}

// Graveyard shows, from the pure model of the relays alone, what the graveyards of a mail system are for: a week of 6 million
// transactional mails and mailings of 1.7 million recipients, with graveyards and without, as figures, CSV and plots.
//
//	go run ./benchmarks/graveyard                      # with and without graveyards
//	go run ./benchmarks/graveyard -quick               # a tenth of the mail, which the relays take with ease
//	go run ./benchmarks/graveyard -json -csv DIR       # one object; every sample of the weeks as CSV
//	go run ./benchmarks/graveyard -pace 100 -own-lane  # the mailing paced, and in a transport of its own
//	go run ./benchmarks/graveyard -volume 3            # three times the mail: where does it tip?
//	go run ./benchmarks/graveyard -small               # only the small scale, at which Postfix was measured
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/program"
)

func main() { program.Main(newProgram()) }

// options are the scenario and what of it to run.
type options struct {
	scenario
	small      bool
	graveyards int
	csv        string
}

func newProgram() program.Program {
	o := &options{scenario: scenario{Seed: 1}}
	return program.Program{Name: "graveyard", Quick: "a tenth of the mail", Flags: o.flags, Run: o.run}
}

func (o *options) flags(f *flag.FlagSet) {
	f.StringVar(&o.csv, "csv", "", "directory for the samples of each week, as CSV; empty: none are written")
	f.BoolVar(&o.small, "small", false, "only the small scale")
	f.IntVar(&o.graveyards, "graveyards", -1, "run only the week with this many graveyards (0 to 2); -1: without, and with two")
	f.Float64Var(&o.Volume, "volume", 1, "factor on all mail")
	f.IntVar(&o.Mailings, "mailings", 4, "mailings a week, 1 to 4")
	f.Float64Var(&o.Pace, "pace", 0, "bulk mails a second in all; 0: as fast as the relays take them")
	f.BoolVar(&o.OwnLane, "own-lane", false, "bulk mail has a transport of its own on the relays")
	f.Float64Var(&o.Dead, "dead", 0.01, "share of bulk recipients at domains that do not answer")
	f.Float64Var(&o.Full, "full", 0.02, "share of bulk recipients whose mailbox is full")
	f.DurationVar(&o.Silence, "silence", 30*time.Second, "time until a relay gives up on a domain that does not answer")
}

func (o *options) check() error {
	switch {
	case o.Volume <= 0 || o.Volume > 20:
		return program.Misuse("-volume %v: above 0, up to 20", o.Volume)
	case o.Mailings < 1 || o.Mailings > 4:
		return program.Misuse("-mailings %d: 1 to 4", o.Mailings)
	case o.Dead < 0 || o.Full < 0 || o.Dead+o.Full > 1:
		return program.Misuse("-dead and -full are shares: 0 to 1 in all")
	case o.Pace < 0 || o.Silence <= 0:
		return program.Misuse("-pace and -silence cannot be negative")
	case o.graveyards < -1 || o.graveyards > 2:
		return program.Misuse("-graveyards %d: 0 to 2, or -1", o.graveyards)
	}
	return nil
}

func (o *options) run(ctx context.Context, e *program.Env) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := showSmall(e, []smallResult{small(0), small(2)}); err != nil || o.small {
		return err
	}
	if e.Quick {
		o.Volume /= 10
	}
	numbers := []int{0, 2}
	if o.graveyards >= 0 {
		numbers = []int{o.graveyards}
	}
	var weeks []weekResult
	for _, n := range numbers {
		week := o.scenario
		week.Graveyards, week.Name = n, fmt.Sprintf("%d graveyards", n)
		e.Progress("a week with %s", week.Name)
		weeks = append(weeks, week.run())
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if err := o.writeWeeks(weeks); err != nil {
		return err
	}
	return errors.Join(showWeeks(e, weeks), plots(e, weeks))
}

// writeWeeks writes the weeks' samples where they are wanted.
func (o *options) writeWeeks(weeks []weekResult) error {
	if o.csv == "" {
		return nil
	}
	if err := os.MkdirAll(o.csv, 0o755); err != nil {
		return err
	}
	for _, r := range weeks {
		if err := writeCSV(o.csv, r); err != nil {
			return err
		}
	}
	return nil
}

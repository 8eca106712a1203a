// Graveyard shows, from the pure model of the relays alone, what the graveyards of a mail system are for: a week of 6 million
// transactional mails and mailings of 1.7 million recipients, with graveyards and without, as figures, CSV and plots.
//
//	go run ./benchmarks/graveyard                      # with and without graveyards, into ./graveyard-plots
//	go run ./benchmarks/graveyard -json -out ""        # figures only
//	go run ./benchmarks/graveyard -pace 100 -own-lane  # the mailing paced, and in a transport of its own
//	go run ./benchmarks/graveyard -volume 3            # three times the mail: where does it tip?
//	go run ./benchmarks/graveyard -small               # only the small scale, at which Postfix was measured
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "graveyard:", err)
		}
		os.Exit(1)
	}
}

// output is what -json prints.
type output struct {
	Small []smallResult `json:"small"`
	Weeks []weekResult  `json:"weeks,omitempty"`
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("graveyard", flag.ContinueOnError)
	flags.SetOutput(stderr)
	s := scenario{Seed: 1}
	asJSON := flags.Bool("json", false, "print one JSON object")
	out := flags.String("out", "graveyard-plots", `directory for CSV and plots; "" writes none`)
	onlySmall := flags.Bool("small", false, "only the small scale")
	graveyards := flags.Int("graveyards", -1, "run only the week with this many graveyards (0 to 2); -1: without, and with two")
	flags.Float64Var(&s.Volume, "volume", 1, "factor on all mail")
	flags.IntVar(&s.Mailings, "mailings", 4, "mailings a week, 1 to 4")
	flags.Float64Var(&s.Pace, "pace", 0, "bulk mails a second in all; 0: as fast as the relays take them")
	flags.BoolVar(&s.OwnLane, "own-lane", false, "bulk mail has a transport of its own on the relays")
	flags.Float64Var(&s.Dead, "dead", 0.01, "share of bulk recipients at domains that do not answer")
	flags.Float64Var(&s.Full, "full", 0.02, "share of bulk recipients whose mailbox is full")
	flags.DurationVar(&s.Silence, "silence", 30*time.Second, "time until a relay gives up on a domain that does not answer")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unknown argument %q", flags.Arg(0))
	case s.Volume <= 0 || s.Volume > 20:
		return fmt.Errorf("-volume %v: above 0, up to 20", s.Volume)
	case s.Mailings < 1 || s.Mailings > 4:
		return fmt.Errorf("-mailings %d: 1 to 4", s.Mailings)
	case s.Dead < 0 || s.Full < 0 || s.Dead+s.Full > 1:
		return errors.New("-dead and -full are shares: 0 to 1 in all")
	case s.Pace < 0 || s.Silence <= 0:
		return errors.New("-pace and -silence cannot be negative")
	case *graveyards < -1 || *graveyards > 2:
		return fmt.Errorf("-graveyards %d: 0 to 2, or -1", *graveyards)
	}
	o := output{Small: []smallResult{small(0), small(2)}}
	if !*onlySmall {
		for _, n := range []int{0, 2} {
			if *graveyards >= 0 {
				n = *graveyards
			}
			week := s
			week.Graveyards, week.Name = n, fmt.Sprintf("%d graveyards", n)
			o.Weeks = append(o.Weeks, week.run())
			if *graveyards >= 0 {
				break
			}
		}
	}
	if *out != "" && len(o.Weeks) > 0 {
		if err := os.MkdirAll(*out, 0o755); err != nil {
			return err
		}
		for _, r := range o.Weeks {
			if err := writeCSV(*out, r); err != nil {
				return err
			}
		}
		if err := writePlots(*out, o.Weeks); err != nil {
			return err
		}
	}
	if *asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(o)
	}
	table(stdout, o)
	if *out != "" && len(o.Weeks) > 0 {
		fmt.Fprintf(stdout, "CSV and plots (delay.svg, queues.svg) are in %s\n", *out)
	}
	return nil
}

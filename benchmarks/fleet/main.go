// Fleet has many processes share two relays that admit a hundred sessions each, as the pods and cron jobs of one application
// do: does each get its share, how long does a process wait that comes late, and does transactional mail of any of them wait
// behind the mailings of the others?
//
// Every process is a Client of its own, and all of them live in virtual time, with mxtest's relays on a network in memory:
// ten minutes of three hundred clients take a minute, and no figure depends on the machine. What one process costs that sends
// a single mail is measured in real time, over TCP.
//
//	go run ./benchmarks/fleet           # ten minutes or so
//	go run ./benchmarks/fleet -quick    # at most 20 s
//	go run ./benchmarks/fleet -json     # one object on standard output
package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/mxsend/go-mxsend/benchmarks/internal/program"
)

// Words that make this program another of its processes.
const (
	beBubble = "be-bubble" // one scenario in virtual time
	beCron   = "be-cron"   // one mail
)

func main() {
	b := &bench{}
	program.Main(program.Program{
		Name: "fleet", Quick: "few clients, for a short while",
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&b.only, "case", "", "only these, comma-separated; empty: all of "+strings.Join(caseNames(), ", "))
		},
		Run: b.run,
		Others: map[string]func(context.Context, []string) error{
			beBubble: func(_ context.Context, args []string) error { return bubble(args) },
			beCron:   cron,
		},
	})
}

type bench struct{ only string }

func (b *bench) run(ctx context.Context, e *program.Env) error {
	cases, err := choose(b.only)
	if err != nil {
		return err
	}
	for i, c := range cases {
		e.Progress("%s (%d of %d)", c.name, i+1, len(cases))
		if err := c.run(ctx, e); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// A benchCase is one question, with a table of its own.
type benchCase struct {
	name string
	run  func(context.Context, *program.Env) error
}

func cases() []benchCase {
	return []benchCase{
		{"crowd", runCrowds},
		{"return", runReturns},
		{"few", runFew},
		{"apart", runApart},
		{"lookups", runLookups},
		{"one", runOne},
	}
}

func caseNames() (names []string) {
	for _, c := range cases() {
		names = append(names, c.name)
	}
	return names
}

func choose(only string) ([]benchCase, error) {
	if only == "" {
		return cases(), nil
	}
	var chosen []benchCase
	for name := range strings.SplitSeq(only, ",") {
		at := slices.Index(caseNames(), name)
		if at < 0 {
			return nil, program.Misuse("-case %q: there are %s", name, strings.Join(caseNames(), ", "))
		}
		chosen = append(chosen, cases()[at])
	}
	return chosen, nil
}

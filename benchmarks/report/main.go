// Report runs the benchmarks, keeps what each printed in benchmarks/results and its plots in benchmarks/plots, and writes
// BENCHMARKS.md from them and a template. Nothing in that document is written by hand: prose is in BENCHMARKS.md.tmpl, which
// takes every figure from the results, and a test holds the document against them.
//
//	go run ./benchmarks/report                          # all of them, about twenty minutes
//	go run ./benchmarks/report -quick                   # short runs, two minutes: to see that it works
//	go run ./benchmarks/report -only throughput,mailing
//	go run ./benchmarks/report -write                   # run nothing: write the document from what is stored
//
// Throughput into real Postfix needs root; what is missing is skipped and named.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// programs are the benchmarks, in the order of the document.
var programs = []string{"throughput", "lanes", "failover", "mailing", "signing", "graveyard"}

// A project is where things are in a clone.
type project struct{ root string }

func (p project) results() string  { return filepath.Join(p.root, "benchmarks", "results") }
func (p project) plots() string    { return filepath.Join(p.root, "benchmarks", "plots") }
func (p project) document() string { return filepath.Join(p.root, "BENCHMARKS.md") }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	only := flag.String("only", "", "run only these, as in throughput,lanes; what is stored of the others stays")
	quick := flag.Bool("quick", false, "short runs, which the document then says")
	write := flag.Bool("write", false, "run nothing: write BENCHMARKS.md from what is stored")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/mxsend/go-mxsend").Output()
	if err != nil {
		return fmt.Errorf("the project was not found, run this in a clone: %w", err)
	}
	p := project{strings.TrimSpace(string(out))}
	if !*write {
		if err := p.runAll(ctx, chosen, *quick); err != nil {
			return err
		}
	}
	all, err := load(p.results())
	if err != nil {
		return err
	}
	text, err := render(all)
	if err != nil {
		return err
	}
	return os.WriteFile(p.document(), text, 0o644)
}

func choose(only string) ([]string, error) {
	if only == "" {
		return programs, nil
	}
	chosen := strings.Split(only, ",")
	for _, name := range chosen {
		if !slices.Contains(programs, name) {
			return nil, fmt.Errorf("-only: no benchmark is called %q, only %s", name, strings.Join(programs, ", "))
		}
	}
	return chosen, nil
}

// Package program is what the benchmarks have in common as programs: flags, signals, progress, plots, and output as
// tables for people or as one JSON object for programs.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

// A Program is one benchmark.
type Program struct {
	Name  string
	Quick string // what -quick leaves out, for its help
	// Flags adds the flags of its own; nil: none.
	Flags func(*flag.FlagSet)
	// Run measures. An error means that no figure is to be believed, and nothing but it is printed of what is left.
	Run func(context.Context, *Env) error
	// Others are the words that, as the first argument, make the program another of its processes, given the rest of
	// the arguments.
	Others map[string]func(ctx context.Context, args []string) error
}

// Exit codes.
const (
	failed = 1
	misuse = 2
)

// Main is the whole of a benchmark's main function. An interrupt ends the context of Run.
func Main(p Program) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := p.Exit(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit is Main without a process: it returns the exit code.
func (p Program) Exit(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := p.start(ctx, args, stdout, stderr)
	var wrong usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &wrong):
		if !wrong.said {
			fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		}
		return misuse
	}
	fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
	return failed
}

func (p Program) start(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		if other := p.Others[args[0]]; other != nil {
			return other(ctx, args[1:])
		}
	}
	flags := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	e := &Env{report: &report.Report{Benchmark: p.Name, Machine: report.ThisMachine()}, text: stdout}
	flags.BoolVar(&e.Quick, "quick", false, "at most 20 seconds: "+p.Quick)
	asJSON := flags.Bool("json", false, "print one JSON object in place of tables")
	flags.StringVar(&e.plots, "plots", "", "directory for plots, as SVG and PNG; empty: none are drawn")
	if p.Flags != nil {
		p.Flags(flags)
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return usageError{err, true} // flags has said it
	}
	if flags.NArg() > 0 {
		return Misuse("unexpected argument %q: only flags are taken, -help lists them", flags.Arg(0))
	}
	e.report.Quick = e.Quick
	e.progress = newProgress(stderr)
	if *asJSON {
		e.text = io.Discard
	}
	m := e.report.Machine
	fmt.Fprintf(e.text, "%s/%s, %s, %d cores, %s\n\n", m.OS, m.Arch, m.CPU, m.Cores, m.Go)
	err := p.Run(ctx, e)
	e.progress.wipe()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	if *asJSON {
		return e.report.WriteJSON(stdout)
	}
	return nil
}

// A usageError is a mistake in how the program was called.
type usageError struct {
	error
	said bool // on standard error, already
}

// Misuse is the error of a Run that was called with flags that cannot be.
func Misuse(format string, args ...any) error { return usageError{fmt.Errorf(format, args...), false} }

// Self is the path of this program, to start it again as another process.
func Self() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

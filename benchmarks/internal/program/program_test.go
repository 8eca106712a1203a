package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"strings"
	"testing"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

// example is a benchmark that finds one figure.
func example(fails error) Program {
	n := 0
	return Program{
		Name: "example", Quick: "nothing",
		Flags: func(f *flag.FlagSet) { f.IntVar(&n, "n", 3, "the figure") },
		Run: func(_ context.Context, e *Env) error {
			if n < 0 {
				return Misuse("-n %d: 0 at least", n)
			}
			e.Report().Add("figure", "1", report.Sample{float64(n)})
			e.Skip("the rest", errors.New("not here"))
			if err := e.Plot("example-plot", "A plot", func(_, _, _ string) error { return nil }); err != nil {
				return err
			}
			return errors.Join(fails, e.Table(&report.Table{Title: "A table", Header: []string{"", "n"}, Rows: [][]string{{"figure", "3"}}}))
		},
		Others: map[string]func(context.Context, []string) error{
			"be-other": func(_ context.Context, args []string) error { return errors.New("other " + args[0]) },
		},
	}
}

func TestExitCodes(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		fails  error
		code   int
		stderr string // contained
	}{
		{"fine", nil, nil, 0, ""},
		{"help", []string{"-help"}, nil, 0, "-quick"},
		{"failed", nil, errors.New("void"), 1, "example: void\n"},
		{"unknown flag", []string{"-x"}, nil, 2, "-x"},
		{"argument", []string{"x"}, nil, 2, `unexpected argument "x"`},
		{"flag that cannot be", []string{"-n", "-1"}, nil, 2, "example: -n -1: 0 at least\n"},
		{"another process", []string{"be-other", "thing"}, nil, 1, "example: other thing\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if got := example(tt.fails).Exit(t.Context(), tt.args, &out, &errs); got != tt.code {
				t.Errorf("got exit code %d, want %d", got, tt.code)
			}
			if got := errs.String(); !strings.Contains(got, tt.stderr) || tt.stderr == "" && got != "" {
				t.Errorf("got %q on standard error, want %q in it", got, tt.stderr)
			}
			if n := strings.Count(errs.String(), "-x\n"); n > 1 {
				t.Errorf("the mistake is said %d times", n)
			}
		})
	}
}

func TestTextAndJSON(t *testing.T) {
	var text, errs bytes.Buffer
	if code := example(nil).Exit(t.Context(), nil, &text, &errs); code != 0 {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	for _, want := range []string{" cores, go", "skipped: the rest: not here\n", "A table\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("got %q, want %q in it", &text, want)
		}
	}
	var out bytes.Buffer
	if code := example(nil).Exit(t.Context(), []string{"-json", "-quick", "-n", "4", "-plots", t.TempDir()}, &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	var r report.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	row, ok := r.Row("figure")
	if !ok || row.Value != 4 || r.Benchmark != "example" || !r.Quick || len(r.Tables) != 1 || len(r.Skipped) != 1 || len(r.Plots) != 1 {
		t.Errorf("got %+v", r)
	}
}

// What is interrupted prints no figures.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if code := example(nil).Exit(ctx, []string{"-json"}, &out, &errs); code != 1 || out.Len() > 0 {
		t.Errorf("got exit code %d and %q, want 1 and nothing", code, &out)
	}
}

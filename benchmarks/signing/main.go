// Command signing compares what DKIM signing costs: this library, go-msgauth, and the bare
// cryptographic operation that neither can do without.
//
//	go run ./benchmarks/signing                 the table, about a minute and a half
//	go run ./benchmarks/signing -quick          the same in less than 20 seconds
//	go run ./benchmarks/signing -json           one object on standard output
//	go run -tags openssl ./benchmarks/signing   with dkim/opensslkey (needs OpenSSL's headers)
//
// Every row is measured in turns with the bare operation that it is a multiple of, batch by batch, so
// that a busy machine slows both; a round's figure is the median of its batches, the row's that of the
// rounds, and the spread is (highest − lowest) / median over the rounds. Progress goes to standard
// error. The table is for comparing ratios: microseconds are those of the machine it ran on.
package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/openssl"
	"github.com/mxsend/go-mxsend/benchmarks/internal/program"
	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

func main() {
	program.Main(program.Program{Name: "signing", Quick: "three short rounds", Run: run})
}

func run(ctx context.Context, e *program.Env) error {
	p := plan{rounds: 7, slice: 400 * time.Millisecond, batches: 200, progress: e.Progress}
	if e.Quick {
		p.rounds, p.slice, p.batches = 3, 100*time.Millisecond, 40
	}
	b, err := newBench()
	if err != nil {
		return err
	}
	if b.open == nil {
		e.Skip("dkim/opensslkey", openssl.ErrNotBuilt)
	}
	measured, err := p.measure(ctx, b.cases())
	if err != nil {
		return err
	}
	r := e.Report()
	r.Reference = "the bare operation, measured in turns with it"
	r.Rows = b.rows(measured)
	allocated, err := b.allocationRows()
	if err != nil {
		return err
	}
	scaled, err := b.scaling(ctx, p)
	if err != nil {
		return err
	}
	speed, err := opensslSpeed(ctx, p, r.Rows[0].Value, r.Rows[1].Value)
	if err != nil {
		e.Skip("openssl speed", err)
	}
	r.Rows = slices.Concat(r.Rows, allocated, scaled, speed)
	return errors.Join(plots(e), e.Table(table(r.Rows, p.rounds)))
}

// table shows every row, with the target of those that have one.
func table(rows []report.Row, rounds int) *report.Table {
	t := &report.Table{
		Title:  fmt.Sprintf("DKIM signatures on one core, where no number of cores is named (GOMAXPROCS %d)", runtime.GOMAXPROCS(0)),
		Header: []string{"", "value", "unit", "± spread", "× bare", "target", ""},
		Notes:  []string{fmt.Sprintf("× bare is to the bare operation, measured in turns with it, %d rounds, unless a row says otherwise", rounds)},
	}
	for _, row := range rows {
		ratio := ""
		if row.Ratio != nil {
			ratio = fmt.Sprintf("%.3f", *row.Ratio)
		}
		t.Rows = append(t.Rows, []string{row.Name, report.Figure(row.Value), row.Unit, fmt.Sprintf("%.0f %%", 100*row.Spread), ratio, row.Target, row.Verdict()})
	}
	return t
}

// plots draws how much the cryptography is of each signature, this library beside go-msgauth.
func plots(e *program.Env) error {
	groups := []string{"Ed25519, 4 KiB", "Ed25519, 64 KiB", "RSA-2048, 4 KiB", "RSA-2048, 64 KiB", "RSA and Ed25519, 4 KiB", "RSA and Ed25519, 64 KiB"}
	bare := report.Series{Name: "bare operation"}
	ours, others := report.Series{Name: "this library"}, report.Series{Name: "go-msgauth"}
	for _, g := range groups {
		a, okA := e.Report().Row(g)
		b, okB := e.Report().Row(g + theirs)
		if !okA || !okB {
			return fmt.Errorf("no rows for %q", g)
		}
		bare.Y, ours.Y, others.Y = append(bare.Y, 1), append(ours.Y, *a.Ratio), append(others.Y, *b.Ratio)
	}
	return e.Plot("signing", "Time of a signature, as a multiple of the bare operation", func(dir, name, title string) error {
		return report.Bars(dir, name, title, "× bare operation", groups, []report.Series{bare, ours, others})
	})
}

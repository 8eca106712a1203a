// Command signing compares what DKIM signing costs: this library, go-msgauth, and the bare
// cryptographic operation that neither can do without.
//
//	go run ./benchmarks/signing                 the table, about a minute and a half
//	go run ./benchmarks/signing -quick          the same in less than 20 seconds
//	go run ./benchmarks/signing -json           one object, {"rows": [{name, value, unit, spread, ratio, …}], …}
//	go run -tags openssl ./benchmarks/signing   with dkim/opensslkey (needs OpenSSL's headers)
//
// Every row is measured in turns with the bare operation that it is a multiple of, batch by batch, so
// that a busy machine slows both; a round's figure is the median of its batches, the row's that of the
// rounds, and the spread is (highest − lowest) / median over the rounds. Progress goes to standard
// error. The table is for comparing ratios: microseconds are those of the machine it ran on.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"
	"time"
)

// Row is one line of the result.
type Row struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Spread float64 `json:"spread"`           // of value, (highest − lowest) / median over the rounds
	Ratio  float64 `json:"ratio"`            // to the bare operation, or as the name says; 0: none
	Target string  `json:"target,omitempty"` // what the ratio, or else the value, is to reach
	Holds  *bool   `json:"holds,omitempty"`
}

// Result is what -json prints.
type Result struct {
	Rows   []Row    `json:"rows"`
	Rounds int      `json:"rounds"`
	Go     string   `json:"go"`
	OS     string   `json:"os"`
	Arch   string   `json:"arch"`
	CPUs   int      `json:"cpus"`
	Notes  []string `json:"notes,omitempty"`
}

func main() {
	quick := flag.Bool("quick", false, "three short rounds, less than 20 seconds in all")
	asJSON := flag.Bool("json", false, "print one JSON object")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "signing: no arguments are taken")
		os.Exit(2)
	}
	plan := plan{rounds: 7, slice: 400 * time.Millisecond, batches: 200, progress: os.Stderr}
	if *quick {
		plan.rounds, plan.slice, plan.batches = 3, 100*time.Millisecond, 40
	}
	result, err := run(plan)
	if err == nil {
		err = print(os.Stdout, result, *asJSON)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "signing:", err)
		os.Exit(1)
	}
}

func run(p plan) (*Result, error) {
	b, err := newBench()
	if err != nil {
		return nil, err
	}
	measured, err := p.measure(b.cases())
	if err != nil {
		return nil, err
	}
	r := &Result{Rows: b.rows(measured), Rounds: p.rounds, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU()}
	allocated, err := b.allocationRows()
	if err != nil {
		return nil, err
	}
	r.Rows = append(r.Rows, allocated...)
	scaled, err := b.scaling(p)
	if err != nil {
		return nil, err
	}
	r.Rows = append(r.Rows, scaled...)
	speed, note := opensslSpeed(p, r.Rows[0].Value, r.Rows[1].Value)
	r.Rows = append(r.Rows, speed...)
	for _, n := range []string{note, opensslNote} {
		if n != "" {
			r.Notes = append(r.Notes, n)
		}
	}
	return r, nil
}

func print(w io.Writer, r *Result, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\tvalue\t\tspread\tratio\ttarget\t\n")
	for _, row := range r.Rows {
		ratio, verdict := "", ""
		if row.Ratio != 0 {
			ratio = fmt.Sprintf("%.3f", row.Ratio)
		}
		if row.Holds != nil {
			verdict = map[bool]string{true: "holds", false: "missed"}[*row.Holds]
		}
		fmt.Fprintf(t, "%s\t%.2f\t%s\t±%.0f %%\t%s\t%s\t%s\n", row.Name, row.Value, row.Unit, row.Spread*50, ratio, row.Target, verdict)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s %s/%s, %d CPUs, %d rounds. Ratio: to the bare operation, measured in turns with it.\n", r.Go, r.OS, r.Arch, r.CPUs, r.Rounds)
	for _, n := range r.Notes {
		fmt.Fprintln(w, n)
	}
	return nil
}

// Package report is what the benchmarks say: medians with their spread, as a
// table for people and as JSON for programs.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
)

// A Sample is the values of one figure, one a run.
type Sample []float64

// Median is the middle one; the mean of the middle two where there is none.
func (s Sample) Median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Spread is the distance from the smallest to the largest, as a share of the
// median.
func (s Sample) Spread() float64 {
	if m := s.Median(); m != 0 {
		return (slices.Max(s) - slices.Min(s)) / m
	}
	return 0
}

// A Row is one figure of the JSON output.
type Row struct {
	Name   string   `json:"name"`
	Value  float64  `json:"value"`
	Unit   string   `json:"unit"`
	Spread float64  `json:"spread"`          // (largest − smallest) ÷ median of the runs
	Ratio  *float64 `json:"ratio,omitempty"` // to the reference named by the benchmark, where there is one
}

// A Report is the rows of one benchmark.
type Report struct {
	Benchmark string   `json:"benchmark"`
	Machine   Machine  `json:"machine"`
	Reference string   `json:"reference,omitempty"` // what ratios are to
	Skipped   []string `json:"skipped,omitempty"`
	Rows      []Row    `json:"rows"`
}

// Add appends a row.
func (r *Report) Add(name, unit string, s Sample) {
	r.Rows = append(r.Rows, Row{Name: name, Unit: unit, Value: s.Median(), Spread: s.Spread()})
}

// AddRatio appends a row with its ratio to the reference's median.
func (r *Report) AddRatio(name, unit string, s Sample, reference float64) {
	r.Add(name, unit, s)
	if reference > 0 {
		ratio := s.Median() / reference
		r.Rows[len(r.Rows)-1].Ratio = &ratio
	}
}

// WriteJSON writes the report as one object.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// A Table is written with aligned columns, the first to the left, the others to
// the right.
type Table struct {
	Title  string
	Header []string
	Rows   [][]string
	Notes  []string
}

// Write writes the table.
func (t *Table) Write(w io.Writer) error {
	fmt.Fprintln(w, t.Title)
	widest := 0
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		widest = max(widest, len(row[0]))
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		fmt.Fprintf(tw, "  %-*s", widest, row[0])
		for _, cell := range row[1:] {
			fmt.Fprintf(tw, "\t%s", cell)
		}
		fmt.Fprintln(tw, "\t")
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, n := range t.Notes {
		fmt.Fprintln(w, "  "+n)
	}
	_, err := fmt.Fprintln(w)
	return err
}

// Figure writes a number with as many digits as mean something.
func Figure(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// Package report is what the benchmarks say: medians with their spread, as a
// table for people and as JSON for programs.
package report

import (
	"encoding/json"
	"io"
	"slices"
	"strconv"
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
	Spread float64  `json:"spread"`           // (largest − smallest) ÷ median of the runs
	Ratio  *float64 `json:"ratio,omitempty"`  // to the reference named by the benchmark, where there is one
	Target string   `json:"target,omitempty"` // what the ratio, or else the value, is to reach, where the benchmark sets that itself
	Holds  *bool    `json:"holds,omitempty"`  // whether it does
}

// Verdict says whether the row's target is reached; it is empty where the row has none that can be decided.
func (r Row) Verdict() string {
	switch {
	case r.Holds == nil:
		return ""
	case *r.Holds:
		return "holds"
	}
	return "missed"
}

// A Report is what one benchmark has to say.
type Report struct {
	Benchmark string    `json:"benchmark"`
	Machine   Machine   `json:"machine"`
	Quick     bool      `json:"quick"`               // a short run: its figures show that it works, and little else
	Reference string    `json:"reference,omitempty"` // what ratios are to
	Skipped   []string  `json:"skipped,omitempty"`   // what could not be measured, and why
	Rows      []Row     `json:"rows"`
	Tables    []Table   `json:"tables,omitempty"` // the rows, put together for people
	Plots     []Picture `json:"plots,omitempty"`
}

// A Picture is a plot that was saved.
type Picture struct {
	File  string `json:"file"` // without the ending; there are .svg and .png
	Title string `json:"title"`
}

// Row finds a row.
func (r *Report) Row(name string) (Row, bool) {
	at := slices.IndexFunc(r.Rows, func(row Row) bool { return row.Name == name })
	if at < 0 {
		return Row{}, false
	}
	return r.Rows[at], true
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

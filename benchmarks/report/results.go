package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

// A result is one run of one benchmark, as it is stored.
type result struct {
	Command  string        `json:"command"`
	Started  time.Time     `json:"started"`
	Seconds  float64       `json:"seconds"`
	Commit   string        `json:"commit"`
	Changed  bool          `json:"changed"` // the files differed from the commit
	Versions []version     `json:"versions"`
	Report   report.Report `json:"report"`
}

// results are the stored ones, by the benchmark's name.
type results map[string]*result

func (r *result) store(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, r.Report.Benchmark+".json"), append(text, '\n'), 0o644)
}

// load reads all that is stored; a benchmark that never ran is missing.
func load(dir string) (results, error) {
	all := results{}
	for _, name := range programs {
		r, err := loadOne(dir, name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all[name] = r
	}
	return all, nil
}

func loadOne(dir, name string) (*result, error) {
	text, err := os.ReadFile(filepath.Join(dir, name+".json"))
	if err != nil {
		return nil, err
	}
	r := &result{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s.json: %w", name, err)
	}
	return r, nil
}

// row finds a figure.
func (all results) row(benchmark, name string) (report.Row, bool) {
	r := all[benchmark]
	if r == nil {
		return report.Row{}, false
	}
	return r.Report.Row(name)
}

// value is the value of a row, ratio its ratio to the benchmark's reference.
func (all results) value(benchmark, name string) (float64, bool) {
	row, ok := all.row(benchmark, name)
	return row.Value, ok
}

func (all results) ratio(benchmark, name string) (float64, bool) {
	row, ok := all.row(benchmark, name)
	if !ok || row.Ratio == nil {
		return 0, false
	}
	return *row.Ratio, true
}

// times is one row's value as a multiple of another's.
func (all results) times(benchmark, name, of string) (float64, bool) {
	a, okA := all.value(benchmark, name)
	b, okB := all.value(benchmark, of)
	return a / b, okA && okB && b != 0
}

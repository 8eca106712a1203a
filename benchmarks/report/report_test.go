package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

// here is the project, seen from this package.
var here = project{filepath.Join("..", "..")}

// The document is what the stored results give, to the last octet: nobody has edited a figure.
func TestDocumentIsRendered(t *testing.T) {
	all, err := load(here.results())
	if err != nil {
		t.Fatal(err)
	}
	want, err := render(all)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(here.document())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("BENCHMARKS.md is not what its template and the results give: go run ./benchmarks/report -write")
	}
	for name, r := range all {
		for _, p := range r.Report.Plots {
			if _, err := os.Stat(filepath.Join(here.plots(), p.File+".svg")); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// Prose has no figures of its own: what stands there besides is a command's promise and the origin of a target.
func TestProseHasNoFigures(t *testing.T) {
	prose := regexp.MustCompile(`\{\{[^}]*\}\}`).ReplaceAllString(document, "")
	for _, allowed := range []string{"at most 20 seconds", "smtp-source took 25 µs"} {
		if !strings.Contains(prose, allowed) {
			t.Errorf("%q is allowed, and not there", allowed)
		}
		prose = strings.ReplaceAll(prose, allowed, "")
	}
	if got := regexp.MustCompile(`.*[0-9].*`).FindAllString(prose, -1); len(got) > 0 {
		t.Errorf("take these figures from the results: %q", got)
	}
}

// After full runs with nothing skipped, all that the prose and the targets name has been measured.
func TestNothingIsMissing(t *testing.T) {
	all, err := load(here.results())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range programs {
		if r := all[name]; r == nil || r.Report.Quick || len(r.Report.Skipped) > 0 {
			t.Skipf("%s was not run in full", name)
		}
	}
	text, err := render(all)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte(notMeasured)) || bytes.Contains(text, []byte("not measured")) {
		t.Error("a row that the template or a target names is not in the results")
	}
}

// some is results of a benchmark with two rows.
func some() results {
	r := &result{Command: "go run it", Report: report.Report{Benchmark: "lanes", Skipped: []string{"x: not here"}}}
	r.Report.Add("a", "ms", report.Sample{3})
	r.Report.AddRatio("transactional p99, under a mailing", "ms", report.Sample{6}, 4)
	r.Report.Plots = []report.Picture{{File: "lanes-x", Title: "X"}}
	return results{"lanes": r}
}

func TestRender(t *testing.T) {
	text, err := render(some())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"    go run it\n", "| a | 3.00 ms | 0 % |  |", "Skipped: x: not here.", "![X](benchmarks/plots/lanes-x.svg)",
		"It has not been run.", notMeasured, "| × 1.50 | yes |", "| not measured | – |", "| throughput | never |",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}

func TestTargetMet(t *testing.T) {
	tests := []struct {
		name  string
		of    target
		value float64
		want  bool
	}{
		{"at least, more", target{limit: 3}, 3.1, true},
		{"at least, just", target{limit: 3}, 3, true},
		{"at least, less", target{limit: 3}, 2.99, false},
		{"at most, less", target{limit: 12, most: true}, 11, true},
		{"at most, just", target{limit: 12, most: true}, 12, true},
		{"at most, more", target{limit: 12, most: true}, 12.1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.of.met(tt.value); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// The targets of lanes and failover find the rows of the results that are stored, which those of short runs have as well.
func TestTargetsNameRows(t *testing.T) {
	all, err := load(here.results())
	if err != nil {
		t.Fatal(err)
	}
	some := results{"lanes": all["lanes"], "failover": all["failover"]}
	found := 0
	for _, of := range targets() {
		if _, ok := of.of(some); ok {
			found++
		}
	}
	if found != 7 {
		t.Errorf("%d targets are measured by lanes and failover, want 7", found)
	}
}

func TestFiguresOfRows(t *testing.T) {
	all := some()
	if v, ok := all.times("lanes", "transactional p99, under a mailing", "a"); v != 2 || !ok {
		t.Errorf("times: got %v, %v, want 2", v, ok)
	}
	if _, ok := all.times("lanes", "a", "no such row"); ok {
		t.Error("times: a row that is not there was found")
	}
	if _, ok := all.ratio("lanes", "a"); ok {
		t.Error("ratio: a row that has none gave one")
	}
}

func TestStoredIsLoaded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	want := some()["lanes"]
	if err := want.store(dir); err != nil {
		t.Fatal(err)
	}
	all, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := all["lanes"]
	if len(all) != 1 || got.Command != want.Command || !slices.Equal(got.Report.Plots, want.Report.Plots) || len(got.Report.Rows) != 2 {
		t.Errorf("got %+v", all)
	}
}

func TestChoose(t *testing.T) {
	if got, err := choose("lanes,mailing"); err != nil || !slices.Equal(got, []string{"lanes", "mailing"}) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := choose("lane"); err == nil || !strings.Contains(err.Error(), "throughput, lanes") {
		t.Errorf("got %v, want the names", err)
	}
}

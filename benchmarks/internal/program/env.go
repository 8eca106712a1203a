package program

import (
	"fmt"
	"io"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

// An Env is what a benchmark is run with, and where it puts what it finds. It is for one goroutine, but for Progress.
type Env struct {
	Quick bool

	report   *report.Report
	plots    string // directory; empty: none
	text     io.Writer
	progress *progress
}

// Report is where rows go.
func (e *Env) Report() *report.Report { return e.report }

// Table prints a table, or keeps it for the JSON object.
func (e *Env) Table(t *report.Table) error {
	e.progress.wipe()
	e.report.Tables = append(e.report.Tables, *t)
	return t.Write(e.text)
}

// Skip says that something could not be measured here, and why.
func (e *Env) Skip(what string, why error) {
	said := fmt.Sprintf("%s: %v", what, why)
	e.report.Skipped = append(e.report.Skipped, said)
	fmt.Fprintf(e.text, "skipped: %s\n", said)
}

// Plot has a plot drawn if plots are wanted: draw is to write name.svg and name.png into a directory, as those of package
// report do. The name has to be the benchmark's own: the plots of all benchmarks may share a directory.
func (e *Env) Plot(name, title string, draw func(dir, name, title string) error) error {
	if e.plots == "" {
		return nil
	}
	e.report.Plots = append(e.report.Plots, report.Picture{File: name, Title: title})
	return draw(e.plots, name, title)
}

// Progress says what is under way, on standard error. It is safe for concurrent use.
func (e *Env) Progress(format string, args ...any) { e.progress.say(format, args...) }

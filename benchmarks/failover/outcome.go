package main

import (
	"fmt"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

// The units of figures. Rates are compared with that of one relay alone.
const (
	rate    = "messages/s"
	mails   = "messages"
	seconds = "s"
	millis  = "ms"
	percent = "%"
)

// A wanted is what a figure is to be: for a rate its ratio to one relay alone, else its value.
type wanted struct {
	text  string             // as the table says it; empty: nothing
	holds func(float64) bool // nil: no bound, for the reader to judge
}

// anything is wanted of a figure that only explains others.
var anything wanted

func atLeast(limit float64) wanted {
	return wanted{fmt.Sprintf("≥ %.2f", limit), func(v float64) bool { return v >= limit }}
}

func atMost(limit float64) wanted {
	return wanted{fmt.Sprintf("≤ %g", limit), func(v float64) bool { return v <= limit }}
}

// none is wanted of what must not happen.
func none() wanted { return wanted{"0", func(v float64) bool { return v == 0 }} }

// roughly is wanted where no limit is sharp.
func roughly(text string) wanted { return wanted{text: text} }

// A figure is one line of a case's table, with a value a round.
type figure struct {
	name, unit string
	values     report.Sample
	wanted     wanted
}

// row is the figure in the report of a case.
func (f figure) row(name string, reference float64) report.Row {
	row := report.Row{
		Name: name + ": " + f.name, Unit: f.unit, Value: f.values.Median(), Spread: f.values.Spread(), Target: f.wanted.text,
	}
	judged := row.Value
	if f.unit == rate {
		judged /= reference
		row.Ratio = new(judged)
	}
	if f.wanted.holds != nil {
		row.Holds = new(f.wanted.holds(judged))
	}
	return row
}

// An outcome is what a case found: its figures, and the throughput over the time
// of its first round.
type outcome struct {
	figures []figure
	series  []report.Series
}

func (o *outcome) figure(name, unit string, value float64, wanted wanted) {
	o.figures = append(o.figures, figure{name, unit, report.Sample{value}, wanted})
}

// add takes in another round.
func (o *outcome) add(p outcome) {
	if o.figures == nil {
		*o = p
		return
	}
	for i := range o.figures {
		o.figures[i].values = append(o.figures[i].values, p.figures[i].values...)
	}
}

// rows are the figures of a case, held against the rate of one relay alone.
func (o *outcome) rows(name string, reference float64) (rows []report.Row) {
	for _, f := range o.figures {
		rows = append(rows, f.row(name, reference))
	}
	return rows
}

// table shows the rows of a case.
func (o *outcome) table(title string, rows []report.Row) *report.Table {
	t := &report.Table{Title: title, Header: []string{"", "value", "unit", "± spread", "× alone", "target", ""}}
	for i, row := range rows {
		ratio := ""
		if row.Ratio != nil {
			ratio = report.Figure(*row.Ratio)
		}
		t.Rows = append(t.Rows, []string{
			o.figures[i].name, report.Figure(row.Value), row.Unit, fmt.Sprintf("%.0f %%", 100*row.Spread), ratio, row.Target, row.Verdict(),
		})
	}
	return t
}

// plot draws the throughput over time.
func (o *outcome) plot(dir, name, title string) error {
	return report.Lines(dir, name, title, "seconds", "mails accepted a second", o.series)
}

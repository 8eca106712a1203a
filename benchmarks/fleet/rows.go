package main

import (
	"fmt"

	"github.com/mxsend/go-mxsend/benchmarks/internal/program"
	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

// wanted is the bound of a figure.
type wanted struct {
	text  string
	holds func(float64) bool // nil: no bound
}

var none wanted

func atLeast(limit float64) wanted {
	return wanted{fmt.Sprintf("≥ %g", limit), func(v float64) bool { return v >= limit }}
}

func atMost(limit float64) wanted {
	return wanted{"≤ " + report.Figure(limit), func(v float64) bool { return v <= limit }}
}

func row(name, unit string, value float64, w wanted) report.Row {
	r := report.Row{Name: name, Unit: unit, Value: value, Target: w.text}
	if w.holds != nil {
		r.Holds = new(w.holds(value))
	}
	return r
}

// add enters rows in the report and returns them as a line of a table, with the verdict on all of them at its end.
func add(e *program.Env, first string, rows []report.Row) []string {
	cells, missed := []string{first}, 0
	for _, r := range rows {
		cell := report.Figure(r.Value)
		if r.Holds != nil && !*r.Holds {
			missed++
			cell += " (" + r.Target + ")"
		}
		cells = append(cells, cell)
	}
	e.Report().Rows = append(e.Report().Rows, rows...)
	if missed > 0 {
		return append(cells, "missed")
	}
	return append(cells, "holds")
}

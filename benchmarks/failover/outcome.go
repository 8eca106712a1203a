package main

import "github.com/mxsend/go-mxsend/benchmarks/internal/report"

// The units of figures. Rates are compared with that of one relay alone.
const (
	rate    = "messages/s"
	mails   = "messages"
	seconds = "s"
	millis  = "ms"
	percent = "%"
)

// A figure is one line of a case's table, with a value a round.
type figure struct {
	name, unit string
	values     report.Sample
	wanted     string // as the table says it; empty: nothing
}

// An outcome is what a case found: its figures, and the throughput over the time
// of its first round.
type outcome struct {
	figures []figure
	series  []report.Series
}

func (o *outcome) figure(name, unit string, value float64, wanted string) {
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

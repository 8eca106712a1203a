package main

import (
	"fmt"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

const reference = "smtp-source"

func table(c benchCase, results []*result) *report.Table {
	t := &report.Table{
		Title:  c.name(),
		Header: []string{"", "messages/s", "± spread", "× " + reference, "client CPU µs", "allocations", "round trips"},
	}
	base := referenceRate(results)
	for _, r := range results {
		ratio := "–"
		if base > 0 {
			ratio = report.Figure(r.rate.Median() / base)
		}
		t.Rows = append(t.Rows, []string{
			r.peer, report.Figure(r.rate.Median()), fmt.Sprintf("%.0f %%", 100*r.rate.Spread()), ratio,
			report.Figure(r.cpu.Median()), known(r.mallocs), known(r.roundTrips),
		})
	}
	return t
}

// known writes a dash for what could not be counted.
func known(s report.Sample) string {
	if s.Median() == 0 {
		return "–"
	}
	return report.Figure(s.Median())
}

func referenceRate(results []*result) float64 {
	for _, r := range results {
		if r.peer == reference {
			return r.rate.Median()
		}
	}
	return 0
}

func addRows(r *report.Report, c benchCase, results []*result) {
	base := referenceRate(results)
	for _, x := range results {
		name := c.name() + ": " + x.peer
		r.AddRatio(name, "messages/s", x.rate, base)
		r.Add(name+": client CPU", "µs/message", x.cpu)
		if x.mallocs.Median() > 0 {
			r.Add(name+": allocations", "1/message", x.mallocs)
		}
		if x.roundTrips.Median() > 0 {
			r.Add(name+": round trips", "1/message", x.roundTrips)
		}
	}
}

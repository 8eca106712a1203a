package main

import (
	"fmt"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

// reference is the peer that the others are compared with; signed mail is compared with signing alone.
const reference = "smtp-source"

func table(c benchCase, results []*result) *report.Table {
	t := &report.Table{
		Title:  c.name(),
		Header: []string{"", "messages/s", "± spread", "× " + reference, "client CPU µs", "allocations", "round trips"},
	}
	if c.signed {
		t.Header[3] = "× bare signing"
		t.Notes = append(t.Notes, "a bare peer makes the signatures on all cores and sends nothing")
	}
	for _, r := range results {
		ratio := "–"
		if base := baseRate(c, results, r); base > 0 {
			ratio = report.Figure(r.rate.Median() / base)
		}
		t.Rows = append(t.Rows, []string{
			r.peer.Name, report.Figure(r.rate.Median()), fmt.Sprintf("%.0f %%", 100*r.rate.Spread()), ratio,
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

// baseRate is the rate of what a result is compared with; zero: of nothing here.
func baseRate(c benchCase, results []*result, of *result) float64 {
	name := reference
	if c.signed {
		name = of.peer.Bare
	}
	for _, r := range results {
		if r.peer.Name == name {
			return r.rate.Median()
		}
	}
	return 0
}

func addRows(r *report.Report, c benchCase, results []*result) {
	for _, x := range results {
		name := c.name() + ": " + x.peer.Name
		r.AddRatio(name, "messages/s", x.rate, baseRate(c, results, x))
		r.Add(name+": client CPU", "µs/message", x.cpu)
		if x.mallocs.Median() > 0 {
			r.Add(name+": allocations", "1/message", x.mallocs)
		}
		if x.roundTrips.Median() > 0 {
			r.Add(name+": round trips", "1/message", x.roundTrips)
		}
	}
}

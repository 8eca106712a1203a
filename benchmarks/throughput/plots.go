package main

import (
	"fmt"
	"slices"

	"github.com/mxsend/go-mxsend/benchmarks/internal/program"
	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

// A measured case is one with its results.
type measured struct {
	benchCase
	results []*result
}

// plots draws the rates and the CPU of every peer, one picture for each sink and
// round-trip time. A peer without results in a case has no bar there.
func plots(e *program.Env, all []measured) error {
	type picture struct {
		sink      string
		roundTrip string
		signed    bool
	}
	var order []picture
	groups := map[picture][]measured{}
	for _, m := range all {
		p := picture{m.sink, m.roundTrip.String(), m.signed}
		if groups[p] == nil {
			order = append(order, p)
		}
		groups[p] = append(groups[p], m)
	}
	for i, p := range order {
		title := p.sink
		if groups[p][0].roundTrip > 0 {
			title += ", " + p.roundTrip + " round trip"
		}
		if p.signed {
			title += ", signed"
		}
		rate := func(r *result) float64 { return r.rate.Median() }
		if err := bars(e, fmt.Sprintf("throughput-rate-%d", i+1), title, "messages/s", groups[p], rate); err != nil {
			return err
		}
		cpu := func(r *result) float64 { return r.cpu.Median() }
		if err := bars(e, fmt.Sprintf("throughput-cpu-%d", i+1), title, "client CPU, µs/message", groups[p], cpu); err != nil {
			return err
		}
	}
	return nil
}

func bars(e *program.Env, name, title, unit string, cases []measured, value func(*result) float64) error {
	var labels []string
	var series []report.Series
	for i, m := range cases {
		labels = append(labels, fmt.Sprintf("%s\n%d KiB", m.width(), m.size>>10))
		for _, r := range m.results {
			at := slices.IndexFunc(series, func(s report.Series) bool { return s.Name == r.peer.Name })
			if at < 0 {
				at = len(series)
				series = append(series, report.Series{Name: r.peer.Name, Y: make([]float64, len(cases))})
			}
			series[at].Y[i] = value(r)
		}
	}
	return e.Plot(name, title, func(dir, name, title string) error {
		return report.Bars(dir, name, title, unit, labels, series)
	})
}

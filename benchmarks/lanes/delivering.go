package main

import (
	"context"
	"fmt"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

// delivering is how long transactional mail takes in the relays while a mailing is
// tried for the first time.
type delivering struct {
	pace       float64
	recipients int
	progress   func(format string, args ...any)
	idle       *pass
	ways       []way
	passes     []*pass // of each way
}

func (d *delivering) simulate(ctx context.Context) error {
	d.progress("model: idle")
	d.idle = idle(time.Hour)
	d.ways = ways(d.pace)
	for _, w := range d.ways {
		if err := ctx.Err(); err != nil {
			return err
		}
		d.progress("model: %s", w.name)
		d.passes = append(d.passes, w.mailing(d.recipients))
	}
	return nil
}

func (d *delivering) report(r *report.Report) *report.Table {
	t := &report.Table{
		Title:  fmt.Sprintf("Delivery of a transactional mail by the model of the relays, while a mailing of %d is tried for the first time", d.recipients),
		Header: []string{"", "first pass h", "median s", "p99 s", "slowest s", "p99 ÷ idle"},
		Notes: []string{
			fmt.Sprintf("two primaries and two graveyards; %v transactional mails/s; %.0f %% of the mailing at dead domains; paced: LaneConfig.Rate %v", transactionalRate, 100*deadShare, d.pace),
		},
	}
	idleP99 := d.idle.quantile(0.99).Seconds()
	row := func(name string, p *pass, took string) {
		cells := []string{name, took}
		for _, q := range []struct {
			name string
			of   float64
		}{{"median", 0.5}, {"p99", 0.99}, {"slowest", 1}} {
			v := p.quantile(q.of).Seconds()
			r.AddRatio("delivery "+q.name+", "+name, "s", report.Sample{v}, d.idle.quantile(q.of).Seconds())
			cells = append(cells, report.Figure(v))
		}
		t.Rows = append(t.Rows, append(cells, report.Figure(p.quantile(0.99).Seconds()/idleP99)))
	}
	row("idle", d.idle, "")
	for i, w := range d.ways {
		p := d.passes[i]
		r.Add("first pass, "+w.name, "h", report.Sample{p.took.Hours()})
		row(w.name, p, report.Figure(p.took.Hours()))
	}
	return t
}

// plot draws the worst delay of every hundredth of the first pass.
func (d *delivering) plot(dir, name, title string) error {
	var lines []report.Series
	for i, w := range d.ways {
		p := d.passes[i]
		line := report.Series{Name: w.name}
		worst, slice := time.Duration(0), time.Duration(0)
		for _, m := range p.mails {
			if at := (m.submitted - lead) * 100 / p.took; at > slice {
				line.X, line.Y = append(line.X, float64(slice)), append(line.Y, worst.Seconds())
				slice, worst = at, 0
			}
			worst = max(worst, m.delay)
		}
		lines = append(lines, line)
	}
	return report.Lines(dir, name, title, "% of the first pass", "seconds", lines)
}

package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/mxsend/go-mxsend/benchmarks/internal/program"
	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

// writeCSV writes a week's samples.
func writeCSV(dir string, r weekResult) error {
	f, err := os.Create(filepath.Join(dir, r.Scenario+".csv"))
	if err != nil {
		return err
	}
	defer f.Close()
	w := csv.NewWriter(f)
	w.Write([]string{"hours", "transactional_mails", "median_s", "p99_s", "max_s", "primaries_incoming", "primaries_active", "primaries_deferred", "graveyards_active", "graveyards_deferred"})
	for _, s := range r.series {
		w.Write([]string{
			fmt.Sprintf("%.2f", s.At.Hours()), fmt.Sprint(s.Mails), fmt.Sprintf("%.3f", s.Median), fmt.Sprintf("%.3f", s.P99), fmt.Sprintf("%.3f", s.Max),
			fmt.Sprint(s.Incoming), fmt.Sprint(s.Active), fmt.Sprint(s.Deferred), fmt.Sprint(s.GraveyardActive), fmt.Sprint(s.GraveyardDeferred),
		})
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return f.Close()
}

var colours = []color.Color{
	color.RGBA{R: 0xc0, G: 0x39, B: 0x2b, A: 0xff}, color.RGBA{R: 0x1f, G: 0x77, B: 0xb4, A: 0xff},
	color.RGBA{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff}, color.RGBA{R: 0x2c, G: 0xa0, B: 0x2c, A: 0xff},
	color.RGBA{R: 0x94, G: 0x67, B: 0xbd, A: 0xff}, color.RGBA{R: 0x55, G: 0x55, B: 0x55, A: 0xff},
}

// A curve is a line of a plot.
type curve struct {
	name   string
	dashed bool
	value  func(sample) float64
	week   weekResult
}

// plots draws the delay of transactional mail and the queues.
func plots(e *program.Env, results []weekResult) error {
	var delays, queues []curve
	for _, r := range results {
		delays = append(delays,
			curve{r.Scenario + ", median", false, func(s sample) float64 { return s.Median }, r},
			curve{r.Scenario + ", worst of 100", true, func(s sample) float64 { return s.P99 }, r})
		queues = append(queues,
			curve{r.Scenario + ", deferred", false, func(s sample) float64 { return float64(s.Deferred + s.GraveyardDeferred) }, r},
			curve{r.Scenario + ", active and incoming on primaries", true, func(s sample) float64 { return float64(s.Active + s.Incoming) }, r})
	}
	return errors.Join(
		e.Plot("graveyard-delay", "How long transactional mail waits in the relays", func(dir, name, title string) error {
			return draw(dir, name, title, "seconds", 0.1, delays)
		}),
		e.Plot("graveyard-queues", "Mail in the queues", func(dir, name, title string) error {
			return draw(dir, name, title, "messages", 1, queues)
		}))
}

// draw draws curves over the week, on a logarithmic scale from floor on.
func draw(dir, name, title, unit string, floor float64, curves []curve) error {
	p := report.NewChart(title, "day of the week (mailings begin at ten)", unit)
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.X.Tick.Marker = weekdays{}
	p.Add(plotter.NewGrid())
	highest := 10 * floor
	for i, c := range curves {
		points := make(plotter.XYs, len(c.week.series))
		for k, s := range c.week.series {
			points[k].X, points[k].Y = s.At.Hours()/24, math.Max(floor, c.value(s))
			highest = math.Max(highest, points[k].Y)
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		line.Color, line.Width = colours[i/2%len(colours)], vg.Points(1.5)
		if c.dashed {
			line.Width, line.Dashes = vg.Points(0.8), []vg.Length{vg.Points(3), vg.Points(2)}
		}
		p.Add(line)
		p.Name(c.name, line)
	}
	p.Y.Min, p.Y.Max = floor, highest*1.5
	return p.Save(dir, name, 24*vg.Centimeter)
}

// weekdays mark the days.
type weekdays struct{}

func (weekdays) Ticks(_, _ float64) []plot.Tick {
	var list []plot.Tick
	for i, name := range []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", ""} {
		list = append(list, plot.Tick{Value: float64(i), Label: name})
	}
	return list
}

// showSmall adds the rows and the table of the small scale.
func showSmall(e *program.Env, results []smallResult) error {
	t := &report.Table{
		Title:  "Small scale, as real Postfix was measured: delay of transactional mail",
		Header: []string{"", "median during the first pass", "worst", "median after it", "worst", "active", "deferred"},
	}
	for _, s := range results {
		name := fmt.Sprintf("%d graveyards", s.Graveyards)
		r := e.Report()
		r.Add("small scale, "+name+": median delay during the first pass", "s", report.Sample{s.During.Median})
		r.Add("small scale, "+name+": median delay after it", "s", report.Sample{s.After.Median})
		r.Add("small scale, "+name+": deferred after it", "messages", report.Sample{float64(s.Deferred)})
		t.Rows = append(t.Rows, []string{
			name, seconds(s.During.Median), seconds(s.During.Max), seconds(s.After.Median), seconds(s.After.Max),
			fmt.Sprint(s.Active), fmt.Sprint(s.Deferred),
		})
	}
	return e.Table(t)
}

// showWeeks adds the rows and the table of the weeks.
func showWeeks(e *program.Env, weeks []weekResult) error {
	t := &report.Table{
		Title:  "A week of mail: delay of transactional mail in the relays",
		Header: []string{"", "mails", "median", "99 % within", "worst", "over 10 s", "minutes with a median over 1 s", "most deferred on primaries", "on graveyards"},
	}
	for _, w := range weeks {
		r := e.Report()
		name := "a week, " + w.Scenario + ": "
		r.Add(name+"mails", "messages", report.Sample{float64(w.Mails)})
		r.Add(name+"attempts", "1", report.Sample{float64(w.Totals.Attempts)})
		r.Add(name+"median delay", "s", report.Sample{w.Median})
		r.Add(name+"p99 delay", "s", report.Sample{w.P99})
		r.Add(name+"worst delay", "s", report.Sample{w.Max})
		r.Add(name+"share over 10 s", "1", report.Sample{w.Over10s})
		r.Add(name+"time with a median over 1 s", "minutes", report.Sample{float64(w.SlowMinutes)})
		r.Add(name+"most deferred on primaries", "messages", report.Sample{float64(w.PeakDeferred)})
		r.Add(name+"most deferred on graveyards", "messages", report.Sample{float64(w.PeakGraveyard)})
		t.Rows = append(t.Rows, []string{
			w.Scenario, fmt.Sprint(w.Mails), seconds(w.Median), seconds(w.P99), seconds(w.Max),
			fmt.Sprintf("%.2f %%", 100*w.Over10s), fmt.Sprint(w.SlowMinutes), fmt.Sprint(w.PeakDeferred), fmt.Sprint(w.PeakGraveyard),
		})
		t.Notes = append(t.Notes, fmt.Sprintf("%s: %d attempts at delivery, simulated in %.1f s", w.Scenario, w.Totals.Attempts, w.Seconds))
	}
	return e.Table(t)
}

func seconds(v float64) string { return report.Figure(v) + " s" }

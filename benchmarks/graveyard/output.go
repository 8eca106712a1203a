package main

import (
	"encoding/csv"
	"fmt"
	"image/color"
	"io"
	"math"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
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

// writePlots draws the delay of transactional mail and the queues, as SVG and PNG.
func writePlots(dir string, results []weekResult) error {
	var delays, queues []curve
	for _, r := range results {
		delays = append(delays,
			curve{r.Scenario + ", median", false, func(s sample) float64 { return s.Median }, r},
			curve{r.Scenario + ", worst of 100", true, func(s sample) float64 { return s.P99 }, r})
		queues = append(queues,
			curve{r.Scenario + ", deferred", false, func(s sample) float64 { return float64(s.Deferred + s.GraveyardDeferred) }, r},
			curve{r.Scenario + ", active and incoming on primaries", true, func(s sample) float64 { return float64(s.Active + s.Incoming) }, r})
	}
	if err := draw(filepath.Join(dir, "delay"), "How long transactional mail waits in the relays", "seconds", 0.1, delays); err != nil {
		return err
	}
	return draw(filepath.Join(dir, "queues"), "Mail in the queues", "messages", 1, queues)
}

// draw draws curves over the week, on a logarithmic scale from floor on.
func draw(file, title, unit string, floor float64, curves []curve) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, "day of the week (mailings begin at ten)", unit
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
		p.Legend.Add(c.name, line)
	}
	p.Legend.Top = true
	p.Y.Min, p.Y.Max = floor, highest*30 // room for the legend
	for _, ending := range []string{".svg", ".png"} {
		if err := p.Save(28*vg.Centimeter, 14*vg.Centimeter, file+ending); err != nil {
			return err
		}
	}
	return nil
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

// table prints the results for people.
func table(w io.Writer, o output) {
	fmt.Fprintf(w, "small scale, as measured with Postfix: delay of transactional mail, median / worst\n")
	for _, s := range o.Small {
		fmt.Fprintf(w, "  %d graveyards: during the first pass %.2f / %.2f s, after it %.2f / %.2f s (active %d, deferred %d)\n",
			s.Graveyards, s.During.Median, s.During.Max, s.After.Median, s.After.Max, s.Active, s.Deferred)
	}
	for _, r := range o.Weeks {
		fmt.Fprintf(w, "%s: %d mails, %d attempts in %.1f s, %.0f MB\n", r.Scenario, r.Mails, r.Totals.Attempts, r.Seconds, r.Megabytes)
		fmt.Fprintf(w, "  transactional delay: median %.2f s, 99 %% within %.1f s, worst %.0f s; over 10 s: %.2f %%; median over 1 s for %d minutes of the week\n",
			r.Median, r.P99, r.Max, 100*r.Over10s, r.SlowMinutes)
		fmt.Fprintf(w, "  deferred at most: primaries %d, graveyards %d\n", r.PeakDeferred, r.PeakGraveyard)
	}
}

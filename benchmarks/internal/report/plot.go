package report

import (
	"image/color"
	"strings"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// A Series is one of the things that a plot compares: a bar for each group, or a
// line through points.
type Series struct {
	Name string
	X    []float64 // of lines; bars have none
	Y    []float64
}

// colours can be told apart by those who see no red or no green (Okabe and Ito).
func colours() []color.Color {
	return []color.Color{
		color.RGBA{0, 114, 178, 255}, color.RGBA{230, 159, 0, 255}, color.RGBA{0, 158, 115, 255},
		color.RGBA{204, 121, 167, 255}, color.RGBA{213, 94, 0, 255}, color.RGBA{86, 180, 233, 255}, color.RGBA{0, 0, 0, 255},
	}
}

// Bars draws a bar of each series for each group into dir, as name.svg and
// name.png.
func Bars(dir, name, title, unit string, groups []string, series []Series) error {
	c := NewChart(title, "", unit)
	c.Y.Min = 0
	width := vg.Points(max(8, 66/float64(max(1, len(series)))))
	group := width * vg.Length(len(series)+1)
	for i, s := range series {
		bars, err := plotter.NewBarChart(plotter.Values(s.Y), width)
		if err != nil {
			return err
		}
		bars.Color, bars.LineStyle.Width = colours()[i%len(colours())], 0
		bars.Offset = width * vg.Length(float64(i)-float64(len(series)-1)/2)
		c.Add(bars)
		c.Name(s.Name, bars)
	}
	labels := make([]string, len(groups))
	for i, g := range groups {
		labels[i] = wrap(g, c.X.Tick.Label, max(group, vg.Points(84)))
		for line := range strings.SplitSeq(labels[i], "\n") {
			group = max(group, c.X.Tick.Label.Width(line)+vg.Points(18))
		}
	}
	c.NominalX(labels...)
	c.X.Min, c.X.Max = -0.5, float64(len(groups))-0.5
	return c.Save(dir, name, max(vg.Points(420), group*vg.Length(len(groups))+vg.Points(80)))
}

// Lines draws a line for each series into dir, as name.svg and name.png.
func Lines(dir, name, title, xUnit, yUnit string, series []Series) error {
	c := NewChart(title, xUnit, yUnit)
	c.Y.Min = 0
	c.Add(plotter.NewGrid())
	for i, s := range series {
		points := make(plotter.XYs, len(s.Y))
		for k := range points {
			points[k].X, points[k].Y = s.X[k], s.Y[k]
			c.Y.Max = max(c.Y.Max, 1.05*s.Y[k])
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		line.Color, line.Width = colours()[i%len(colours())], vg.Points(1.5)
		c.Add(line)
		c.Name(s.Name, line)
	}
	return c.Save(dir, name, vg.Points(600))
}

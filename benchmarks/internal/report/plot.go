package report

import (
	"errors"
	"image/color"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
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
	p := plot.New()
	p.Title.Text, p.Y.Label.Text, p.Y.Min = title, unit, 0
	width := vg.Points(60 / float64(max(1, len(series))))
	for i, s := range series {
		bars, err := plotter.NewBarChart(plotter.Values(s.Y), width)
		if err != nil {
			return err
		}
		bars.Color, bars.LineStyle.Width = colours()[i%len(colours())], 0
		bars.Offset = width * vg.Length(float64(i)-float64(len(series)-1)/2)
		p.Add(bars)
		p.Legend.Add(s.Name, bars)
	}
	p.NominalX(groups...)
	p.X.Min, p.X.Max = -0.5, float64(len(groups))-0.5
	p.Legend.Top = true
	return SavePlot(p, dir, name, vg.Points(max(400, 90*float64(len(groups)))))
}

// Lines draws a line for each series into dir, as name.svg and name.png.
func Lines(dir, name, title, xUnit, yUnit string, series []Series) error {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text, p.Y.Min = title, xUnit, yUnit, 0
	p.Add(plotter.NewGrid())
	for i, s := range series {
		points := make(plotter.XYs, len(s.Y))
		for k := range points {
			points[k].X, points[k].Y = s.X[k], s.Y[k]
			p.Y.Max = max(p.Y.Max, 1.2*s.Y[k])
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		line.Color, line.Width = colours()[i%len(colours())], vg.Points(1.5)
		p.Add(line)
		p.Legend.Add(s.Name, line)
	}
	p.Legend.Top = true
	return SavePlot(p, dir, name, vg.Points(600))
}

// SavePlot writes a plot of any kind into dir, as name.svg and name.png.
func SavePlot(p *plot.Plot, dir, name string, width vg.Length) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, name)
	height := max(vg.Points(320), width/2)
	return errors.Join(p.Save(width, height, file+".svg"), p.Save(width, height, file+".png"))
}

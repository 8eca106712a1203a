package report

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A Chart is a plot with its legend beneath it, where it hides nothing.
type Chart struct {
	*plot.Plot
	legend plot.Legend
	named  int
}

// margin is around everything; gap is between the plot and its legend.
const margin, gap = 12, 8

// NewChart makes an empty one.
func NewChart(title, x, y string) *Chart {
	c := &Chart{Plot: plot.New(), legend: plot.NewLegend()}
	c.Title.Text, c.X.Label.Text, c.Y.Label.Text = title, x, y
	c.Title.Padding, c.X.Label.Padding, c.Y.Label.Padding = vg.Points(8), vg.Points(4), vg.Points(4)
	c.X.Tick.Marker, c.Y.Tick.Marker = ticks{}, ticks{}
	for _, style := range []*text.Style{&c.Title.TextStyle, &c.X.Label.TextStyle, &c.Y.Label.TextStyle, &c.X.Tick.Label, &c.Y.Tick.Label, &c.legend.TextStyle} {
		style.Font.Variant = "Sans" // simpler outlines, smaller files
	}
	c.legend.Left, c.legend.Top, c.legend.Padding = true, true, vg.Points(3)
	return c
}

// Name puts a line into the legend.
func (c *Chart) Name(name string, sample plot.Thumbnailer) {
	c.legend.Add(name, sample)
	c.named++
}

// Save writes the chart into dir, as name.svg and name.png. Text is drawn as outlines: fonts cannot be relied on.
func (c *Chart) Save(dir, name string, width vg.Length) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	c.Title.Text = wrap(c.Title.Text, c.Title.TextStyle, width-2*margin)
	legend := c.legend.Rectangle(draw.New(vgimg.New(width, width))).Size().Y
	height := max(vg.Points(300), width/2) + legend + gap + 2*margin
	file := filepath.Join(dir, name)
	svg := vgsvg.New(width, height)
	c.draw(outlines{svg}, legend)
	png := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(2*vgimg.DefaultDPI))}
	c.draw(png.Canvas, legend)
	return errors.Join(write(file+".svg", svg), write(file+".png", png))
}

// draw lays the plot above its legend.
func (c *Chart) draw(on vg.CanvasSizer, legend vg.Length) {
	all := draw.New(on)
	all.SetColor(c.BackgroundColor)
	all.Fill(all.Rectangle.Path())
	inside := draw.Crop(all, margin, -margin, margin, -margin)
	c.Plot.Draw(draw.Crop(inside, 0, 0, legend+gap, 0))
	c.legend.Draw(draw.Crop(inside, 0, 0, 0, legend-inside.Size().Y))
}

func write(file string, content io.WriterTo) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = content.WriteTo(f)
	return errors.Join(err, f.Close())
}

// wrap breaks a text between words so that no line is wider than a width, if its words allow.
func wrap(s string, style text.Style, width vg.Length) string {
	var lines []string
	for _, line := range strings.Split(s, "\n") {
		current := ""
		for _, word := range strings.Fields(line) {
			longer := strings.TrimSpace(current + " " + word)
			if current != "" && style.Width(longer) > width {
				lines = append(lines, current)
				longer = word
			}
			current = longer
		}
		lines = append(lines, current)
	}
	return strings.Join(lines, "\n")
}

// ticks are gonum's, with numbers as people write them: 50,000 in place of 50000.00.
type ticks struct{}

// Ticks implements plot.Ticker.
func (ticks) Ticks(low, high float64) []plot.Tick {
	list := plot.DefaultTicks{}.Ticks(low, high)
	for i := range list {
		if list[i].Label != "" {
			list[i].Label = number(list[i].Value)
		}
	}
	return list
}

// number writes a number with its thousands apart, and no more decimals than it needs of three.
func number(v float64) string {
	s := strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(v, 'f', 3, 64), "0"), ".")
	whole, decimals, _ := strings.Cut(s, ".")
	sign := ""
	if rest, ok := strings.CutPrefix(whole, "-"); ok {
		sign, whole = "-", rest
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if decimals != "" {
		whole += "." + decimals
	}
	if whole == "0" {
		sign = ""
	}
	return sign + whole
}

package page

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// A Series is a line of a plot.
type Series struct {
	Name   string
	Values []float64 // oldest first; NaN: nothing is drawn there
}

// A Plot is a figure with a line for each series, over the same time. Colours and sizes are the stylesheet's.
type Plot struct {
	Title  string
	Unit   string // behind the largest value: "/s"
	From   string // what the left end is: "10 minutes ago"
	To     string // what the right end is: "now"
	Series []Series
}

// The size of the drawing; the stylesheet stretches it.
const plotWidth, plotHeight = 600, 120

// HTML draws the plot.
func (p Plot) HTML() template.HTML {
	top := 0.0
	for _, s := range p.Series {
		for _, v := range s.Values {
			if v > top { // never so for NaN
				top = v
			}
		}
	}
	scale := roundUp(top)
	var b strings.Builder
	fmt.Fprintf(&b, `<figcaption><b>%s</b><ul class="legend">`, template.HTMLEscapeString(p.Title))
	for i, s := range p.Series {
		last := "–"
		if n := len(s.Values); n > 0 && !math.IsNaN(s.Values[n-1]) {
			last = Short(s.Values[n-1])
		}
		fmt.Fprintf(&b, `<li class="s%d">%s <b>%s</b></li>`, i+1, template.HTMLEscapeString(s.Name), last)
	}
	fmt.Fprintf(&b, `</ul></figcaption><div class="plot"><span class="top">%s%s</span>`, Short(scale), template.HTMLEscapeString(p.Unit))
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s: at most %s%s">`,
		plotWidth, plotHeight, template.HTMLEscapeString(p.Title), Short(top), template.HTMLEscapeString(p.Unit))
	for _, y := range []int{1, plotHeight / 2, plotHeight - 1} {
		fmt.Fprintf(&b, `<line class="grid" x1="0" x2="%d" y1="%d" y2="%d"/>`, plotWidth, y, y)
	}
	for i, s := range p.Series {
		for _, points := range p.lines(s.Values, scale) {
			fmt.Fprintf(&b, `<polyline class="s%d" points="%s"/>`, i+1, points)
		}
	}
	fmt.Fprintf(&b, `</svg><span class="from">%s</span><span class="to">%s</span></div>`, template.HTMLEscapeString(p.From), template.HTMLEscapeString(p.To))
	return template.HTML(b.String())
}

// lines are the points of a series, in pieces where it has gaps.
func (p Plot) lines(values []float64, scale float64) []string {
	var pieces []string
	var points []string
	end := func() {
		if len(points) > 1 {
			pieces = append(pieces, strings.Join(points, " "))
		}
		points = nil
	}
	for i, v := range values {
		if math.IsNaN(v) {
			end()
			continue
		}
		x := float64(plotWidth) * float64(i) / float64(max(1, len(values)-1))
		y := 1 + (plotHeight-2)*(1-v/scale)
		points = append(points, strconv.FormatFloat(x, 'f', 0, 64)+","+strconv.FormatFloat(y, 'f', 1, 64))
	}
	end()
	return pieces
}

// roundUp is the least of 1, 2, 5, 10, 20, … that is not below v, so that a plot does not rescale at each value.
func roundUp(v float64) float64 {
	if v <= 1 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if f*unit >= v {
			return f * unit
		}
	}
	return 10 * unit
}

// Short writes a number for people in at most five characters: 0.4, 17, 1,234, 12k, 1.7M.
func Short(v float64) string {
	switch {
	case v >= 999_500:
		return trim(v/1e6) + "M"
	case v >= 9_999.5:
		return trim(v/1e3) + "k"
	case v >= 999.5:
		n := int(math.Round(v))
		return fmt.Sprintf("%d,%03d", n/1000, n%1000)
	}
	return trim(v)
}

// trim writes a number with one decimal where that says something.
func trim(v float64) string {
	if v < 10 && v != math.Trunc(v) {
		return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

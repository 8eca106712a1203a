package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
)

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", -0.0001: "0", 50000: "50,000", 1234567.5: "1,234,567.5", 999: "999", -1200: "-1,200", 0.25: "0.25", 1.0004: "1", 100: "100",
	} {
		if got := number(v); got != want {
			t.Errorf("%v: got %q, want %q", v, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	style := NewChart("", "", "").X.Tick.Label
	narrow := style.Width("10 connections") + 1
	for _, tt := range []struct {
		s    string
		most vg.Length
		want string
	}{
		{"10 connections 4 KiB", narrow, "10 connections\n4 KiB"},
		{"10 connections\n4 KiB", narrow, "10 connections\n4 KiB"},
		{"10 connections 4 KiB", 1000, "10 connections 4 KiB"},
		{"Donaudampfschiffahrt", 10, "Donaudampfschiffahrt"},
		{"", 10, ""},
	} {
		if got := wrap(tt.s, style, tt.most); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.s, got, tt.want)
		}
	}
}

// Whoever looks at an SVG may lack the font it was laid out with: no text may be left in it to be set anew.
func TestTextIsOutlines(t *testing.T) {
	dir := t.TempDir()
	if err := Lines(dir, "a", "Title", "x", "y", []Series{{Name: "naïve – ≥ 3 µs", X: []float64{0, 1}, Y: []float64{1, 2}}}); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(filepath.Join(dir, "a.svg"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(svg), "<text") {
		t.Error("the SVG has text in it")
	}
	// Title, axes, ticks and the legend's line have more letters than this many paths would do without.
	if n := strings.Count(string(svg), "<path"); n < 10 {
		t.Errorf("%d paths: the text is missing", n)
	}
}

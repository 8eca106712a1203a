package report

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPlotsAreWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "plots")
	if err := Bars(dir, "bars", "title", "1/s", []string{"a", "b"}, []Series{{Name: "x", Y: []float64{1, 2}}, {Name: "y", Y: []float64{3, 4}}}); err != nil {
		t.Fatal(err)
	}
	if err := Lines(dir, "lines", "title", "s", "MiB", []Series{{Name: "x", X: []float64{0, 1, 2}, Y: []float64{5, 6, 5}}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bars.svg", "bars.png", "lines.svg", "lines.png"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package report

import (
	"math"
	"testing"
)

func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		name  string
		holds *bool
		want  string
	}{{"no target", nil, ""}, {"reached", new(true), "holds"}, {"not reached", new(false), "missed"}} {
		if got := (Row{Holds: tt.holds}).Verdict(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestSample(t *testing.T) {
	tests := []struct {
		name           string
		sample         Sample
		median, spread float64
	}{
		{"empty", nil, 0, 0},
		{"one", Sample{4}, 4, 0},
		{"odd", Sample{9, 1, 4}, 4, 2},
		{"even", Sample{8, 2, 4, 6}, 5, 1.2},
		{"zeros", Sample{0, 0, 0}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.sample.Median(); got != tt.median {
				t.Errorf("median: got %v, want %v", got, tt.median)
			}
			if got := tt.sample.Spread(); math.Abs(got-tt.spread) > 1e-9 {
				t.Errorf("spread: got %v, want %v", got, tt.spread)
			}
		})
	}
}

package mxsend

import (
	"testing"
	"time"
)

func TestHistogram(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("median of nothing: %v", got)
	}
	for range 98 {
		h.add(3 * time.Millisecond)
	}
	h.add(-time.Second)
	h.add(1000 * time.Hour)
	tests := []struct {
		q    float64
		want time.Duration
	}{
		{0.01, 250 * time.Microsecond},
		{0.5, 4 * time.Millisecond},
		{0.99, 4 * time.Millisecond},
		{1, histogramFirst << 24},
	}
	for _, test := range tests {
		if got := h.Quantile(test.q); got != test.want {
			t.Errorf("quantile %v: got %v, want %v", test.q, got, test.want)
		}
	}
	if want := 98*3*time.Millisecond + 1000*time.Hour; h.Sum != want {
		t.Errorf("sum %v, want %v", h.Sum, want)
	}
	if h.Count() != 100 {
		t.Errorf("counted %d", h.Count())
	}
}

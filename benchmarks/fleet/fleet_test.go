package main

import (
	"math"
	"testing"
	"time"
)

func TestJain(t *testing.T) {
	for _, tt := range []struct {
		name string
		of   []int
		want float64
	}{
		{"nobody", nil, 0}, {"nothing", []int{0, 0}, 0}, {"equal", []int{3, 3, 3}, 1}, {"one has all", []int{9, 0, 0}, 1.0 / 3}, {"uneven", []int{1, 3}, 0.8},
	} {
		if got := jain(tt.of); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestNever(t *testing.T) {
	got := never([]float64{3, -1, 0}, seconds(time.Minute))
	if got[0] != 3 || got[1] != 60 || got[2] != 0 {
		t.Errorf("got %v", got)
	}
}

func TestQuantile(t *testing.T) {
	for _, tt := range []struct{ q, want float64 }{{0, 1}, {0.5, 3}, {0.99, 4}, {1, 4}} {
		if got := quantile([]float64{4, 1, 3, 2}, tt.q); got != tt.want {
			t.Errorf("%v: got %v, want %v", tt.q, got, tt.want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("of nothing: got %v", got)
	}
}

func TestBusiest(t *testing.T) {
	var l lookups
	for _, at := range []time.Duration{0, 0, 0, 70 * time.Second, 71 * time.Second, 71 * time.Second, 73 * time.Second} {
		l.note(at)
	}
	if most, all := l.busiest(time.Minute); most != 3 || all != 4 {
		t.Errorf("got %d of %d, want 3 of 4", most, all)
	}
}

func TestChoose(t *testing.T) {
	for _, tt := range []struct {
		only string
		want int // −1: refused
	}{{"", len(cases())}, {"one", 1}, {"crowd,few", 2}, {"crowds", -1}, {"one,", -1}} {
		got, err := choose(tt.only)
		if (err != nil) != (tt.want < 0) || err == nil && len(got) != tt.want {
			t.Errorf("-case %q: got %d, %v, want %d", tt.only, len(got), err, tt.want)
		}
	}
}

func TestRow(t *testing.T) {
	for _, tt := range []struct {
		value  float64
		wanted wanted
		want   string
	}{{95, atLeast(95), "holds"}, {94, atLeast(95), "missed"}, {30, atMost(30), "holds"}, {31, atMost(30), "missed"}, {1, none, ""}} {
		if got := row("a", "s", tt.value, tt.wanted).Verdict(); got != tt.want {
			t.Errorf("%v, %s: got %q, want %q", tt.value, tt.wanted.text, got, tt.want)
		}
	}
}

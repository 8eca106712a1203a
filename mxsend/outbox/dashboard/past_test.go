package dashboard

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/outbox"
)

// The rate is that of the last ten seconds, whatever was before, and is never negative.
func TestRate(t *testing.T) {
	begin := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	look := func(pairs ...int) *past {
		p := &past{}
		for i := 0; i < len(pairs); i += 2 {
			p.add(begin.Add(time.Duration(pairs[i])*time.Second), int64(pairs[i+1]))
		}
		return p
	}
	for name, tt := range map[string]struct {
		p    *past
		want float64
	}{
		"never":         {look(), math.NaN()},
		"once":          {look(0, 100), math.NaN()},
		"twice":         {look(0, 100, 2, 120), 10},
		"long between":  {look(0, 0, 300, 3000), 10},
		"last ten only": {look(0, 0, 1, 5000, 11, 5020), 2},
		"back":          {look(0, 100, 1, 50), 0},
	} {
		if got := tt.p.rate(); got != tt.want && !(math.IsNaN(got) && math.IsNaN(tt.want)) {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
	p := &past{}
	for i := range 5000 {
		p.add(begin.Add(time.Duration(i)*time.Second), int64(20*i))
		p.add(begin.Add(time.Duration(i)*time.Second+time.Millisecond), int64(20*i+7)) // of the same second
	}
	if n := len(p.moments); n > 610 || p.rate() != 20 {
		t.Errorf("%d moments are kept, rate %v", n, p.rate())
	}
}

// A point stays what it is as it moves to the left; short gaps are filled, long ones are not drawn over.
func TestPlot(t *testing.T) {
	begin := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	p := &past{}
	last := func(n int) string {
		values := p.plot().Series[0].Values
		return fmt.Sprint(len(values), values[len(values)-n:])
	}
	if got := last(2); got != "120 [NaN NaN]" {
		t.Errorf("at first: %s", got)
	}
	for i := range 21 {
		p.add(begin.Add(time.Duration(i)*time.Second), int64(i*i))
	}
	if got := last(5); got != "120 [NaN 5 15 25 35]" {
		t.Errorf("after 20 s: %s", got)
	}
	p.add(begin.Add(23*time.Second), 1000) // the step is not over
	if got := last(5); got != "120 [NaN 5 15 25 35]" {
		t.Errorf("after 23 s: %s", got)
	}
	p.add(begin.Add(35*time.Second), 1120) // nobody looked for 12 s
	if got := last(4); got != "120 [35 200 10 10]" {
		t.Errorf("after a short gap: %s", got)
	}
	p.add(begin.Add(95*time.Second), 5000)
	p.add(begin.Add(100*time.Second), 5005)
	if got := last(3); got != "120 [NaN NaN 1]" {
		t.Errorf("after a long gap: %s", got)
	}
}

func TestFigures(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0 s", 100 * time.Millisecond: "1 s", 59 * time.Second: "59 s", time.Minute: "1 min", 90 * time.Minute: "1 h 30", 1439 * time.Minute: "23 h 59", 50 * time.Hour: "2 days"} {
		if got := span(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1_700_000: "1,700,000", -1000: "-1,000", 999_999: "999,999"} {
		if got := number(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
	for _, tt := range []struct {
		all, pending int64
		percent      string
	}{{0, 0, "0%"}, {10, 10, "0%"}, {1_700_000, 1, "99.9%"}, {1_700_000, 0, "100%"}, {3, 1, "66.7%"}, {1_700_000, 1_699_999, "0%"}} {
		f := figuresOf(outbox.Status{State: outbox.Running, Recipients: tt.all, Outcomes: map[outbox.Outcome]int64{outbox.Pending: tt.pending, outbox.Accepted: tt.all - tt.pending}})
		if got := f.Percent(); got != tt.percent {
			t.Errorf("%d of %d: got %s, want %s", tt.pending, tt.all, got, tt.percent)
		}
		f.pace(100)
		if want := map[int64]string{0: "retries", 1: "1 s", 10: "1 s", 1_699_999: "4 h 43"}[tt.pending]; f.Left != want {
			t.Errorf("%d left: got %s, want %s", tt.pending, f.Left, want)
		}
		f.pace(math.NaN())
	}
}

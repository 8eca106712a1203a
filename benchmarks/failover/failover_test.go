package main

import (
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
)

// testLoad has a mail over p1 every 10 ms for a second, over p2 every 20 ms for the
// second after, and one in doubt.
func testLoad() *load {
	l := &load{}
	for i := range 150 {
		e := event{at: time.Duration(i) * 10 * time.Millisecond, relay: "p1", took: time.Duration(i) * time.Millisecond, outcome: mxsend.Accepted}
		if i >= 100 {
			e.at, e.relay = time.Second+time.Duration(i-100)*20*time.Millisecond, "p2"
		}
		l.events = append(l.events, e)
	}
	l.events = append(l.events, event{at: time.Second, relay: "p1", outcome: mxsend.InDoubt})
	return l
}

func TestLoad(t *testing.T) {
	l := testLoad()
	all := l.times(func(event) bool { return true })
	for _, tt := range []struct {
		name      string
		got, want float64
	}{
		{"rate of the first second", l.rate(0, time.Second), 100},
		{"rate of both", l.rate(0, 2*time.Second), 75},
		{"share of p1", l.share("p1", 0, 2*time.Second), 100 * 100 / 150.0},
		{"share of nothing", l.share("p1", 5*time.Second, 6*time.Second), 0},
		{"in doubt", l.count(mxsend.InDoubt), 1},
		{"in doubt or accepted", l.count(mxsend.InDoubt, mxsend.Accepted), 151},
		{"median", quantile(all, 0.5), 75},
		{"p99", quantile(all, 0.99), 148},
		{"slowest", quantile(all, 1), 149},
		{"quantile of nothing", quantile(nil, 0.5), 0},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	s := l.series("p2", "p2", 2*time.Second)
	if len(s.X) != 8 || s.X[0] != 0.125 || s.Y[0] != 0 || s.Y[4] != 52 {
		t.Errorf("series %v, %v", s.X, s.Y)
	}
}

func TestReaches(t *testing.T) {
	after := func(d time.Duration) func(time.Duration) bool {
		return func(at time.Duration) bool { return at >= d }
	}
	for _, tt := range []struct{ holds, want time.Duration }{
		{0, 0}, {time.Second, 0}, {3 * time.Second, 2 * time.Second}, {time.Hour, 5 * time.Second},
	} {
		if got := reaches(time.Second, 5*time.Second, after(tt.holds)); got != tt.want {
			t.Errorf("holds from %v: got %v, want %v", tt.holds, got, tt.want)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, tt := range []struct {
		names string
		want  int
	}{{"", 5}, {"hole", 2}, {"alone", 1}, {"off,slow", 3}, {"nothing", -1}, {"off,", -1}} {
		got, err := choose(tt.names)
		if (err != nil) != (tt.want < 0) || err == nil && (len(got) != tt.want || got[0].name != alone) {
			t.Errorf("-case %q: got %d cases, %v, want %d", tt.names, len(got), err, tt.want)
		}
	}
}

func TestOutcomeAdd(t *testing.T) {
	var all outcome
	for i := range 3 {
		var o outcome
		o.figure("a", rate, float64(i), anything)
		o.figure("b", mails, 0, none())
		all.add(o)
	}
	if len(all.figures) != 2 || len(all.figures[1].values) != 3 || all.figures[0].values.Median() != 1 {
		t.Errorf("got %+v", all.figures)
	}
}

// A rate is judged by its ratio to one relay alone, everything else by its value.
func TestRows(t *testing.T) {
	for _, tt := range []struct {
		name    string
		unit    string
		value   float64
		wanted  wanted
		target  string
		verdict string
	}{
		{"rate, enough", rate, 360, atLeast(0.9), "≥ 0.90", "holds"},
		{"rate, too low", rate, 359, atLeast(0.9), "≥ 0.90", "missed"},
		{"rate, explains", rate, 800, anything, "", ""},
		{"value, just", mails, 16, atMost(16), "≤ 16", "holds"},
		{"value, too much", mails, 17, atMost(16), "≤ 16", "missed"},
		{"did not happen", mails, 0, none(), "0", "holds"},
		{"happened", mails, 1, none(), "0", "missed"},
		{"for the reader", millis, 30, roughly("as alone"), "as alone", ""},
	} {
		var o outcome
		o.figure(tt.name, tt.unit, tt.value, tt.wanted)
		rows := o.rows("case", 400)
		if row := rows[0]; row.Name != "case: "+tt.name || row.Value != tt.value || row.Target != tt.target || row.Verdict() != tt.verdict || (row.Ratio != nil) != (tt.unit == rate) {
			t.Errorf("%s: got %+v, %q, want target %q, %q", tt.name, row, row.Verdict(), tt.target, tt.verdict)
		}
		if cells := o.table("title", rows).Rows[0]; cells[0] != tt.name || cells[len(cells)-1] != tt.verdict {
			t.Errorf("%s: got cells %q", tt.name, cells)
		}
	}
}

func TestOffWeight(t *testing.T) {
	for share, want := range map[float64]float64{50: 0, 47.5: 5, 52.5: 5, 0: 100} {
		if got := offWeight(share); got != want {
			t.Errorf("%v %%: got %v, want %v", share, got, want)
		}
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// At the small scale the model shows what real Postfix 3.7 showed.
func TestSmallScaleIsPostfix(t *testing.T) {
	without, with := small(0), small(2)
	const postfix = 2.68
	if got := without.After.Median; math.Abs(got-postfix) > postfix/4 {
		t.Errorf("without graveyards, after the first pass: median %.2f s, want %.2f s within a quarter", got, postfix)
	}
	if got := with.After; got.Median > 0.05 || got.Max > 0.05 {
		t.Errorf("with graveyards, after the first pass: %+v, want 0.05 s at most", got)
	}
	if a, b := without.During.Median, with.During.Median; b < a*0.75 {
		t.Errorf("during the first pass: median %.1f s without and %.1f s with graveyards, want no gain", a, b)
	}
	if without.Active+without.Deferred != 2000 || with.Active+with.Deferred != 0 {
		t.Errorf("after the first pass the primary has %d and %d mails, want all 2000 and none", without.Active+without.Deferred, with.Active+with.Deferred)
	}
}

// Nothing gets lost in a week: what was submitted was delivered, expired, or waits.
func TestWeekAddsUp(t *testing.T) {
	for _, graveyards := range []int{0, 2} {
		s := scenario{Name: "test", Graveyards: graveyards, Volume: 0.01, Mailings: 2, Dead: 0.02, Full: 0.02, Silence: 30e9, Seed: 1}
		r := s.run()
		t.Logf("%+v", r.Totals)
		if r.Mails != r.Totals.Submitted || r.Totals.Delivered > r.Mails {
			t.Errorf("%d graveyards: %+v", graveyards, r.Totals)
		}
		if r.Totals.Delivered < r.Mails*95/100 {
			t.Errorf("%d graveyards: only %d of %d delivered", graveyards, r.Totals.Delivered, r.Mails)
		}
		if (r.Totals.HandedOver > 0) != (graveyards > 0) || (r.PeakGraveyard > 0) != (graveyards > 0) {
			t.Errorf("%d graveyards: %d handed over, %d deferred there", graveyards, r.Totals.HandedOver, r.PeakGraveyard)
		}
	}
}

func TestSameSeedSameWeek(t *testing.T) {
	s := scenario{Graveyards: 2, Volume: 0.003, Mailings: 1, Dead: 0.02, Full: 0.02, Silence: 30e9, Seed: 5}
	a, b := s.run(), s.run()
	if a.Totals != b.Totals || a.Median != b.Median || a.Max != b.Max {
		t.Errorf("got %+v, then %+v", a.Totals, b.Totals)
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	if err := run([]string{"-json", "-out", dir, "-volume", "0.003", "-mailings", "1"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var o output
	if err := json.Unmarshal(out.Bytes(), &o); err != nil {
		t.Fatal(err)
	}
	if len(o.Small) != 2 || len(o.Weeks) != 2 || o.Weeks[1].Mails == 0 {
		t.Errorf("got %+v", o)
	}
	for _, name := range []string{"delay.svg", "delay.png", "queues.svg", "queues.png", "0 graveyards.csv", "2 graveyards.csv"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() < 1000 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestBadArguments(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-volume", "0"}, "-volume 0: above 0"}, {[]string{"-mailings", "9"}, "-mailings 9: 1 to 4"}, {[]string{"-dead", "2"}, "shares"},
		{[]string{"-pace", "-1"}, "cannot be negative"}, {[]string{"x"}, `unknown argument "x"`}, {[]string{"-graveyards", "3"}, "-graveyards 3"},
	} {
		if err := run(tt.args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %s", tt.args, err, tt.want)
		}
	}
}

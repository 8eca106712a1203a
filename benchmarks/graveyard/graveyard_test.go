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

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
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
	var out, errs bytes.Buffer
	args := []string{"-json", "-plots", dir, "-csv", dir, "-volume", "0.003", "-mailings", "1"}
	if code := newProgram().Exit(t.Context(), args, &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	var r report.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if mails, ok := r.Row("a week, 2 graveyards: mails"); !ok || mails.Value == 0 || len(r.Tables) != 2 || len(r.Plots) != 2 {
		t.Errorf("got %+v", r)
	}
	for _, name := range []string{
		"graveyard-delay.svg", "graveyard-delay.png", "graveyard-queues.svg", "graveyard-queues.png",
		"0 graveyards.csv", "2 graveyards.csv",
	} {
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
		{[]string{"-pace", "-1"}, "cannot be negative"}, {[]string{"x"}, `unexpected argument "x"`}, {[]string{"-graveyards", "3"}, "-graveyards 3"},
	} {
		var errs bytes.Buffer
		if code := newProgram().Exit(t.Context(), tt.args, io.Discard, &errs); code != 2 || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("%q: got exit code %d and %s, want 2 and %s", tt.args, code, &errs, tt.want)
		}
	}
}

package outbox

import (
	"slices"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
)

func TestShare(t *testing.T) {
	for _, test := range []struct {
		room        int
		wants, want []int
	}{
		{0, []int{5, 5}, []int{0, 0}},
		{-3, []int{5}, []int{0}},
		{10, []int{}, []int{}},
		{10, []int{0, 0}, []int{0, 0}},
		{10, []int{20, 20}, []int{5, 5}},
		{10, []int{2, 20}, []int{2, 8}},
		{10, []int{2, 3}, []int{2, 3}},
		{1, []int{4, 4, 4}, []int{1, 0, 0}},
		{11, []int{4, 0, 100}, []int{4, 0, 7}},
	} {
		if got := share(test.room, test.wants); !slices.Equal(got, test.want) {
			t.Errorf("share(%d, %v) = %v, want %v", test.room, test.wants, got, test.want)
		}
	}
}

func TestWindow(t *testing.T) {
	w := leastWindow
	for range 20 {
		w = nextWindow(w, true, 1000)
	}
	if w != 1000 {
		t.Errorf("who starves gets to %d, want the gate's 1000", w)
	}
	for range 1000 {
		w = nextWindow(w, false, 1000)
	}
	if w > 32 {
		t.Errorf("who never starves stays at %d", w)
	}
	if got := nextWindow(leastWindow, true, 1); got != leastWindow {
		t.Errorf("a gate of 1 gives a window of %d", got)
	}
}

func TestMembers(t *testing.T) {
	done := func(n int64) row { return row{n: n, round: 1, outcome: Accepted} }
	later := func(n, round, due int64) row { return row{n: n, round: round, due: due, tries: 1, outcome: Deferred} }
	numbers := func(ms []member) (ns []int64) {
		for _, m := range ms {
			ns = append(ns, m.n)
		}
		return ns
	}
	for _, test := range []struct {
		name       string
		span       span
		rows       []row
		open, todo []int64
	}{
		{"untouched", span{lo: 2, hi: 5, opened: 2, round: 1}, nil, nil, []int64{2, 3, 4}},
		{"half opened, one result", span{lo: 0, hi: 5, opened: 3, round: 1}, []row{done(1)}, []int64{0, 2}, []int64{3, 4}},
		{"deferred in this round is not open", span{lo: 0, hi: 3, opened: 3, round: 1}, []row{done(0), later(1, 1, 50), done(2)}, nil, nil},
		{"second round takes what is due", span{lo: 0, hi: 4, opened: 0, round: 2, due: 60}, []row{done(0), later(1, 1, 50), done(2), later(3, 1, 70)}, nil, []int64{1}},
		{"second round, opened", span{lo: 0, hi: 3, opened: 2, round: 2, due: 60}, []row{later(0, 1, 50), later(1, 2, 90), later(2, 1, 50)}, []int64{0}, []int64{2}},
		{"a duplicate in the list has a result already", span{lo: 0, hi: 3, opened: 0, round: 1}, []row{{n: 1, round: 1, outcome: Skipped}}, nil, []int64{0, 2}},
	} {
		open, todo := test.span.members(test.rows)
		if !slices.Equal(numbers(open), test.open) || !slices.Equal(numbers(todo), test.todo) {
			t.Errorf("%s: open %v, todo %v; want %v, %v", test.name, numbers(open), numbers(todo), test.open, test.todo)
		}
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct{ n, canary, slices, largest int64 }{
		{0, 0, 0, 0}, {1, 0, 1, 1}, {100, 0, 1, 100}, {101, 0, 2, 100}, {20_000, 0, 65, 312}, {1_700_000, 0, 850, 2000},
		{1000, 30, 11, 100}, {1000, 100, 10, 100}, {1000, 150, 11, 100}, {10, 10, 1, 10},
	} {
		begins := cut(test.n, test.canary)
		largest := int64(0)
		cutAtCanary := test.canary == 0 || test.canary == test.n
		for i, lo := range begins {
			hi := test.n
			if i+1 < len(begins) {
				hi = begins[i+1]
			}
			largest = max(largest, hi-lo)
			cutAtCanary = cutAtCanary || hi == test.canary
		}
		if int64(len(begins)) != test.slices || largest != test.largest || !cutAtCanary {
			t.Errorf("cut(%d, %d) = %v", test.n, test.canary, begins)
		}
	}
}

func TestJudge(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	retry := []time.Duration{time.Minute, time.Hour}
	one := func(o mxsend.Outcome) mxsend.RecipientResult {
		return mxsend.RecipientResult{Outcome: o, Relay: "p1", QueueID: "Q\x00"}
	}
	for _, test := range []struct {
		name    string
		in      mxsend.RecipientResult
		tries   int64
		retry   []time.Duration
		outcome Outcome
		after   int64 // of the result
		due     bool
	}{
		{"accepted", one(mxsend.Accepted), 0, retry, Accepted, 0, false},
		{"rejected", one(mxsend.Rejected), 1, retry, Rejected, 1, false},
		{"in doubt", one(mxsend.InDoubt), 0, retry, InDoubt, 0, false},
		{"deferred", one(mxsend.Deferred), 0, retry, Deferred, 1, true},
		{"deferred, last round", one(mxsend.Deferred), 2, retry, Deferred, 3, false},
		{"deferred, no rounds wanted", one(mxsend.Deferred), 0, []time.Duration{}, Deferred, 1, false},
		{"deferred, cut off", one(mxsend.Deferred), 0, nil, Deferred, 0, true},
		{"not attempted does not count", one(mxsend.NotAttempted), 2, retry, NotAttempted, 2, true},
	} {
		got := judge(test.in, now, test.tries, false, test.retry)
		if got.outcome != test.outcome || got.tries != test.after || (got.due > now.UnixMilli()) != test.due || got.relay != "p1" || got.queueID != "Q\ufffd" {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

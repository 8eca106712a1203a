package mxsend

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// What a client without a connection does after each 421, and one with some.
func TestCrowdRefuse(t *testing.T) {
	var w crowd
	for i, want := range []time.Duration{250, 250, 500, 500, 1000, 1000, 2000, 2000, 4000, 4000, 4000, 4000} {
		wait, first := w.refuse(pickNow, 0, 0.5)
		if wait != want*time.Millisecond || first != (i == 0) {
			t.Errorf("refusal %d: wait %v, first %v; want %v", i+1, wait, first, want*time.Millisecond)
		}
	}
	if w.limit != 0 {
		t.Errorf("limit %d where nothing was open", w.limit)
	}
	for _, tt := range []struct{ open, limit int }{{1, 1}, {2, 1}, {3, 2}, {4, 3}, {5, 4}, {8, 6}, {10, 7}} {
		var w crowd
		if wait, _ := w.refuse(pickNow, tt.open, 0.5); wait != 0 || w.limit != tt.limit {
			t.Errorf("%d open: limit %d, wait %v, want %d and none", tt.open, w.limit, wait, tt.limit)
		}
		w.refuse(pickNow.Add(100*time.Millisecond), tt.limit, 0.5)
		if w.limit != tt.limit {
			t.Errorf("%d open: one event cost twice: limit %d", tt.open, w.limit)
		}
		if w.mayOpen(pickNow.Add(200*time.Millisecond), tt.limit, 0) {
			t.Errorf("%d open: it asks again at once", tt.open)
		}
	}
}

// One connection at a time where nothing is known, or the relay is crowded.
func TestCrowdMayOpen(t *testing.T) {
	crowded := crowd{until: pickNow.Add(time.Second)}
	for _, tt := range []struct {
		w             crowd
		open, opening int
		want          bool
	}{
		{crowd{}, 0, 0, true},
		{crowd{}, 0, 1, false},
		{crowd{}, 3, 2, true},
		{crowd{}, 3, 3, true},
		{crowd{}, 3, 4, false}, // more would all go to the relay that greeted first
		{crowded, 3, 0, true},
		{crowded, 3, 1, false},
		{crowd{openAt: pickNow.Add(1)}, 3, 0, false},
		{crowd{until: pickNow}, 3, 2, true},
	} {
		if got := tt.w.mayOpen(pickNow, tt.open, tt.opening); got != tt.want {
			t.Errorf("%+v, %d open, %d being opened: %v", tt.w, tt.open, tt.opening, got)
		}
	}
}

// A connection is given back at its age; where others wait for it, soon.
func TestCrowdRetires(t *testing.T) {
	const age = 300 * time.Second
	var w crowd
	if got := w.retireAt(pickNow, pickNow, age, 0.5); !got.Equal(pickNow.Add(age)) {
		t.Errorf("not crowded: %v", got.Sub(pickNow))
	}
	if got := w.idleFor(pickNow, 5*time.Second); got != 5*time.Second {
		t.Errorf("idle for %v", got)
	}
	w.sign(pickNow)
	old := pickNow.Add(-time.Minute)
	for _, random := range []float64{0, 0.5, 0.999} {
		if got := w.retireAt(pickNow, old, age, random).Sub(pickNow); got < crowdHoldLeast || got > crowdHoldMost {
			t.Errorf("an old connection: %v after the crowd came", got)
		}
		if got := w.retireAt(pickNow, pickNow, time.Second, random).Sub(pickNow); got > 1200*time.Millisecond {
			t.Errorf("of an age of 1 s: %v", got)
		}
	}
	if got := w.idleFor(pickNow, 5*time.Second); got != crowdIdle {
		t.Errorf("idle for %v in a crowd", got)
	}
	if w.crowded(pickNow.Add(crowdLasts)) {
		t.Error("crowded for ever")
	}
}

// Who has all that it wants asks now and then whether the relay is crowded.
func TestCrowdRenews(t *testing.T) {
	var w crowd
	w.opened(pickNow)
	later := pickNow.Add(2 * crowdRenew)
	if w.renew(pickNow.Add(crowdRenew/2), 2, 0.5) {
		t.Error("renewed too soon")
	}
	if w.renew(later, 1, 0.5) {
		t.Error("renewed the only one")
	}
	if !w.renew(later, 2, 0.5) || w.renew(later, 2, 0.5) {
		t.Error("want one connection renewed, and no other")
	}
}

// The limit of a 421 goes up by and by, and away with the crowd.
func TestCrowdEases(t *testing.T) {
	var w crowd
	w.refuse(pickNow, 8, 0.5)
	if w.ease(pickNow.Add(crowdEase-1)) || !w.ease(pickNow.Add(crowdEase)) || w.limit != 7 {
		t.Errorf("limit %d", w.limit)
	}
	if !w.ease(pickNow.Add(crowdLasts)) || w.limit != 0 {
		t.Errorf("limit %d once it is over", w.limit)
	}
}

// Who waited for its only connection makes do with it, and leaves the relay to
// others afterwards; who did not wait does not.
func TestCrowdTakesTurns(t *testing.T) {
	var w crowd
	w.refuse(pickNow, 0, 0.5)
	in := pickNow.Add(3 * time.Second)
	w.opened(in)
	if w.limit != 1 || w.ease(in.Add(2*time.Second)) {
		t.Errorf("limit %d", w.limit)
	}
	out := in.Add(5 * time.Second)
	w.left(out, 0, 0.5)
	if w.mayOpen(out.Add(2*time.Second), 0, 0) || !w.mayOpen(out.Add(crowdPauseMost*2), 0, 0) {
		t.Errorf("asks again after %v", w.openAt.Sub(out))
	}
	w = crowd{}
	w.left(out, 0, 0.5)
	if !w.mayOpen(out, 0, 0) {
		t.Error("no crowd, and yet it waits")
	}
}

// A relay that has more clients than sessions is no ill relay: clients take turns,
// none is starved, nothing is ejected, and the newcomer gets its share. Saturated
// connections are given back, too.
func TestCrowdShares(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit func(*mxtest.Config)
	}{
		{"421", func(cfg *mxtest.Config) { cfg.Limits.Connections = 6 }},
		{"waiting", func(cfg *mxtest.Config) {
			cfg.Relay = func(string) mxtest.RelayConfig { return mxtest.RelayConfig{InFlowDelay: -1, SMTPDProcessLimit: 6} }
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := mxtest.Config{Primaries: 1, Memory: true, KeepContent: -1, Limits: mxtest.Limits{Accept: 100 * time.Millisecond}}
				tt.limit(&cfg)
				cluster := mxtest.NewCluster(t, cfg)
				const clients = 12
				var accepted [clients]int
				done := make(chan struct{}, clients)
				end := time.Now().Add(3 * time.Minute)
				for i := range clients {
					c, err := New(Config{Domain: cluster.Domain(), Resolver: NewResolverVia(cluster.Dial, cluster.DNSAddr()), Dial: cluster.Dial, TLS: TLSDisabled, LocalName: "app.test", Logger: discard})
					if err != nil {
						t.Fatal(err)
					}
					go func() {
						for r := range c.SendAll(t.Context(), func(yield func(*Message) bool) {
							for n := 0; time.Now().Before(end) && yield(testMessage(10_000*i+n)); n++ {
							}
						}) {
							if r.Err != nil {
								t.Errorf("client %d: %v", i, r.Err)
							} else if time.Now().Before(end) {
								accepted[i]++
							}
						}
						for _, r := range c.Stats().Relays {
							if r.Ejections > 0 {
								t.Errorf("client %d put the relay out: %s", i, r.Reason)
							}
						}
						_ = c.Close()
						done <- struct{}{}
					}()
				}
				for range clients {
					<-done
				}
				const capacity = 6 * 10 * 180
				sum := 0
				for i, n := range accepted {
					sum += n
					if fair := capacity / clients; n < fair/4 {
						t.Errorf("client %d had %d accepted, fair were %d: %v", i, n, fair, accepted)
					}
				}
				if sum < capacity*8/10 {
					t.Errorf("%d accepted of %d", sum, capacity)
				}
				cluster.Ledger().AssertNothingLost(t)
			})
		})
	}
}

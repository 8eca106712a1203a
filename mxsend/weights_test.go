package mxsend

import (
	"context"
	"net/netip"
	"testing"
	"time"
)

// Under full load every relay is at its limit, and shares follow the limits: so a
// limit that goes down must be kept to by the connections that are open already,
// and soon.
func TestWeightsChangeUnderLoad(t *testing.T) {
	slow := func(_ *Config, rs []*testRelay) {
		for _, r := range rs {
			r.delay = 20 * time.Millisecond
		}
	}
	for _, tt := range []struct {
		name   string
		relays int
		change func(*Config, []*testRelay)
		act    func(*testSetup) // after three seconds
		relay  int
		want   float64 // its share, three seconds later
	}{
		{"SetWeights", 2, slow, func(s *testSetup) {
			if err := s.SetWeights(map[string]int{s.relays[0].name: 1, s.relays[1].name: 4}); err != nil {
				s.t.Error(err)
			}
		}, 1, 0.8},
		{"drained", 2, slow, func(s *testSetup) {
			if err := s.SetWeights(map[string]int{s.relays[0].name: 0}); err != nil {
				s.t.Error(err)
			}
		}, 1, 1},
		{"a relay of twice the weight is added", 3, func(cfg *Config, rs []*testRelay) {
			slow(cfg, rs)
			set := &movingRelays{ttl: time.Second, at: time.Now().Add(3 * time.Second)}
			for _, r := range rs {
				set.after = append(set.after, Host{Name: r.name, Addresses: []netip.Addr{netip.MustParseAddr(r.ip)}})
			}
			set.before = set.after[:2]
			cfg.Resolver = set
			cfg.Weights = map[string]int{rs[2].name: 2}
		}, func(*testSetup) {}, 2, 0.5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, tt.relays, tt.change, func(s *testSetup) {
				ctx, cancel := context.WithCancel(s.ctx())
				mailing := make(chan struct{})
				go func() {
					defer close(mailing)
					s.sendAll(ctx, messages(1_000_000))
				}()
				time.Sleep(3 * time.Second)
				tt.act(s)
				time.Sleep(3 * time.Second)
				before := make([]int, tt.relays)
				for i := range before {
					before[i] = s.accepted(i)
				}
				time.Sleep(2 * time.Second)
				all, own := 0, 0
				for i := range before {
					n := s.accepted(i) - before[i]
					all += n
					if i == tt.relay {
						own = n
					}
				}
				if share := float64(own) / float64(all); share < tt.want-0.03 || share > tt.want+0.03 {
					t.Errorf("its share is %.3f, want %.3f: %d of %d", share, tt.want, own, all)
				}
				for _, r := range s.Stats().Relays {
					if r.InFlight > 2*r.BulkLimit {
						t.Errorf("%s has %d in flight, its limit for Bulk is %d connections", r.Name, r.InFlight, r.BulkLimit)
					}
				}
				cancel()
				<-mailing
			})
		})
	}
}

package mxsend

import (
	"net/netip"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

func TestTiers(t *testing.T) {
	inBubble(t, 3, func(cfg *Config, rs []*testRelay) {
		var hosts []Host
		for i, r := range rs {
			hosts = append(hosts, Host{Name: r.name, Preference: 10 * ((i + 1) / 2), Addresses: []netip.Addr{netip.MustParseAddr(r.ip)}})
		}
		cfg.Resolver = StaticRelays(hosts...) // p1 at 0; p2 and p3 at 10
	}, func(s *testSetup) {
		if got := s.sendAll(s.ctx(), messages(500)); got[Accepted] != 500 || s.accepted(0) != 500 {
			t.Errorf("outcomes %v, the first tier took %d", got, s.accepted(0))
		}
		time.Sleep(10 * time.Second)
		s.net.SetHost("10.0.0.1", memnet.Refuse)
		if got := s.sendAll(s.ctx(), from(2000, 500)); got[Accepted] != 500 || s.accepted(1) < 200 || s.accepted(2) < 200 {
			t.Errorf("outcomes %v, the second tier took %d and %d", got, s.accepted(1), s.accepted(2))
		}
		s.net.SetHost("10.0.0.1", memnet.Up)
		time.Sleep(10 * time.Minute)
		before := s.accepted(0)
		if got := s.sendAll(s.ctx(), from(3000, 500)); got[Accepted] != 500 || s.accepted(0)-before < 450 {
			t.Errorf("outcomes %v, the first tier took %d when it was back", got, s.accepted(0)-before)
		}
	})
}

func TestMaxPreference(t *testing.T) {
	inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
		cfg.MaxPreference = 10
		cfg.Resolver = StaticRelays(
			Host{Name: rs[0].name, Preference: 10, Addresses: []netip.Addr{netip.MustParseAddr(rs[0].ip)}},
			Host{Name: rs[1].name, Preference: 20, Addresses: []netip.Addr{netip.MustParseAddr(rs[1].ip)}})
	}, func(s *testSetup) {
		s.net.SetHost("10.0.0.1", memnet.Refuse)
		r, _ := s.send(testMessage(1))
		s.want(r, Deferred)
		if s.relays[1].conns != 0 {
			t.Error("a relay over MaxPreference was used")
		}
	})
}

func TestWeights(t *testing.T) {
	inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
		cfg.Weights = map[string]int{"P1.relays.test.": 3}
	}, func(s *testSetup) {
		for i := range 400 { // one at a time: exact shares
			s.wantAccepted(i)
		}
		if a, b := s.accepted(0), s.accepted(1); a < 295 || a > 305 {
			t.Errorf("shares %d and %d of weights 3 and 1", a, b)
		}
		if err := s.SetWeights(map[string]int{"p1.relays.test": 0}); err != nil {
			t.Fatal(err)
		}
		before := s.accepted(0)
		if got := s.sendAll(s.ctx(), from(1000, 500)); got[Accepted] != 500 {
			t.Errorf("outcomes %v", got)
		}
		if n := s.accepted(0) - before; n != 0 {
			t.Errorf("a drained relay took %d", n)
		}
		for _, w := range []map[string]int{{"p1.relays.test": -1}, {"p1.relays.test": 1001}} {
			if err := s.SetWeights(w); err == nil {
				t.Errorf("%v is taken", w)
			}
		}
		if err := s.SetWeights(nil); err != nil {
			t.Error(err)
		}
		before = s.accepted(0)
		if got := s.sendAll(s.ctx(), from(2000, 500)); got[Accepted] != 500 || s.accepted(0)-before < 200 {
			t.Errorf("outcomes %v, it took %d after the drain", got, s.accepted(0)-before)
		}
	})
}

// Under full load the shares follow the weights, too.
func TestWeightsUnderLoad(t *testing.T) {
	inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
		cfg.Weights = map[string]int{"p1.relays.test": 4}
		rs[0].delay, rs[1].delay = 10*time.Millisecond, 10*time.Millisecond
	}, func(s *testSetup) {
		if got := s.sendAll(s.ctx(), messages(5000)); got[Accepted] != 5000 {
			t.Errorf("outcomes %v", got)
		}
		if n := s.accepted(0); n < 3700 || n > 4300 {
			t.Errorf("the relay of weight 4 of 5 took %d of 5000", n)
		}
	})
}

package mxsend

import (
	"context"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Faults of the machine, and of what names the relays.
var faultsMachine = []fault{
	{name: "D11", relays: 3, change: func(cfg *Config, rs []*testRelay) {
		for _, r := range rs {
			r.delay = 20 * time.Millisecond
		}
		// p1 and p2 at first; after ten seconds p2 and p3.
		set := &movingRelays{ttl: 5 * time.Second, at: time.Now().Add(10 * time.Second)}
		for i, r := range rs {
			h := Host{Name: r.name, Addresses: []netip.Addr{netip.MustParseAddr(r.ip)}}
			if i < 2 {
				set.before = append(set.before, h)
			}
			if i > 0 {
				set.after = append(set.after, h)
			}
		}
		cfg.Resolver = set
	}, run: func(s *testSetup) {
		count := make(chan [5]int)
		go func() {
			count <- s.sendAll(s.ctx(), func(yield func(*Message) bool) {
				for i := range 6000 {
					if time.Sleep(5 * time.Millisecond); !yield(testMessage(i)) {
						return
					}
				}
			})
		}()
		time.Sleep(9 * time.Second)
		if n := s.accepted(2); n != 0 {
			s.t.Errorf("p3 took %d before it was named", n)
		}
		time.Sleep(8 * time.Second) // a TTL and a refresh after the change
		gone := s.accepted(0)
		second, third := s.accepted(1), s.accepted(2)
		if n := s.relays[0].opened(); n != 0 {
			s.t.Errorf("%d connections to the relay that is gone", n)
		}
		if quits := len(s.relays[0].lines("QUIT")); quits == 0 {
			s.t.Error("no QUIT to the relay that is gone")
		}
		if got := <-count; got[Accepted] != 6000 {
			s.t.Errorf("outcomes %v", got)
		}
		if n := s.accepted(0) - gone; n != 0 {
			s.t.Errorf("the relay that is gone took %d more", n)
		}
		second, third = s.accepted(1)-second, s.accepted(2)-third
		if third*100 < (second+third)*45 {
			s.t.Errorf("the new relay took %d of %d", third, second+third)
		}
	}},
	{name: "E5", relays: 2, change: func(cfg *Config, rs []*testRelay) {
		// What a Resolver says of time may come from a clock that was set: a day
		// back, a day ahead, without the monotonic part.
		cfg.Resolver = &jumpingResolver{hosts: []Host{
			{Name: rs[0].name, Addresses: []netip.Addr{netip.MustParseAddr(rs[0].ip)}},
			{Name: rs[1].name, Addresses: []netip.Addr{netip.MustParseAddr(rs[1].ip)}},
		}}
	}, run: func(s *testSetup) {
		for i := range 100 {
			s.wantAccepted(i)
			time.Sleep(100 * time.Millisecond)
		}
		if n := s.Client.cfg.Resolver.(*jumpingResolver).asked; n > 15 {
			s.t.Errorf("%d lookups in ten seconds", n)
		}
	}},
	{name: "E7", relays: 1, change: func(cfg *Config, rs []*testRelay) {
		rs[0].ehlo = []string{"PIPELINING"}
		rs[0].delay = time.Second
		cfg.Limits.InFlightBytes = 20 << 20
	}, run: func(s *testSetup) {
		const size = 8 << 20
		content := testContentOf(size)
		outstanding, most := 0, 0
		var mu sync.Mutex
		var before runtime.MemStats
		runtime.ReadMemStats(&before)
		for r := range s.SendAll(s.ctx(), func(yield func(*Message) bool) {
			for i := range 20 {
				mu.Lock()
				outstanding++
				most = max(most, outstanding)
				mu.Unlock()
				m := testMessage(i)
				m.Content = content
				if !yield(m) {
					return
				}
			}
		}) {
			mu.Lock()
			outstanding--
			mu.Unlock()
			s.enter(r)
			if r.Err != nil {
				s.t.Error(r.Err)
			}
		}
		if most > 4 { // 20 MiB are full after the third; one more is being asked for
			s.t.Errorf("%d messages of 8 MiB were in flight with 20 MiB allowed", most)
		}
	}},
}

// movingRelays names other relays from a time on.
type movingRelays struct {
	before, after []Host
	at            time.Time
	ttl           time.Duration
}

func (m *movingRelays) LookupRelays(context.Context, string) (Relays, error) {
	now := time.Now()
	hosts := m.before
	if now.After(m.at) {
		hosts = m.after
	}
	return Relays{Hosts: slices.Clone(hosts), Expires: now.Add(m.ttl)}, nil
}

type jumpingResolver struct {
	hosts []Host
	asked int
}

func (j *jumpingResolver) LookupRelays(context.Context, string) (Relays, error) {
	j.asked++
	jump := [...]time.Duration{-24 * time.Hour, time.Second, -time.Hour, 24 * time.Hour}[j.asked%4]
	if j.asked%4 == 3 {
		jump = -24 * time.Hour
	}
	return Relays{Hosts: j.hosts, Expires: time.Now().Round(0).Add(jump)}, nil
}

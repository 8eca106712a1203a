package mxsend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A scriptedResolver answers as a test says, which gets the number of the lookup
// from one on.
type scriptedResolver struct {
	answer func(ctx context.Context, n int) (Relays, error)

	mu    sync.Mutex
	asked int
}

func (r *scriptedResolver) LookupRelays(ctx context.Context, _ string) (Relays, error) {
	r.mu.Lock()
	r.asked++
	n := r.asked
	r.mu.Unlock()
	return r.answer(ctx, n)
}

func (r *scriptedResolver) lookups() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// relaysFor names the relays of a test, for a time.
func relaysFor(ttl time.Duration, rs ...*testRelay) Relays {
	var found Relays
	for _, r := range rs {
		found.Hosts = append(found.Hosts, Host{Name: r.name, Addresses: []netip.Addr{netip.MustParseAddr(r.ip)}})
	}
	if ttl > 0 {
		found.Expires = time.Now().Add(ttl)
	}
	return found
}

// A testLog keeps what was logged.
type testLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *testLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *testLog) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// lines returns those that hold a text.
func (l *testLog) lines(text string) (found []string) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

var errServers = errors.New("SERVFAIL")

func TestFaultsLookup(t *testing.T) {
	type resolver func(rs []*testRelay) func(ctx context.Context, n int) (Relays, error)
	var log *testLog
	var res *scriptedResolver
	var relays []*testRelay
	for _, tt := range []struct {
		name     string
		relays   int
		resolver resolver
		change   func(cfg *Config, rs []*testRelay)
		run      func(s *testSetup)
	}{
		{"D16/removed while idle", 2, func(rs []*testRelay) func(context.Context, int) (Relays, error) {
			return func(ctx context.Context, n int) (Relays, error) {
				if n == 1 {
					return relaysFor(time.Minute, rs[0]), nil
				}
				time.Sleep(100 * time.Millisecond)
				return relaysFor(time.Minute, rs[1]), nil
			}
		}, nil, func(s *testSetup) {
			s.wantAccepted(1)
			time.Sleep(time.Minute)
			var all sync.WaitGroup
			for i := range 50 {
				all.Go(func() { s.wantAccepted(10 + i) })
			}
			all.Wait()
			if got := [2]int{s.accepted(0), s.accepted(1)}; got != [2]int{1, 50} {
				s.t.Errorf("the relays took %v", got)
			}
		}},
		{"D16/removed, and connected all the time", 2, func(rs []*testRelay) func(context.Context, int) (Relays, error) {
			return func(ctx context.Context, n int) (Relays, error) {
				if n > 1 {
					rs = rs[1:2]
				}
				return relaysFor(20*time.Second, rs...), nil
			}
		}, func(cfg *Config, _ []*testRelay) { cfg.Limits.Idle = time.Hour }, func(s *testSetup) {
			s.wantAccepted(1)
			s.wantAccepted(2)
			time.Sleep(21 * time.Second)
			if n := s.relays[0].opened(); n != 0 {
				s.t.Errorf("%d idle connections to the relay that was removed", n)
			}
			taken := s.accepted(0)
			s.wantAccepted(3)
			if n := s.accepted(0); n != taken {
				s.t.Error("it got a message more")
			}
		}},
		{"D16/the new lookup takes long", 1, func(rs []*testRelay) func(context.Context, int) (Relays, error) {
			return func(ctx context.Context, n int) (Relays, error) {
				if n > 1 {
					<-ctx.Done()
					return Relays{}, ctx.Err()
				}
				return relaysFor(time.Minute, rs...), nil
			}
		}, nil, func(s *testSetup) {
			s.wantAccepted(1)
			time.Sleep(2 * time.Minute)
			start := time.Now()
			s.wantAccepted(2)
			s.wantTook(start, lookupWait, lookupWait+time.Second)
			time.Sleep(2 * time.Minute)
			start = time.Now()
			s.wantAccepted(3) // it failed before: nobody waits
			s.wantTook(start, 0, 100*time.Millisecond)
		}},
		{"D15/all drained, and a relay is added", 2, func(rs []*testRelay) func(context.Context, int) (Relays, error) {
			return func(ctx context.Context, n int) (Relays, error) {
				return relaysFor(time.Minute, rs[:min(n, 2)]...), nil
			}
		}, func(cfg *Config, rs []*testRelay) { cfg.Weights = map[string]int{rs[0].name: 0} }, func(s *testSetup) {
			start := time.Now()
			if got := s.sendAll(s.ctx(), messages(100)); got[Accepted] != 100 {
				s.t.Errorf("outcomes %v", got)
			}
			s.wantTook(start, time.Minute, time.Minute+5*time.Second)
		}},
		{"D15/beyond MaxPreference, and a relay is added", 2, func(rs []*testRelay) func(context.Context, int) (Relays, error) {
			return func(ctx context.Context, n int) (Relays, error) {
				found := relaysFor(time.Minute, rs[:min(n, 2)]...)
				found.Hosts[0].Preference = 20
				return found, nil
			}
		}, func(cfg *Config, _ []*testRelay) { cfg.MaxPreference = 10 }, func(s *testSetup) {
			start := time.Now()
			if got := s.sendAll(s.ctx(), messages(100)); got[Accepted] != 100 {
				s.t.Errorf("outcomes %v", got)
			}
			s.wantTook(start, time.Minute, time.Minute+5*time.Second)
		}},
		{"D2: vanished, and the Resolver has the last good answer", 1, func(rs []*testRelay) func(context.Context, int) (Relays, error) {
			return func(ctx context.Context, n int) (Relays, error) {
				found := relaysFor(time.Minute, rs...)
				if n > 1 && n < 5 {
					found.Stale, found.Cause = true, errors.New("no such domain")
				}
				return found, nil
			}
		}, nil, func(s *testSetup) {
			for i := range 8 {
				s.wantAccepted(i)
				time.Sleep(time.Minute)
			}
			if n, m := len(log.lines("no such domain")), len(log.lines("new answer again")); n != 1 || m != 1 {
				s.t.Errorf("%d and %d lines in the log:\n%s", n, m, log)
			}
		}},
		{"D3: a null MX at run time", 1, func(rs []*testRelay) func(context.Context, int) (Relays, error) {
			return func(ctx context.Context, n int) (Relays, error) {
				switch n {
				case 1, 4:
					return relaysFor(time.Minute, rs...), nil
				case 3:
					return Relays{}, errServers
				}
				return Relays{}, fmt.Errorf("%w: null MX", ErrNoRelay)
			}
		}, nil, func(s *testSetup) {
			s.wantAccepted(1)
			time.Sleep(time.Minute)
			start := time.Now()
			r, err := s.send(testMessage(2))
			s.want(r, NotAttempted)
			s.wantErr(err, ErrNoRelay, ErrNotAttempted)
			s.wantTook(start, 0, time.Second)
			time.Sleep(time.Minute)
			start = time.Now()
			r, err = s.send(testMessage(3)) // temporary now, and again it names one
			s.want(r, Accepted)
			s.wantTook(start, 500*time.Millisecond, 5*time.Second)
			if err != nil {
				s.t.Error(err)
			}
			if n := len(log.lines("null MX")); n != 1 {
				s.t.Errorf("log:\n%s", log)
			}
		}},
		{"none named at run time is no null MX", 1, func(rs []*testRelay) func(context.Context, int) (Relays, error) {
			return func(ctx context.Context, n int) (Relays, error) {
				if n > 1 {
					return Relays{}, nil
				}
				return relaysFor(time.Minute, rs...), nil
			}
		}, nil, func(s *testSetup) {
			for i := range 3 {
				s.wantAccepted(i)
				time.Sleep(time.Minute)
			}
		}},
		{"old answers have an end", 1, func(rs []*testRelay) func(context.Context, int) (Relays, error) {
			return func(ctx context.Context, n int) (Relays, error) {
				if n > 1 {
					return Relays{}, errServers
				}
				return relaysFor(time.Minute, rs...), nil
			}
		}, nil, func(s *testSetup) {
			for i := range 23 {
				s.wantAccepted(i)
				time.Sleep(time.Hour)
			}
			time.Sleep(2 * time.Hour)
			r, err := s.send(testMessage(100))
			s.want(r, NotAttempted)
			s.wantErr(err, ErrNoRelay, errServers)
		}},
		{"old answers of the Resolver have an end", 1, func(rs []*testRelay) func(context.Context, int) (Relays, error) {
			return func(ctx context.Context, n int) (Relays, error) {
				found := relaysFor(time.Minute, rs...)
				found.Stale = n > 1
				return found, nil
			}
		}, nil, func(s *testSetup) {
			for i := range 23 {
				s.wantAccepted(i)
				time.Sleep(time.Hour)
			}
			time.Sleep(2 * time.Hour)
			r, err := s.send(testMessage(100))
			s.want(r, NotAttempted)
			s.wantErr(err, ErrNoRelay)
		}},
		{"it never returns", 1, func([]*testRelay) func(context.Context, int) (Relays, error) {
			return func(ctx context.Context, n int) (Relays, error) {
				time.Sleep(10 * time.Hour) // whatever ctx says
				return Relays{}, errServers
			}
		}, nil, func(s *testSetup) {
			start := time.Now()
			r, err := s.send(testMessage(1))
			s.want(r, NotAttempted)
			s.wantErr(err, ErrNoRelay, context.DeadlineExceeded)
			s.wantTook(start, time.Minute, 5*time.Minute)
			start = time.Now()
			_ = s.Close()
			s.wantTook(start, 0, 2*time.Second)
			time.Sleep(10 * time.Hour)
		}},
		{"a sequence that waits, and lookups that fail", 1, func(rs []*testRelay) func(context.Context, int) (Relays, error) {
			return func(ctx context.Context, n int) (Relays, error) {
				if n < 8 {
					return Relays{}, errServers
				}
				return relaysFor(time.Minute, rs...), nil
			}
		}, nil, func(s *testSetup) {
			alarms := 0
			var got [5]int
			for r := range s.SendAll(s.ctx(), func(yield func(*Message) bool) {
				for range 100 { // it waits with nothing queued
					time.Sleep(time.Second)
					s.Client.mu.Lock()
					if wait := time.Until(s.Client.alarmAt); !s.Client.alarmAt.IsZero() && wait < 10*time.Millisecond {
						alarms++
					}
					s.Client.mu.Unlock()
				}
				yield(testMessage(1))
			}) {
				s.enter(r)
				got[r.Receipt.Recipients[0].Outcome]++
			}
			if got[Accepted] != 1 {
				s.t.Errorf("outcomes %v", got)
			}
			if alarms > 10 {
				s.t.Errorf("%d of 100 times the alarm was about to ring", alarms)
			}
			if n := res.lookups(); n < 8 || n > 12 {
				s.t.Errorf("%d lookups", n)
			}
		}},
		{"Hosts without Name", 2, func(rs []*testRelay) func(context.Context, int) (Relays, error) {
			return func(ctx context.Context, n int) (Relays, error) {
				found := relaysFor(0, rs...)
				found.Hosts[0].Name, found.Hosts[1].Name = "", ""
				return found, nil
			}
		}, nil, func(s *testSetup) {
			for i := range 10 {
				s.wantAccepted(i)
			}
			if got := [2]int{s.accepted(0), s.accepted(1)}; got[0] < 3 || got[1] < 3 {
				s.t.Errorf("the relays took %v", got)
			}
			if got := s.Stats().Relays; len(got) != 2 || got[0].Name != relays[0].ip {
				s.t.Errorf("%+v", got)
			}
		}},
		{"Hosts of one Name and another Port", 2, func(rs []*testRelay) func(context.Context, int) (Relays, error) {
			return func(ctx context.Context, n int) (Relays, error) {
				found := relaysFor(0, rs...)
				found.Hosts[1].Name, found.Hosts[0].Port = found.Hosts[0].Name, 25
				found.Hosts = append(found.Hosts, found.Hosts[0])
				found.Hosts[2].Port = 2525
				return found, nil
			}
		}, nil, func(s *testSetup) {
			s.wantAccepted(1)
			got := s.Stats().Relays
			if len(got) != 2 {
				s.t.Errorf("%+v", got)
			}
			s.Client.mu.Lock()
			defer s.Client.mu.Unlock()
			if a := s.lanes[0].pool.relays[0].addresses; len(a) != 2 {
				s.t.Errorf("a relay that is named twice has the addresses %v", a)
			}
		}},
		{"a Host without Addresses that is an address", 1, func(rs []*testRelay) func(context.Context, int) (Relays, error) {
			return func(ctx context.Context, n int) (Relays, error) { return Relays{Hosts: []Host{{Name: rs[0].ip}}}, nil }
		}, nil, func(s *testSetup) { s.wantAccepted(1) }},
		{"weights of hosts that are not in DNS", 2, func(rs []*testRelay) func(context.Context, int) (Relays, error) {
			return func(ctx context.Context, n int) (Relays, error) { return relaysFor(time.Minute, rs...), nil }
		}, func(cfg *Config, rs []*testRelay) {
			cfg.Weights = map[string]int{"P1.relays.test.": 2, "p9.relays.test": 3}
		}, func(s *testSetup) {
			for i := range 5 {
				s.wantAccepted(i)
				time.Sleep(time.Minute)
			}
			if n := len(log.lines("not in DNS")); n != 1 || len(log.lines("p9.relays.test")) != 1 {
				s.t.Errorf("log:\n%s", log)
			}
			if err := s.SetWeights(map[string]int{"p8.relays.test": 3}); err != nil {
				s.t.Error(err)
			}
			if n := len(log.lines("not in DNS")); n != 2 || len(log.lines("p8.relays.test")) != 1 {
				s.t.Errorf("log:\n%s", log)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log = &testLog{}
			inBubble(t, tt.relays, func(cfg *Config, rs []*testRelay) {
				relays = rs
				res = &scriptedResolver{answer: tt.resolver(rs)}
				cfg.Resolver, cfg.Logger = res, log.logger()
				if tt.change != nil {
					tt.change(cfg, rs)
				}
			}, tt.run)
		})
	}
}

func TestWithAddresses(t *testing.T) {
	a1, a2 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	lookup := func(ctx context.Context, name string) ([]netip.Addr, error) {
		switch name {
		case "a1":
			return []netip.Addr{netip.MustParseAddr("::ffff:10.0.0.1"), a2}, nil
		case "slow":
			time.Sleep(10 * time.Second)
			return []netip.Addr{a2}, nil
		case "hangs":
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, errServers
	}
	for _, tt := range []struct {
		name     string
		hosts    []Host
		want     [][]netip.Addr
		warnings []string
		err      error
		took     time.Duration
		ttl      time.Duration
	}{
		{"none to be looked up", []Host{{Name: "x", Addresses: []netip.Addr{a1}}, {Name: "10.0.0.2"}}, [][]netip.Addr{{a1}, {a2}}, nil, nil, 0, time.Hour},
		{"found", []Host{{Name: "a1"}}, [][]netip.Addr{{a1, a2}}, nil, nil, 0, hostTTL},
		{"one fails", []Host{{Name: "no"}, {Name: "a1"}}, [][]netip.Addr{nil, {a1, a2}}, []string{"SERVFAIL"}, nil, 0, hostTTL},
		{"one hangs", []Host{{Name: "hangs"}, {Name: "a1"}}, [][]netip.Addr{nil, {a1, a2}}, []string{"no answer"}, nil, hostPatience, hostTTL},
		{"one hangs, one has its address", []Host{{Name: "x", Addresses: []netip.Addr{a1}}, {Name: "hangs"}}, [][]netip.Addr{{a1}, nil}, []string{"no answer"}, nil, hostPatience, hostTTL},
		{"the only one is slow", []Host{{Name: "slow"}}, [][]netip.Addr{{a2}}, nil, nil, 10 * time.Second, hostTTL},
		{"all fail", []Host{{Name: "no"}, {Name: "no too"}}, nil, nil, errServers, 0, 0},
		{"all hang", []Host{{Name: "hangs"}, {Name: "hangs"}}, nil, nil, context.DeadlineExceeded, lookupTime, 0},
		{"neither", []Host{{}, {Name: "a1"}}, [][]netip.Addr{nil, {a1, a2}}, []string{"neither"}, nil, 0, hostTTL},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				given := slices.Clone(tt.hosts)
				ctx, cancel := context.WithTimeout(t.Context(), lookupTime)
				defer cancel()
				start := time.Now()
				got, err := withAddresses(ctx, Relays{Hosts: given, Expires: start.Add(time.Hour)}, lookup)
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
					t.Errorf("error %v, want %v", err, tt.err)
				}
				for i, h := range got.Hosts {
					if !slices.Equal(h.Addresses, tt.want[i]) {
						t.Errorf("host %d: addresses %v, want %v", i, h.Addresses, tt.want[i])
					}
				}
				if len(got.Hosts) != len(tt.want) || len(got.Warnings) != len(tt.warnings) {
					t.Errorf("%+v", got)
				}
				for i, w := range got.Warnings {
					if !strings.Contains(w, tt.warnings[i]) {
						t.Errorf("warning %q, want one of %q", w, tt.warnings[i])
					}
				}
				if tt.err == nil && !got.Expires.Equal(start.Add(tt.ttl)) && !got.Expires.Equal(start.Add(tt.took+tt.ttl)) {
					t.Errorf("expires in %v, want %v", got.Expires.Sub(start), tt.ttl)
				}
				for i, h := range given {
					if len(h.Addresses) != len(tt.hosts[i].Addresses) {
						t.Error("the Resolver's own hosts were changed")
					}
				}
			})
		})
	}
}

// A Resolver's Host without Addresses is looked up by the system, and Check agrees
// with sending on it.
func TestHostLookedUp(t *testing.T) {
	relay := tcpRelay(t, &testRelay{name: "localhost", ehlo: fullEHLO})
	res := &scriptedResolver{answer: func(context.Context, int) (Relays, error) {
		return Relays{Hosts: []Host{{Name: "localhost", Port: relay.Port}, {Name: "no host at all", Port: relay.Port}}}, nil
	}}
	log := &testLog{}
	c, err := New(Config{Resolver: res, TLS: TLSDisabled, Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Send(t.Context(), testMessage(1)); err != nil {
		t.Error(err)
	}
	p, err := c.Check(t.Context())
	if err != nil {
		t.Error(err)
	}
	var text strings.Builder
	for _, l := range p.Findings {
		fmt.Fprintln(&text, l.Severity, l.Subject, l.Found)
	}
	for _, want := range []string{"no host at all (not used: it has no address)", "address of relay", "one relay carries everything"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no line says %q:\n%s", want, &text)
		}
	}
	_ = c.Close() // what is to be logged is
	if n := len(log.lines("no host at all")); n != 1 {
		t.Errorf("log:\n%s", log)
	}
}

// Check gets by without a Resolver that does not return.
func TestCheckResolverNeverReturns(t *testing.T) {
	inBubble(t, 1, func(cfg *Config, _ []*testRelay) {
		cfg.Resolver = &scriptedResolver{answer: func(context.Context, int) (Relays, error) {
			time.Sleep(time.Hour)
			return Relays{}, errServers
		}}
	}, func(s *testSetup) {
		start := time.Now()
		p, err := s.Check(s.ctx())
		s.wantErr(err, context.DeadlineExceeded)
		s.wantTook(start, checkTime, checkTime+2*time.Second)
		if p.OK() {
			t.Error("all is well")
		}
		time.Sleep(time.Hour)
	})
}

package mxsend

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

// A holdLog is what an Observer was told of held lanes.
type holdLog struct {
	mu      sync.Mutex
	held    []Lane
	reasons []error
	resumed []Lane
}

func (h *holdLog) observe(cfg *Config) {
	cfg.Observer = &Observer{
		Held: func(lane Lane, reason error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.held, h.reasons = append(h.held, lane), append(h.reasons, reason)
		},
		Resumed: func(lane Lane) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.resumed = append(h.resumed, lane)
		},
	}
}

// A lane that is held says so once, and why, and once that it goes on, however long
// it takes and however often relays are tried meanwhile.
func TestHeld(t *testing.T) {
	log, holds := &testLog{}, &holdLog{}
	for _, tt := range []struct {
		name   string
		relays int
		change func(cfg *Config, rs []*testRelay)
		begin  func(s *testSetup)
		end    func(s *testSetup) // after six hours
		cause  string
		lines  int // of the log, at most
	}{
		{"refused connections", 2, nil, func(s *testSetup) {
			s.net.SetHost("10.0.0.1", memnet.Refuse)
			s.net.SetHost("10.0.0.2", memnet.Refuse)
		}, func(s *testSetup) {
			s.net.SetHost("10.0.0.1", memnet.Up)
			s.net.SetHost("10.0.0.2", memnet.Up)
		}, "refused", 10},
		{"the wrong port, ended by ctx", 1, func(cfg *Config, _ []*testRelay) { cfg.Port = 26 }, func(*testSetup) {}, nil, "refused", 4},
		{"full disks", 2, answersBetween(0, 6*time.Hour, "MAIL", "452 4.3.1 Insufficient system storage"), func(*testSetup) {}, func(*testSetup) {}, "452", 10},
		{"refuses us", 1, answersBetween(0, 6*time.Hour, "RCPT", refusesUs), func(*testSetup) {}, func(*testSetup) {}, "refuses this client", 10},
		{"all drained", 1, func(cfg *Config, rs []*testRelay) { cfg.Weights = map[string]int{rs[0].name: 0} }, func(*testSetup) {}, func(s *testSetup) {
			if err := s.SetWeights(nil); err != nil {
				s.t.Error(err)
			}
		}, "weight", 4},
		{"lookups fail", 1, func(cfg *Config, rs []*testRelay) {
			end := time.Now().Add(6 * time.Hour)
			cfg.Resolver = &scriptedResolver{answer: func(context.Context, int) (Relays, error) {
				if time.Now().Before(end) {
					return Relays{}, errServers
				}
				return relaysFor(0, rs...), nil
			}}
		}, func(*testSetup) {}, func(*testSetup) {}, "SERVFAIL", 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log, holds = &testLog{}, &holdLog{}
			inBubble(t, tt.relays, func(cfg *Config, rs []*testRelay) {
				cfg.Logger = log.logger()
				holds.observe(cfg)
				if tt.change != nil {
					tt.change(cfg, rs)
				}
			}, func(s *testSetup) {
				tt.begin(s)
				ctx, cancel := context.WithTimeout(s.ctx(), 7*time.Hour)
				defer cancel()
				if tt.end != nil {
					time.AfterFunc(6*time.Hour, func() { tt.end(s) })
				}
				got := s.sendAll(ctx, messages(3))
				if tt.end != nil && got[Accepted] != 3 {
					t.Errorf("outcomes %v", got)
				}
				time.Sleep(time.Second)
				holds.mu.Lock()
				defer holds.mu.Unlock()
				resumed := 1
				if tt.end == nil {
					resumed = 0
				}
				if len(holds.held) != 1 || holds.held[0] != Bulk || len(holds.resumed) != resumed {
					t.Fatalf("held %v, resumed %v", holds.held, holds.resumed)
				}
				if err := holds.reasons[0]; !errors.Is(err, ErrNoRelay) || !strings.Contains(err.Error(), tt.cause) {
					t.Errorf("held for %q", err)
				}
				if n, m := len(log.lines("lane is held")), len(log.lines("lane resumed")); n != 1 || m != resumed {
					t.Errorf("%d and %d lines of the log", n, m)
				}
				if n := len(log.lines("")); n > tt.lines {
					t.Errorf("%d lines:\n%s", n, log)
				}
			})
		})
	}
}

// A connection that fails once is no reason to be told anything about a lane.
func TestNotHeld(t *testing.T) {
	log, holds := &testLog{}, &holdLog{}
	inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
		cfg.Logger = log.logger()
		holds.observe(cfg)
		rs[0].answer = func(n int, line string) string {
			if line == "" && n == 1 {
				return hangUp
			}
			return usual
		}
	}, func(s *testSetup) {
		for i := range 10 {
			s.wantAccepted(i)
		}
		synctest.Wait()
		if len(holds.held)+len(holds.resumed) > 0 {
			t.Errorf("held %v, resumed %v", holds.held, holds.resumed)
		}
		if n, m := len(log.lines("connection to relay failed")), len(log.lines("reached again")); n != 1 || m != 1 {
			t.Errorf("log:\n%s", log)
		}
	})
}

// Unless told otherwise a Client logs to slog.Default().
func TestLogsByDefault(t *testing.T) {
	old := slog.Default()
	defer slog.SetDefault(old)
	for _, silent := range []bool{false, true} {
		var text bytes.Buffer
		var mu sync.Mutex
		slog.SetDefault(slog.New(slog.NewTextHandler(lockedBuffer{&text, &mu}, nil)))
		logged := func() bool {
			mu.Lock()
			defer mu.Unlock()
			return strings.Contains(text.String(), "connection to relay failed")
		}
		cfg := Config{
			Resolver: StaticRelays(Host{Name: "p1.relays.test", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}),
			Dial:     func(context.Context, string, string) (net.Conn, error) { return nil, errTest },
		}
		if silent {
			cfg.Logger = slog.New(slog.DiscardHandler)
		}
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err = c.Send(ctx, testMessage(1))
		cancel()
		if err == nil {
			t.Error("no error")
		}
		_ = c.Close()
		// Close does not wait for a call of the Logger that is under way.
		for end := time.Now().Add(5 * time.Second); !silent && !logged() && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if logged() == silent {
			t.Errorf("silent: %v", silent)
		}
	}
}

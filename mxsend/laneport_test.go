package mxsend

import (
	"fmt"
	"strings"
	"testing"
)

// Two ports of the same relays, one for each lane.
func TestLanePort(t *testing.T) {
	const submission = 2525
	inBubble(t, 2, func(cfg *Config, _ []*testRelay) { cfg.Transactional.Port = submission }, func(s *testSetup) {
		var fast []*testRelay
		for _, r := range s.relays {
			l, err := s.net.Listen("tcp", fmt.Sprintf("%s:%d", r.ip, submission))
			if err != nil {
				t.Fatal(err)
			}
			own := &testRelay{name: r.name, ip: r.ip, ehlo: fullEHLO}
			fast = append(fast, own)
			own.sessions.Go(func() { own.serve(l) })
			defer own.sessions.Wait()
			defer func() { _ = l.Close() }()
		}
		s.sloppy = true // the ledger of the second port is counted below
		for i := range 10 {
			s.wantAccepted(i)
		}
		if got := s.sendAll(s.ctx(), messages(100)); got[Accepted] != 100 {
			t.Errorf("outcomes %v", got)
		}
		if n := s.took(); n != 100 {
			t.Errorf("the port of Bulk took %d of 100", n)
		}
		if n := len(fast[0].accepted) + len(fast[1].accepted); n != 10 {
			t.Errorf("the lane's own port took %d of 10", n)
		}
		ports := map[int]int{}
		for _, r := range s.Stats().Relays {
			ports[r.Port]++
		}
		if len(ports) != 2 || ports[25] != 2 || ports[submission] != 2 {
			t.Errorf("Stats has relays by port %v", ports)
		}

		p, err := s.Check(s.ctx())
		if err != nil {
			t.Error(err)
		}
		for _, want := range []string{"transactional (port 2525): 2 relays", "bulk (port 25): 2 relays", "10.0.0.1:25 ", "10.0.0.2:25 ", "10.0.0.1:2525 ", "10.0.0.2:2525 "} {
			if !strings.Contains(p.String(), want) {
				t.Errorf("%q is not in the check:\n%v", want, p)
			}
		}
		if n := strings.Count(p.String(), "is ready for mail"); n != 4 {
			t.Errorf("%d of 4 endpoints were checked:\n%v", n, p)
		}

		// What happens on one port is not held against the other.
		fast[0].mu.Lock()
		fast[0].answer = answer("", "554 5.7.1 go away")
		fast[0].mu.Unlock()
		fast[0].closeAll()
		for i := range 20 {
			s.wantAccepted(100 + i)
		}
		for _, r := range s.Stats().Relays {
			if blamed := r.Reason != ""; blamed != (r.Port == submission && r.Name == fast[0].name) {
				t.Errorf("%s:%d: %q", r.Name, r.Port, r.Reason)
			}
		}
		_ = s.Close()
		for _, r := range fast {
			r.closeAll()
		}
	})
}

func TestLanePortConfig(t *testing.T) {
	for _, tt := range []struct {
		port, transactional, bulk int
		err                       string
		want                      [2]int
	}{
		{0, 0, 0, "", [2]int{25, 25}},
		{2525, 0, 0, "", [2]int{2525, 2525}},
		{2525, 587, 0, "", [2]int{587, 2525}},
		{0, 0, 10025, "", [2]int{25, 10025}},
		{0, -1, 0, "Config.Transactional.Port -1", [2]int{}},
		{0, 0, 65536, "Config.Bulk.Port 65536", [2]int{}},
		{70000, 0, 0, "Config.Port 70000", [2]int{}},
	} {
		c, err := New(Config{Domain: "relays.test", LocalName: "app.test", Port: tt.port, Transactional: LaneConfig{Port: tt.transactional}, Bulk: LaneConfig{Port: tt.bulk}})
		if err != nil {
			if tt.err == "" || !strings.Contains(err.Error(), tt.err) || strings.Count(err.Error(), "is not a port") != 1 {
				t.Errorf("%+v: %v", tt, err)
			}
			continue
		}
		if got := [2]int{c.lanes[0].pool.port, c.lanes[1].pool.port}; got != tt.want || tt.err != "" {
			t.Errorf("%+v: got %v", tt, got)
		}
		if shared := c.lanes[0].pool == c.lanes[1].pool; shared != (tt.want[0] == tt.want[1]) {
			t.Errorf("%+v: the relays are shared: %v", tt, shared)
		}
		_ = c.Close()
	}
}

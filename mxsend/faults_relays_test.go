package mxsend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

// from numbers messages from a start, so that one test may send several mailings.
func from(start, n int) iter.Seq[*Message] {
	return func(yield func(*Message) bool) {
		for i := range n {
			if !yield(testMessage(start + i)) {
				return
			}
		}
	}
}

const refusesUs = "554 5.7.1 <app.test[10.0.0.9]>: Client host rejected: Access denied"

// accepted counts what the i-th relay took.
func (s *testSetup) accepted(i int) int {
	s.relays[i].mu.Lock()
	defer s.relays[i].mu.Unlock()
	return len(s.relays[i].accepted)
}

// between answers so during a span of time after the first call.
func between(after, until time.Duration, a func(int, string) string) func(int, string) string {
	var mu sync.Mutex
	var start time.Time
	return func(n int, line string) string {
		mu.Lock()
		defer mu.Unlock()
		if start.IsZero() {
			start = time.Now()
		}
		if d := time.Since(start); d < after || d >= until {
			return usual
		}
		return a(n, line)
	}
}

// Faults of relays as such, and of the machine.
var faultsRelays = []fault{
	{name: "C18", relays: 2, change: first("MAIL", "452 4.3.1 Insufficient system storage"), run: func(s *testSetup) {
		start := time.Now()
		if got := s.sendAll(s.ctx(), messages(500)); got[Accepted] != 500 {
			s.t.Errorf("outcomes %v", got)
		}
		s.wantTook(start, 0, 20*time.Second)
		if n := len(s.relays[0].lines("MAIL")); n > 60 {
			s.t.Errorf("the full relay was asked %d times", n)
		}
		if st := s.Stats().Relays[0]; st.Ejections == 0 || st.OutUntil.IsZero() {
			s.t.Errorf("the full relay is in: %+v", st)
		}
	}},
	{name: "C18/all", relays: 2, change: func(_ *Config, rs []*testRelay) {
		for _, r := range rs {
			r.answer = between(100*time.Millisecond, 30*time.Minute, answer("MAIL", "452 4.3.1 Insufficient system storage"))
		}
	}, run: func(s *testSetup) {
		s.wantAccepted(1)
		time.Sleep(time.Second)
		if got := s.sendAll(s.ctx(), messages(4000)); got[Accepted] != 4000 {
			s.t.Errorf("half an hour of full disks burnt the mailing: %v", got)
		}
	}},
	{name: "C18/all, few", relays: 2, change: func(_ *Config, rs []*testRelay) {
		for _, r := range rs {
			r.answer = between(100*time.Millisecond, 30*time.Minute, answer("MAIL", "452 4.3.1 Insufficient system storage"))
		}
	}, run: func(s *testSetup) {
		s.wantAccepted(1)
		time.Sleep(time.Second)
		if got := s.sendAll(s.ctx(), messages(5)); got[Accepted] != 5 {
			s.t.Errorf("half an hour of full disks burnt the mailing: %v", got)
		}
	}},
	{name: "C19/SendAll", relays: 2, run: func(s *testSetup) {
		s.wantAccepted(1)
		s.relays[0].closeAll()
		s.relays[1].closeAll()
		s.net.SetHost("10.0.0.1", memnet.Refuse)
		s.net.SetHost("10.0.0.2", memnet.Refuse)
		time.Sleep(time.Second)
		pulled := 0
		count := make(chan [5]int)
		go func() {
			count <- s.sendAll(s.ctx(), func(yield func(*Message) bool) {
				for m := range messages(5000) {
					if pulled++; !yield(m) {
						return
					}
				}
			})
		}()
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		if held := pulled; held > 1000 { // until the outage is noticed, Limits.InFlight
			s.t.Errorf("%d were pulled while no relay was usable", held)
		}
		s.net.SetHost("10.0.0.2", memnet.Up)
		start := time.Now()
		if got := <-count; got[Accepted] != 5000 {
			s.t.Errorf("outcomes %v", got)
		}
		s.wantTook(start, 0, time.Minute)
	}},
	{name: "C19/in the middle", relays: 2, change: func(_ *Config, rs []*testRelay) {
		rs[0].delay, rs[1].delay = 10*time.Millisecond, 10*time.Millisecond
	}, run: func(s *testSetup) {
		time.AfterFunc(500*time.Millisecond, func() {
			for i := range 2 {
				s.net.SetHost(s.relays[i].ip, memnet.Refuse)
				s.net.ResetHost(s.relays[i].ip)
			}
		})
		time.AfterFunc(3*time.Hour, func() {
			s.net.SetHost("10.0.0.1", memnet.Up)
			s.net.SetHost("10.0.0.2", memnet.Up)
		})
		got := s.sendAll(s.ctx(), messages(3000))
		if got[Accepted]+got[InDoubt] != 3000 || got[InDoubt] > 20 {
			s.t.Errorf("outcomes %v", got)
		}
	}},
	{name: "C19/ctx ends", run: func(s *testSetup) {
		s.net.SetHost("10.0.0.1", memnet.Refuse)
		ctx, cancel := context.WithTimeout(s.ctx(), time.Hour)
		defer cancel()
		start := time.Now()
		got := s.sendAll(ctx, messages(5000))
		if n := got[NotAttempted] + got[Deferred]; n == 0 || n > 5 || got[Accepted]+got[Rejected]+got[InDoubt] > 0 {
			s.t.Errorf("outcomes %v", got)
		}
		s.wantTook(start, time.Hour, time.Hour+time.Second)
	}},
	{name: "C19/Send", relays: 2, run: func(s *testSetup) {
		s.net.SetHost("10.0.0.1", memnet.Refuse)
		s.net.SetHost("10.0.0.2", memnet.Refuse)
		var all sync.WaitGroup
		start := time.Now()
		for i := range 200 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 500 * time.Millisecond)
				own := time.Now()
				r, err := s.send(testMessage(i))
				s.want(r, Deferred)
				s.wantErr(err, ErrDeferred, ErrNoRelay)
				s.wantTook(own, 60*time.Second, 160*time.Second)
			})
		}
		all.Wait()
		s.wantTook(start, 0, 270*time.Second)
		if n := s.net.Stats().Dialled; n != 0 {
			s.t.Errorf("%d connections", n)
		}
	}},
	{name: "C20", relays: 2, change: func(_ *Config, rs []*testRelay) {
		rs[0].delay, rs[1].delay = time.Second, 10*time.Millisecond
	}, run: func(s *testSetup) {
		start := time.Now()
		if got := s.sendAll(s.ctx(), messages(5000)); got[Accepted] != 5000 {
			s.t.Errorf("outcomes %v", got)
		}
		took := time.Since(start)
		// The other alone: 8 bulk connections, a mail each 10 ms and a round trip.
		if alone := 5000 / 8 * 13 * time.Millisecond; took > alone*100/95+2*time.Second {
			s.t.Errorf("took %v; the other alone takes %v", took, alone)
		}
		if n := s.accepted(0); n > 500 {
			s.t.Errorf("the slow relay took %d of 5000", n)
		}
	}},
	{name: "C21", relays: 2, change: func(cfg *Config, rs []*testRelay) {
		rs[0].delay, rs[1].delay = 10*time.Millisecond, 10*time.Millisecond
	}, run: func(s *testSetup) {
		time.AfterFunc(500*time.Millisecond, func() { s.net.SetHost("10.0.0.1", memnet.BlackHole) })
		count := make(chan [5]int)
		start := time.Now()
		go func() { count <- s.sendAll(s.ctx(), messages(5000)) }()
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 20 * time.Millisecond)
				own := time.Now()
				r, _ := s.send(testMessage(10_000 + i))
				switch r.Recipients[0].Outcome {
				case Accepted:
					s.wantTook(own, 0, 17*time.Second)
				case InDoubt:
					s.wantTook(own, 10*time.Minute, 10*time.Minute+time.Second)
				default:
					s.t.Errorf("transactional: %v", r.Recipients[0].Err)
				}
			})
		}
		all.Wait()
		got := <-count
		if got[Accepted]+got[InDoubt] != 5000 || got[InDoubt] > 20 {
			s.t.Errorf("outcomes %v", got)
		}
		s.wantTook(start, 10*time.Minute, 11*time.Minute)
	}},
	{name: "C21/stalled", relays: 2, change: first(".", silent), run: func(s *testSetup) {
		got := s.sendAll(s.ctx(), messages(1000))
		if got[Accepted]+got[InDoubt] != 1000 || got[InDoubt] > 30 {
			s.t.Errorf("a silent relay was given %d", got[InDoubt])
		}
	}},
	{name: "C22", relays: 2, change: first("RCPT", refusesUs), run: func(s *testSetup) {
		var log bytes.Buffer
		s.Client.cfg.Logger = slog.New(slog.NewTextHandler(lockedBuffer{&log, new(sync.Mutex)}, nil))
		if got := s.sendAll(s.ctx(), messages(1000)); got[Accepted] != 1000 {
			s.t.Errorf("outcomes %v", got)
		}
		if n := len(s.relays[0].lines("RCPT")); n < 20 || n > 60 {
			s.t.Errorf("the relay that refuses us was asked %d times", n)
		}
		st := s.Stats().Relays[0]
		if st.Ejections == 0 || !strings.Contains(s.reason(0), ErrRelayRefused.Error()) {
			s.t.Errorf("%+v, ejected for %q", st, s.reason(0))
		}
		if !strings.Contains(log.String(), "relay put out") || !strings.Contains(log.String(), "mynetworks") {
			s.t.Errorf("log:\n%s", &log)
		}
	}},
	{name: "C22/both", relays: 2, change: func(_ *Config, rs []*testRelay) {
		for _, r := range rs {
			r.answer = between(0, time.Hour, answer("RCPT", refusesUs))
		}
	}, run: func(s *testSetup) {
		if got := s.sendAll(s.ctx(), messages(3000)); got[Accepted] != 3000 {
			s.t.Errorf("outcomes %v", got)
		}
	}},
	{name: "C22/both, few", relays: 2, change: func(_ *Config, rs []*testRelay) {
		for _, r := range rs {
			r.answer = between(0, time.Hour, answer("RCPT", refusesUs))
		}
	}, run: func(s *testSetup) {
		if got := s.sendAll(s.ctx(), messages(5)); got[Accepted] != 5 {
			s.t.Errorf("outcomes %v", got)
		}
	}},
	{name: "C22/both, after a while", relays: 2, change: func(_ *Config, rs []*testRelay) {
		for _, r := range rs {
			r.delay = 10 * time.Millisecond
			r.answer = between(300*time.Millisecond, time.Hour, answer("RCPT", refusesUs))
		}
	}, run: func(s *testSetup) {
		if got := s.sendAll(s.ctx(), messages(2000)); got[Accepted] != 2000 {
			s.t.Errorf("outcomes %v", got)
		}
	}},
	{name: "C22/one relay", change: answers("RCPT", refusesUs), run: func(s *testSetup) {
		r, err := s.send(testMessage(1))
		s.want(r, Deferred)
		s.wantErr(err, ErrRelayRefused)
	}},
	{name: "C22/one recipient", relays: 2, change: answers("RCPT TO:<u7@", "554 5.7.1 <u7@example.test>: Recipient rejected"), run: func(s *testSetup) {
		for i := range 20 {
			r, err := s.send(testMessage(i))
			if i == 7 {
				s.want(r, Rejected)
				s.wantErr(err, ErrRejected)
				if strings.Contains(err.Error(), "u7@") {
					s.t.Errorf("%v", err)
				}
			} else if err != nil {
				s.t.Error(err)
			}
		}
	}},
	{name: "C23", change: func(cfg *Config, rs []*testRelay) {
		cfg.Limits.Connections, cfg.Limits.Reserved = 10, -1
		r := rs[0]
		r.delay = 50 * time.Millisecond
		r.answer = func(_ int, line string) string {
			if line == "" && r.opened() > 4 {
				return "421 4.7.0 Error: too many connections"
			}
			return usual
		}
	}, run: func(s *testSetup) {
		if got := s.sendAll(s.ctx(), messages(1000)); got[Accepted] != 1000 {
			s.t.Errorf("outcomes %v", got)
		}
		st := s.Stats().Relays[0]
		if st.Ejections != 0 || st.Limit > 5 || st.Limit < 3 {
			s.t.Errorf("%+v", st)
		}
	}},
	outOfStepRelay("C24/503 at MAIL", func(line string) bool { return strings.HasPrefix(line, "MAIL") }, "503 5.5.1 Error: nested"),
	outOfStepRelay("C24/554 at DATA", func(line string) bool { return line == "DATA" }, "554 5.5.0 Error: SMTP protocol synchronization"),
	outOfStepRelay("C24/503 at RCPT", func(line string) bool { return strings.HasPrefix(line, "RCPT") }, "503 5.5.1 Error: need MAIL"),
	{name: "C24/554 at the dot", change: func(_ *Config, rs []*testRelay) {
		rs[0].ehlo, rs[0].delay = fullEHLO, 10*time.Millisecond
		busy := map[int]bool{}
		rs[0].answer = func(n int, line string) string {
			rs[0].mu.Lock()
			defer rs[0].mu.Unlock()
			if line == "." && !busy[n] && rs[0].dots%7 == 3 {
				busy[n] = true
				return "554 5.5.0 Error: SMTP protocol synchronization"
			}
			return usual
		}
	}, run: func(s *testSetup) {
		got := s.sendAll(s.ctx(), messages(200))
		if got[Accepted]+got[Rejected] != 200 || got[Accepted] < 190 {
			s.t.Errorf("outcomes %v", got)
		}
	}},
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
	{name: "G1", relays: 1, change: both(secured, plainAuth), run: wantNoSecrets},
}

func (s *testSetup) reason(i int) string {
	s.Client.mu.Lock()
	defer s.Client.mu.Unlock()
	for _, p := range s.pools {
		return p.relays[i].ejectedFor
	}
	return ""
}

type lockedBuffer struct {
	*bytes.Buffer
	mu *sync.Mutex
}

func (b lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// outOfStepRelay complains whenever the envelope of a message comes while the
// content of the one before is unanswered.
func outOfStepRelay(name string, at func(string) bool, reply string) fault {
	return fault{name: name, change: func(cfg *Config, rs []*testRelay) {
		cfg.Limits.Connections, cfg.Limits.Reserved = 2, -1
		r := rs[0]
		last := map[int]time.Time{}
		var mu sync.Mutex
		r.before = func(n int, line string) {
			if line == "." {
				time.Sleep(10 * time.Millisecond)
				mu.Lock()
				last[n] = time.Now()
				mu.Unlock()
			}
		}
		r.answer = func(n int, line string) string {
			mu.Lock()
			defer mu.Unlock()
			if at(line) && last[n].Equal(time.Now()) { // it came with the content
				return reply
			}
			return usual
		}
	}, run: func(s *testSetup) {
		if got := s.sendAll(s.ctx(), messages(100)); got[Accepted] != 100 {
			s.t.Errorf("outcomes %v", got)
		}
		if !s.Stats().Relays[0].LockStep {
			s.t.Error("the relay is not in lock-step")
		}
	}}
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

var _ = errors.Is

// wantNoSecrets: no password, address or content in anything that may be logged.
func wantNoSecrets(s *testSetup) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(lockedBuffer{&log, new(sync.Mutex)}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.Client.cfg.Logger = logger
	r := s.relays[0]
	var texts []string
	note := func(rc Receipt, err error) {
		for _, a := range rc.Attempts {
			texts = append(texts, fmt.Sprintf("%v|%+v|%#v", a, a, a))
		}
		texts = append(texts, fmt.Sprintf("%v|%+v|%#v|%q", err, err, err, err))
		for _, to := range rc.Recipients {
			texts = append(texts, fmt.Sprintf("%v|%+v|%#v", to.Err, to.Err, to.Err))
			logger.Error("failed", "error", to.Err)
		}
	}
	i := 0
	for _, line := range []string{"", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "."} {
		for _, reply := range []string{
			"550 5.1.1 <v1ct1m@example.test>: unknown; \"john doe\"@example.test AG1haWxlcgBodW50ZXIyLXNlY3JldA==",
			"451 4.3.0 v1ct1m@example.test",
			"v1ct1m@example.test is no reply",
			"421 4.3.2 v1ct1m@example.test",
			"354 v1ct1m@example.test", "250-v1ct1m@example.test" + cutHere,
		} {
			i++
			c, err := New(Config{Domain: "relays.test", TLSConfig: s.Client.cfg.TLSConfig, Auth: s.Client.cfg.Auth, LocalName: "app.test",
				Resolver: s.Client.cfg.Resolver, Dial: s.net.Dial, Logger: logger, Retry: noRetryNow})
			if err != nil {
				s.t.Fatal(err)
			}
			r.answer = once2(line, reply)
			m := testMessage(i)
			m.Recipients[0] = "v1ct1m@example.test"
			rc, err := c.Send(s.ctx(), m)
			note(rc, err)
			texts = append(texts, fmt.Sprintf("%v|%+v|%#v", c.Stats(), c.Stats(), c.Stats()), fmt.Sprintf("%v|%+v|%#v", c, c, c),
				fmt.Sprintf("%v|%+v|%#v", s.Client.cfg, s.Client.cfg, s.Client.cfg))
			_ = c.Close()
		}
	}
	texts = append(texts, log.String())
	s.sloppy = true
	secret := "hunter2-secret"
	for _, text := range texts {
		for _, word := range []string{"v1ct1m", "john doe", secret, fmt.Sprint([]byte(secret)), fmt.Sprintf("%x", secret), "Hello"} {
			if at := strings.Index(text, word); at >= 0 {
				s.t.Errorf("%q shows in %q", word, text[max(0, at-80):min(len(text), at+80)])
			}
		}
	}
	if len(texts) < 100 || !strings.Contains(log.String(), "relay") {
		s.t.Errorf("%d texts, log of %d octets", len(texts), log.Len())
	}
}

// once2 is once for a single answer function.
func once2(prefix, reply string) func(int, string) string {
	a, done := answer(prefix, reply), false
	return func(n int, line string) string {
		if done {
			return usual
		}
		reply := a(n, line)
		done = reply != usual
		return reply
	}
}

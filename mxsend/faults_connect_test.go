package mxsend

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/emersion/go-sasl"

	"github.com/mxsend/go-mxsend/internal/memnet"
	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// Section A: connecting, and the greeting.
var faultsA = []fault{
	{name: "A1", relays: 2, run: func(s *testSetup) {
		s.net.SetHost("10.0.0.1", memnet.Refuse)
		start := time.Now()
		for i := range 20 {
			s.wantAccepted(i)
		}
		s.wantTook(start, 0, time.Second) // nobody sleeps while the other relay is well
		if n := len(s.relays[1].accepted); n != 20 {
			s.t.Errorf("the healthy relay took %d of 20", n)
		}
	}},
	{name: "A1/all", run: func(s *testSetup) {
		s.net.SetHost("10.0.0.1", memnet.Refuse)
		start := time.Now()
		r, err := s.send(testMessage(1))
		s.want(r, Deferred)
		s.wantErr(err, ErrDeferred, ErrNoRelay, syscall.ECONNREFUSED)
		s.wantStage(err, StageConnect)
		s.wantTook(start, 60*time.Second, 150*time.Second)
	}},
	{name: "A1/addresses", change: func(cfg *Config, _ []*testRelay) {
		cfg.Resolver = StaticRelays(Host{Name: "p1.relays.test", Addresses: []netip.Addr{
			netip.MustParseAddr("10.0.9.1"), netip.MustParseAddr("10.0.9.2"), netip.MustParseAddr("10.0.0.1")}})
	}, run: func(s *testSetup) {
		start := time.Now()
		s.wantAccepted(1)
		s.wantTook(start, 0, 50*time.Millisecond)
		if st := s.Stats().Relays[0]; !st.PausedUntil.IsZero() {
			s.t.Errorf("the relay is out: %+v", st)
		}
	}},
	{name: "A2", relays: 2, run: func(s *testSetup) {
		s.net.SetHost("10.0.0.1", memnet.BlackHole)
		start := time.Now()
		s.wantAccepted(1)
		s.wantTook(start, 0, 3*time.Second)
		start = time.Now()
		if got := s.sendAll(s.ctx(), messages(2000))[Accepted]; got != 2000 {
			s.t.Errorf("%d accepted of 2000", got)
		}
		s.wantTook(start, 0, 10*time.Second)
	}},
	{name: "A2/time-out", run: func(s *testSetup) {
		s.net.SetHost("10.0.0.1", memnet.BlackHole)
		start := time.Now()
		r, err := s.send(testMessage(1))
		s.want(r, Deferred)
		s.wantErr(err, ErrDeferred, context.DeadlineExceeded)
		s.wantStage(err, StageConnect)
		s.wantTook(start, 60*time.Second, 4*time.Minute)
	}},
	{name: "A2/address", change: func(cfg *Config, _ []*testRelay) {
		cfg.Resolver = StaticRelays(Host{Name: "p1.relays.test", Addresses: []netip.Addr{
			netip.MustParseAddr("10.0.9.1"), netip.MustParseAddr("10.0.0.1")}})
	}, run: func(s *testSetup) {
		s.net.SetHost("10.0.9.1", memnet.BlackHole)
		start := time.Now()
		s.wantAccepted(1)
		s.wantTook(start, 0, 3*time.Second)
	}},
	{name: "A3", change: func(_ *Config, rs []*testRelay) {
		rs[0].before = func(_ int, line string) {
			if line == "" {
				time.Sleep(4 * time.Minute)
			}
		}
	}, run: func(s *testSetup) {
		start := time.Now()
		go func() {
			time.Sleep(3 * time.Minute)
			if seen := s.relays[0].seen(); seen != "" {
				s.t.Errorf("sent before the greeting: %q", seen)
			}
		}()
		s.wantAccepted(1)
		s.wantTook(start, 4*time.Minute, 4*time.Minute+time.Second)
	}},
	{name: "A4/421", relays: 2, change: first("", "421 4.3.2 shutting down"), run: wantOthers},
	{name: "A4/450", relays: 2, change: first("", "450 4.3.2 busy"), run: wantOthers},
	{name: "A4/554", relays: 2, change: first("", "554 5.7.1 go away"), run: wantOthers},
	{name: "A4/554 all", relays: 2, change: answers("", "554 5.7.1 go away"), run: func(s *testSetup) {
		r, err := s.send(testMessage(1))
		s.want(r, Deferred)
		s.wantErr(err, ErrRelayRefused)
		s.wantStage(err, StageGreeting)
	}},
	{name: "A5/never", change: answers("", silent), run: func(s *testSetup) {
		start := time.Now()
		r, err := s.send(testMessage(1))
		s.want(r, Deferred)
		s.wantStage(err, StageGreeting)
		s.wantTook(start, 5*time.Minute, 12*time.Minute)
	}},
	{name: "A5/slow", change: func(_ *Config, rs []*testRelay) {
		rs[0].raw = func(_ int, nc net.Conn) bool {
			for range 1000 {
				if _, err := nc.Write([]byte("2")); err != nil {
					break
				}
				time.Sleep(10 * time.Second)
			}
			return true
		}
	}, run: func(s *testSetup) {
		start := time.Now()
		r, err := s.send(testMessage(1))
		s.want(r, Deferred)
		s.wantStage(err, StageGreeting)
		s.wantTook(start, 5*time.Minute, 12*time.Minute)
	}},
	garbage("A6/text", "hello there\r\n"),
	garbage("A6/ssh", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
	garbage("A6/http", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
	garbage("A6/tls", "\x15\x03\x01\x00\x02\x02\x46\n"),
	garbage("A6/long", strings.Repeat("2", 100<<10)),
	garbage("A6/followed by SMTP", "junk\r\n220 now really\r\n"),
	{name: "A7", change: answers("", hangUp), run: func(s *testSetup) {
		r, err := s.send(testMessage(1))
		s.want(r, Deferred)
		s.wantStage(err, StageGreeting)
		s.wantErr(err, io.EOF)
	}},
	{name: "A7/10k cycles", change: func(cfg *Config, rs []*testRelay) {
		rs[0].answer = answer("", hangUp)
		cfg.Limits.Connections = 1
	}, run: func(s *testSetup) {
		const cycles = 10_000
		ctx, cancel := context.WithCancel(s.ctx())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.sendAll(ctx, messages(1))
		}()
		for s.conns(0) < cycles && time.Since(time.Time{}) > 0 {
			time.Sleep(time.Hour)
			synctest.Wait()
			if n := s.relays[0].opened(); n > 1 {
				s.t.Fatalf("%d connections are open", n)
			}
		}
		cancel()
		<-ended
	}},
	{name: "E8", relays: 1, change: panicking, run: func(s *testSetup) {
		for i := range 3 {
			s.wantAccepted(i)
		}
		if got := s.sendAll(s.ctx(), messages(10))[Accepted]; got != 10 {
			s.t.Errorf("%d accepted of 10", got)
		}
	}},
	panics("E8/Dial", Deferred, func(cfg *Config, _ []*testRelay) {
		cfg.Dial = func(context.Context, string, string) (net.Conn, error) { panic("Dial") }
	}),
	panics("E8/Auth", Deferred, both(secured, func(cfg *Config, _ []*testRelay) {
		cfg.Auth = func() sasl.Client { panic("Auth") }
	})),
	panics("E8/Resolver", NotAttempted, func(cfg *Config, _ []*testRelay) { cfg.Resolver = panickingResolver{} }),
	panics("E8/Retry", Deferred, func(cfg *Config, rs []*testRelay) {
		cfg.Retry = func() backoff.BackOff { panic("Retry") }
		rs[0].answer = answer("RCPT", "450 4.2.0 later")
	}),
	panics("E8/AllowRecipient", Rejected, func(cfg *Config, _ []*testRelay) {
		cfg.AllowRecipient = func(string) bool { panic("AllowRecipient") }
	}),
	panics("E8/Signer", NotAttempted, func(cfg *Config, _ []*testRelay) {
		cfg.Signer = signerFunc(func() ([]byte, error) { panic("Signer") })
	}),
}

// panics is a callback that panics: the message has its outcome all the same.
func panics(name string, want Outcome, change func(*Config, []*testRelay)) fault {
	return fault{name: name, change: change, run: func(s *testSetup) {
		for i := range 2 {
			r, err := s.send(testMessage(i))
			s.want(r, want)
			if !strings.Contains(err.Error(), "panicked") && name != "E8/Retry" && name != "E8/AllowRecipient" {
				s.t.Errorf("%q does not say that something panicked", err)
			}
		}
	}}
}

type panickingResolver struct{}

func (panickingResolver) LookupRelays(context.Context, string) (Relays, error) { panic("Resolver") }

func (s *testSetup) conns(i int) int {
	s.relays[i].mu.Lock()
	defer s.relays[i].mu.Unlock()
	return s.relays[i].conns
}

// wantOthers: the first relay cannot be used, the second can, and nobody waits.
func wantOthers(s *testSetup) {
	start := time.Now()
	for i := range 10 {
		s.wantAccepted(i)
	}
	s.wantTook(start, 0, time.Second)
	if n := len(s.relays[0].accepted); n != 0 {
		s.t.Errorf("the first relay took %d", n)
	}
	if s.relays[0].conns == 0 {
		s.t.Error("the first relay was never tried")
	}
}

// garbage is a relay that greets with something else than SMTP.
func garbage(name, greeting string) fault {
	return fault{name: name, change: answers("", rawReply+greeting), run: func(s *testSetup) {
		r, err := s.send(testMessage(1))
		s.want(r, Deferred)
		s.wantErr(err, smtpwire.ErrProtocol)
		s.wantStage(err, StageGreeting)
		if seen := s.relays[0].seen(); seen != "" {
			s.t.Errorf("said %q to what speaks no SMTP", seen)
		}
	}}
}

// panicking has every callback panic.
func panicking(cfg *Config, _ []*testRelay) {
	cfg.Observer = &Observer{
		LookedUp:     func(string, Relays, error) { panic("LookedUp") },
		Connected:    func(string, string, time.Duration, error) { panic("Connected") },
		Disconnected: func(string, string, error) { panic("Disconnected") },
		Ejected:      func(string, time.Time, error) { panic("Ejected") },
		Restored:     func(string) { panic("Restored") },
		Held:         func(Lane, error) { panic("Held") },
		Resumed:      func(Lane) { panic("Resumed") },
		Attempted:    func(context.Context, string, Lane, Attempt) { panic("Attempted") },
		Finished:     func(context.Context, Receipt, Lane) { panic("Finished") },
	}
}

var errTest = errors.New("test")

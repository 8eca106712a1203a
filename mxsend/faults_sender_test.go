package mxsend

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// Relays that refuse the client, its name or its return path, as late as at RCPT:
// no recipient may pay for it.
var faultsSender = slices.Concat(
	refusedAtRCPT("HELO", "504 5.5.2 <mailer-7c9f>: Helo command rejected: need fully-qualified hostname", "Config.LocalName"),
	refusedAtRCPT("HELO literal", "501 5.5.2 <[::1]>: Helo command rejected: invalid ip address", "Config.LocalName"),
	refusedAtRCPT("sender", "550 5.7.1 <b@app.test>: Sender address rejected: not owned by user app", "Message.ReturnPath"),
	refusedAtRCPT("sender's domain", "550 5.1.8 <b@app.test>: Sender address rejected: Domain not found", "Message.ReturnPath"),
	refusedAtRCPT("client", "554 5.7.1 <unknown[10.0.0.9]>: Client host rejected: Access denied", "mynetworks"),
	refusedAtRCPT("client for now", "454 4.7.1 <u1@example.test>: Relay access denied", "mynetworks"),
	refusedAtRCPT("no enhanced code", "550 relay not permitted", "mynetworks"),
	refusedAtRCPT("AUTH", "530 5.7.0 Authentication required", "Config.Auth"),
	refusedAtRCPT("TLS", "530 5.7.0 Must issue a STARTTLS command first", "Config.TLS"),
	[]fault{
		{name: "C26/at EHLO", relays: 1, change: answers("EHLO", "501 5.5.4 Invalid domain name"), run: func(s *testSetup) {
			r, err := s.send(testMessage(1))
			s.want(r, Deferred)
			s.wantErr(err, ErrRelayRefused)
			if !strings.Contains(err.Error(), "Config.LocalName") {
				s.t.Error(err)
			}
		}},
		{name: "C26/client at EHLO", relays: 1, change: answers("EHLO", "550 5.7.1 Access denied"), run: func(s *testSetup) {
			r, err := s.send(testMessage(1))
			s.want(r, Deferred)
			s.wantErr(err, ErrRelayRefused)
			if strings.Contains(err.Error(), "Config.LocalName") {
				s.t.Error(err)
			}
		}},
		{name: "C26/a name not fully qualified is warned of", run: func(s *testSetup) {
			for name, warned := range map[string]bool{"mailer-7c9f": true, "[127.0.0.1]": true, "[192.0.2.9]": false, "app.test": false} {
				var log bytes.Buffer
				c, err := New(Config{Resolver: StaticRelays(s.hosts...), TLS: TLSDisabled, Dial: s.net.Dial, LocalName: name, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				if err != nil {
					s.t.Fatal(err)
				}
				if strings.Contains(log.String(), "Config.LocalName") != warned {
					s.t.Errorf("%s: log %q", name, log.String())
				}
				p, err := c.Check(s.ctx())
				if err != nil {
					s.t.Error(err)
				}
				found := slices.ContainsFunc(p.Warnings(), func(l Finding) bool { return l.Topic == TopicHello })
				if found != warned {
					s.t.Errorf("%s: %v", name, p)
				}
				_ = c.Close()
			}
		}},
		{name: "C26/Send after an acceptance", relays: 2, run: func(s *testSetup) {
			for i := range 4 {
				s.wantAccepted(i)
			}
			for _, r := range s.relays {
				r.answer = answer("RCPT", "550 5.7.1 <b@app.test>: Sender address rejected: not owned by user app")
			}
			r, err := s.send(testMessage(5))
			s.want(r, Deferred)
			s.wantErr(err, ErrRelayRefused)
		}},
		{name: "C26/sender of a mailing, both", relays: 2, change: func(_ *Config, rs []*testRelay) {
			for _, r := range rs {
				r.delay = 10 * time.Millisecond
				r.answer = answer("RCPT TO:<u1", "550 5.7.1 <b@app.test>: Sender address rejected: not owned by user app")
			}
		}, run: func(s *testSetup) {
			ctx, cancel := context.WithTimeout(s.ctx(), 10*time.Minute)
			defer cancel()
			var all sync.WaitGroup
			all.Go(func() {
				got := s.sendAll(ctx, from(10_000, 3000))
				if got[Accepted]+got[Rejected]+got[InDoubt] != 0 {
					s.t.Errorf("outcomes %v", got)
				}
			})
			for i := range 120 {
				time.Sleep(5 * time.Second)
				start := time.Now()
				s.wantAccepted(20_000 + i)
				s.wantTook(start, 0, time.Second)
			}
			all.Wait()
		}},
		{name: "C26/refuses some", relays: 2, change: func(cfg *Config, rs []*testRelay) {
			cfg.Limits.Connections = 4
			rs[0].delay, rs[1].delay = 20*time.Millisecond, 20*time.Millisecond
			rs[0].answer = answer("RCPT TO:<u1", "550 5.7.1 <b@app.test>: Sender address rejected: not owned by user app")
		}, run: func(s *testSetup) {
			// It takes other mail now and then, so it is not put out. It is faster than
			// the relay that accepts, and must not have the first try at everything.
			ctx, cancel := context.WithCancel(s.ctx())
			var all sync.WaitGroup
			for j := range 6 {
				all.Go(func() {
					for i := 0; ctx.Err() == nil; i++ {
						s.wantAccepted(20_000 + 10_000*j + i)
					}
				})
			}
			time.Sleep(time.Second)
			if got := s.sendAll(s.ctx(), messages(1000)); got[Accepted] != 1000 {
				s.t.Errorf("outcomes %v", got)
			}
			cancel()
			all.Wait()
			if n := len(s.relays[0].lines("RCPT TO:<u1")); n > 400 {
				s.t.Errorf("the relay that refuses had the first try at %d of 1000", n)
			}
			if n := s.Stats().Relays[0].Ejections; n != 0 {
				s.t.Errorf("%d ejections: this says nothing", n)
			}
		}},
	},
)

// refusedAtRCPT has one relay of two refuse the client for ever, then both for half
// an hour, then both for ever.
func refusedAtRCPT(name, reply, mends string) []fault {
	wantNamed := func(s *testSetup, what, text string) {
		if !strings.Contains(text, mends) {
			s.t.Errorf("%s does not name %s: %s", what, mends, text)
		}
	}
	return []fault{
		{name: "C26/" + name, relays: 2, change: first("RCPT", reply), run: func(s *testSetup) {
			if got := s.sendAll(s.ctx(), messages(1000)); got[Accepted] != 1000 {
				s.t.Errorf("outcomes %v", got)
			}
			if n := len(s.relays[0].lines("RCPT")); n < 20 || n > 60 {
				s.t.Errorf("the relay that refuses was asked %d times", n)
			}
			wantNamed(s, "the reason", s.reason(0))
			s.wantErr(s.Client.lanes[1].pool.relays[0].lastErr, ErrRelayRefused)
		}},
		{name: "C26/" + name + ", both", relays: 2, change: answersBetween(0, 30*time.Minute, "RCPT", reply), run: func(s *testSetup) {
			if got := s.sendAll(s.ctx(), messages(300)); got[Accepted] != 300 {
				s.t.Errorf("not held: %v", got)
			}
		}},
		{name: "C26/" + name + ", both, to the end", relays: 2, change: answers("RCPT", reply), run: func(s *testSetup) {
			var log bytes.Buffer
			s.Client.cfg.Logger = slog.New(slog.NewTextHandler(lockedBuffer{&log, new(sync.Mutex)}, nil))
			ctx, cancel := context.WithTimeout(s.ctx(), time.Hour)
			defer cancel()
			r, err := s.sendWithin(ctx, testMessage(1))
			s.want(r, Deferred)
			s.wantErr(err, ErrRelayRefused)
			wantNamed(s, "Send's error", fmt.Sprint(err))
			named, all := 0, 0
			for r := range s.SendAll(ctx, messages(50)) {
				s.enter(r)
				all++
				if strings.Contains(r.Err.Error(), mends) {
					named++
				}
				if o := r.Receipt.Recipients[0].Outcome; o == Rejected || o == Accepted {
					s.t.Errorf("%v", o)
				}
			}
			if all == 0 || named < all/2 {
				s.t.Errorf("%d of %d errors name %s", named, all, mends)
			}
			wantNamed(s, "the log", log.String())
		}},
	}
}

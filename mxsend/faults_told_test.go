package mxsend

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mxsend/go-mxsend/internal/memnet"
	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// Whoever ends the wait, the error says why there was one, and the Receipt has
// what was waited for.
func TestCauseWhoeverEnds(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config, []*testRelay)
		before func(*testSetup)
		want   error  // that the error is; nil: only its text counts
		text   string // in it
		stage  Stage
	}{
		{"all stopped", nil, func(s *testSetup) {
			s.net.SetHost("10.0.0.1", memnet.Refuse)
			s.net.SetHost("10.0.0.2", memnet.Refuse)
		}, syscall.ECONNREFUSED, "of p2.relays.test", StageConnect},
		{"wrong port", func(cfg *Config, _ []*testRelay) { cfg.Port = 26 }, nil, syscall.ECONNREFUSED, ":26", StageConnect},
		{"black hole", nil, func(s *testSetup) {
			s.net.SetHost("10.0.0.1", memnet.BlackHole)
			s.net.SetHost("10.0.0.2", memnet.BlackHole)
		}, nil, "no answer in 2s", StageConnect},
		{"implicit TLS on port 25", func(cfg *Config, _ []*testRelay) { cfg.TLS = TLSImplicit }, nil, nil, "does not look like a TLS handshake", StageTLS},
		{"port 465 without implicit TLS", func(_ *Config, rs []*testRelay) {
			for _, r := range rs {
				r.tls, r.implicit = testCA().issue(r.name, certEnd), true
			}
		}, nil, nil, "Config.TLS: mxsend.TLSImplicit", StageGreeting},
		{"AUTH not offered", both(secured, func(cfg *Config, _ []*testRelay) {
			cfg.Auth = func() sasl.Client { return sasl.NewPlainClient("", "a", "b") }
		}), nil, nil, "does not offer AUTH PLAIN, the mechanism of Config.Auth; it offers none", StageAuth},
		{"HTTP", answers("", rawReply+"HTTP/1.1 400 Bad Request\r\n\r\n"), nil, smtpwire.ErrProtocol, "speaks no SMTP", StageGreeting},
		{"554 greeting", answers("", "554 5.7.1 no service for you"), nil, ErrRelayRefused, "no service for you", StageGreeting},
		{"refused behind a greeting", answers("", rawReply+"220-p1 ESMTP\r\n521 5.3.2 go away\r\n"), nil, ErrRelayRefused, `521 5.3.2 "go away"`, StageGreeting},
		{"EHLO answered 220", answers("EHLO", "220 hello"), nil, smtpwire.ErrProtocol, "220 at EHLO", StageHello},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var told []Attempt
			var mu sync.Mutex
			inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
				cfg.Observer = &Observer{Attempted: func(_ string, _ Lane, a Attempt) {
					mu.Lock()
					defer mu.Unlock()
					told = append(told, a)
				}}
				if tt.change != nil {
					tt.change(cfg, rs)
				}
			}, func(s *testSetup) {
				if tt.before != nil {
					tt.before(s)
				}
				ctx, cancel := context.WithTimeout(s.ctx(), 2*time.Second)
				defer cancel()
				start := time.Now()
				r, err := s.sendWithin(ctx, testMessage(1))
				s.wantTook(start, 0, 2*time.Second+10*time.Millisecond)
				s.want(r, Deferred)
				s.wantStage(err, tt.stage)
				if tt.want != nil {
					s.wantErr(err, tt.want)
				}
				s.wantErr(err, context.DeadlineExceeded)
				text := err.Error()
				if !strings.Contains(text, tt.text) || !strings.Contains(text, "p1.relays.test") || !strings.Contains(text, "p2.relays.test") {
					t.Errorf("the error says neither of %q and both relays: %v", tt.text, err)
				}
				if len(r.Attempts) == 0 || r.Attempts[0].Relay == "" || r.Attempts[0].Err == nil || r.Attempts[0].Stage != tt.stage {
					t.Errorf("attempts %+v", r.Attempts)
				}
				time.Sleep(time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				if len(told) != len(r.Attempts) {
					t.Errorf("%d attempts in the Receipt, %d told to Observer", len(r.Attempts), len(told))
				}
			})
		})
	}
}

// Every transaction that was begun is in the Receipt, however it ended.
func TestEveryAttemptIsTold(t *testing.T) {
	cancelled := func(s *testSetup) Receipt {
		ctx, cancel := context.WithTimeout(s.ctx(), 500*time.Millisecond)
		defer cancel()
		r, _ := s.sendWithin(ctx, testMessage(1))
		return r
	}
	for _, tt := range []struct {
		name    string
		change  func(*Config, []*testRelay)
		run     func(*testSetup) Receipt
		outcome Outcome
		stages  []Stage
	}{
		{"cancelled at MAIL", answers("MAIL", silent), cancelled, Deferred, []Stage{StageMail}},
		{"cancelled at the dot", answers(".", silent), cancelled, InDoubt, []Stage{StageFinalDot}},
		{"cancelled in its round", answers("RCPT", "450 4.2.0 greylisted"), cancelled, Deferred, []Stage{StageRecipient}},
		{"frozen on a reused connection", func(_ *Config, rs []*testRelay) {
			rs[0].answer = onceOf("MAIL FROM:<b+1@", silent)
		}, func(s *testSetup) Receipt {
			s.wantAccepted(0)
			start := time.Now()
			r, err := s.send(testMessage(1))
			s.wantTook(start, 15*time.Second, 17*time.Second)
			if !errors.Is(r.Attempts[0].Err, errTimeout) || err != nil {
				s.t.Errorf("%+v, %v", r.Attempts, err)
			}
			return r
		}, Accepted, []Stage{StageMail, StageFinalDot}},
		{"closed when idle", nil, func(s *testSetup) Receipt {
			s.wantAccepted(0)
			s.relays[0].closeAll()
			return s.wantAccepted(1)
		}, Accepted, []Stage{StageMail, StageFinalDot}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, 1, tt.change, func(s *testSetup) {
				r := tt.run(s)
				s.want(r, tt.outcome)
				var got []Stage
				for _, a := range r.Attempts {
					got = append(got, a.Stage)
				}
				if !slices.Equal(got, tt.stages) {
					t.Errorf("stages %v, want %v: %+v", got, tt.stages, r.Attempts)
				}
			})
		})
	}
}

// C28: a relay that is silent on reused connections is blamed for it.
func silentWhenReused(t *testing.T) {
	inBubble(t, 2, func(_ *Config, rs []*testRelay) {
		rs[0].delay, rs[1].delay = 200*time.Millisecond, 200*time.Millisecond
		start := time.Now()
		rs[0].answer = func(_ int, line string) string {
			switch late := time.Since(start) > time.Second; {
			case late && strings.HasPrefix(line, "MAIL"):
				return silent
			case late && line == "":
				return "421 4.7.0 enough connections" // so that only those there are count
			}
			return usual
		}
	}, func(s *testSetup) {
		var all sync.WaitGroup
		for i := range 300 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 20 * time.Millisecond)
				own := time.Now()
				r := s.wantAccepted(i)
				s.wantTook(own, 0, 16*time.Second)
				if n := len(r.Attempts); n > 2 {
					s.t.Errorf("message %d: %+v", i, r.Attempts)
				}
			})
		}
		time.Sleep(25 * time.Second)
		if st := s.Stats().Relays[0]; st.Ejections == 0 || st.Reason == "" {
			s.t.Errorf("the silent relay is not put out: %+v", st)
		}
		all.Wait()
	})
}

// C32: a cancellation that falls between the look at the books and a Write, or
// between two Writes, ends the content.
func cancelledBetween(t *testing.T) {
	for _, at := range []string{"MAIL", "From:", "xxxx"} { // the Write that begins so, and any within the content
		t.Run(at, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
				rs[0].content = func(_ int, s *testSession) bool {
					for {
						time.Sleep(time.Second) // ever so slowly
						if _, err := io.CopyN(io.Discard, s.in, 1<<10); err != nil {
							return true
						}
					}
				}
				dial := cfg.Dial
				cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
					nc, err := dial(ctx, network, address)
					return beforeWrite{nc, func(p []byte) {
						if strings.Contains(string(p[:min(len(p), 100)]), at) {
							cancel(errTest)
							time.Sleep(time.Millisecond) // Send has seen it
						}
					}}, err
				}
			}, func(s *testSetup) {
				s.sloppy = true
				m := testMessage(1)
				m.Content = testContentOf(8 << 20)
				start := time.Now()
				ctx, stop := context.WithCancelCause(ctx)
				defer stop(nil)
				r, err := s.sendWithin(ctx, m)
				s.wantTook(start, 0, time.Second)
				s.want(r, Deferred)
				s.wantErr(err, errTest)
				start = time.Now()
				_ = s.Close()
				s.wantTook(start, 0, time.Second)
			})
		})
	}
	t.Run("before the first octet", func(t *testing.T) {
		var h handedOver
		client, relay := net.Pipe()
		defer client.Close()
		defer relay.Close()
		cancelled := false
		h.nc, h.patient = client, func() { cancelled = true } // after the look at the books, before the Write
		h.revoked = func() bool { return cancelled }
		if n, err := h.Write([]byte("MAIL")); n != 0 || !errors.Is(err, errInterrupted) {
			t.Errorf("wrote %d: %v", n, err)
		}
	})
	t.Run("between two writes", func(t *testing.T) {
		var h handedOver
		client, relay := net.Pipe()
		defer client.Close()
		defer relay.Close()
		go func() { _, _ = io.Copy(io.Discard, relay) }()
		chunks := 0
		h.nc, h.patient, h.revoked = client, func() { chunks++ }, func() bool { return chunks == 3 }
		if n, err := h.Write(make([]byte, 5*writeChunk)); n != 2*writeChunk || !errors.Is(err, errInterrupted) || h.octets != 2*writeChunk {
			t.Errorf("wrote %d: %v", n, err)
		}
	})
	t.Run("an interruption is for one Write", func(t *testing.T) {
		h := handedOver{}
		h.chunk.Store(7)
		h.interrupt(func() bool {
			h.chunk.Store(8) // the Write that was meant ended, and another began
			return true
		})
		if got := h.chunk.Load(); got != 8 {
			t.Errorf("chunk %d", got)
		}
	})
}

// beforeWrite calls before each Write.
type beforeWrite struct {
	net.Conn
	f func([]byte)
}

func (c beforeWrite) Write(p []byte) (int, error) { c.f(p); return c.Conn.Write(p) }

// A 554 5.5.0 at the final dot that means the message costs it a second try, and
// no relay its pipelining.
func TestLegitimate554AtDot(t *testing.T) {
	inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
		cfg.Limits.Connections, cfg.Limits.Reserved = 1, -1
		rs[0].delay = 5 * time.Millisecond
		bad := ""
		rs[0].answer = func(_ int, line string) string {
			switch {
			case strings.HasPrefix(line, "MAIL"):
				bad = line
			case line == "." && strings.Contains(bad, "b+1007@"):
				return "554 5.5.0 no such content, please"
			}
			return usual
		}
	}, func(s *testSetup) {
		ctx, cancel := context.WithTimeout(s.ctx(), 20*time.Second)
		defer cancel()
		got := s.sendAll(ctx, messages(50))
		if got[Accepted] != 49 {
			t.Errorf("outcomes %v", got)
		}
		if s.Stats().Relays[0].LockStep {
			t.Error("the relay is kept in lock-step")
		}
	})
}

// Lock-step ends: the relay may have been mended.
func TestLockStepEnds(t *testing.T) {
	inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
		rs[0].answer = onceOf("MAIL", "503 5.5.1 nested")
	}, func(s *testSetup) {
		s.wantAccepted(1)
		if !s.Stats().Relays[0].LockStep {
			t.Error("the relay is not in lock-step")
		}
		time.Sleep(lockStepFor)
		if s.Stats().Relays[0].LockStep {
			t.Error("the relay is in lock-step for good")
		}
		s.wantAccepted(2)
	})
}

// A connection that could not be written to takes nothing more.
func TestFailedWriteTakesNothing(t *testing.T) {
	inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
		first := true
		dial := cfg.Dial
		cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			nc, err := dial(ctx, network, address)
			fails := first
			first = false
			return failingWrite{nc, fails}, err
		}
	}, func(s *testSetup) {
		var all sync.WaitGroup
		start := time.Now()
		send := func(i int) {
			m := testMessage(i)
			m.Lane = Bulk // which goes behind another message where it can
			if _, err := s.send(m); err != nil {
				t.Error(err)
			}
		}
		all.Go(func() { send(1) })
		time.Sleep(100 * time.Millisecond) // the Write of the content has failed; the reader waits for last words
		own := time.Now()
		send(2)
		s.wantTook(own, 0, 200*time.Millisecond)
		all.Wait()
		s.wantTook(start, 0, 3*time.Second)
	})
}

// failingWrite fails to write content, and goes on reading.
type failingWrite struct {
	net.Conn
	fails bool
}

func (c failingWrite) Write(p []byte) (int, error) {
	if c.fails && strings.HasPrefix(string(p), "From:") {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(p)
}

// A relay is taken back when it may get mail again, and not before.
func TestRestoredWhenItMayGetMail(t *testing.T) {
	type event struct {
		what string
		at   time.Time
	}
	var mu sync.Mutex
	var until time.Time
	var restored []event
	inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
		cfg.Observer = &Observer{
			Ejected: func(_ string, u time.Time, _ error) { mu.Lock(); until = u; mu.Unlock() },
			Restored: func(string) {
				mu.Lock()
				defer mu.Unlock()
				if time.Now().Before(until) {
					restored = append(restored, event{"restored", time.Now()})
				}
			},
		}
		mails := 0
		rs[1].delay = 300 * time.Millisecond
		rs[0].answer = func(_ int, line string) string {
			rs[0].mu.Lock()
			defer rs[0].mu.Unlock()
			if strings.HasPrefix(line, "MAIL") {
				if mails++; mails > 1 && mails < 20 {
					return "451 4.3.0 ill"
				}
			}
			return usual
		}
		rs[0].before = func(n int, line string) {
			if line == "." && n == 1 {
				time.Sleep(2 * time.Second) // its reply comes when the relay is out
			}
		}
	}, func(s *testSetup) {
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 20 * time.Millisecond)
				s.wantAccepted(i)
			})
		}
		all.Wait()
		mu.Lock()
		defer mu.Unlock()
		if until.IsZero() {
			t.Error("the relay was never put out: nothing was tried")
		}
		if len(restored) > 0 {
			t.Errorf("taken back while it was out until %v: %v", until, restored)
		}
	})
}

// A refused session ends with QUIT.
func TestRefusedSessionQuits(t *testing.T) {
	for _, at := range []string{"", "EHLO", "STARTTLS", "AUTH"} {
		t.Run("at "+at, func(t *testing.T) {
			inBubble(t, 1, both(secured, plainAuth, noRetry, answers(at, "554 5.7.1 not you")), func(s *testSetup) {
				_, _ = s.send(testMessage(1))
				time.Sleep(time.Second)
				if got := s.relays[0].lines("QUIT"); len(got) == 0 {
					t.Errorf("the relay saw %q", s.relays[0].seen())
				}
			})
		})
	}
}

// An expired certificate is renewed, not trusted.
func TestExpiredCertificateSaysRenew(t *testing.T) {
	inBubble(t, 1, both(secured, noRetry, func(_ *Config, rs []*testRelay) {
		rs[0].tls = testCA().issue(rs[0].name, certStart.Add(time.Hour))
	}), func(s *testSetup) {
		_, err := s.send(testMessage(1))
		s.wantErr(err, ErrTLSVerify)
		if text := err.Error(); !strings.Contains(text, "renew it") || strings.Contains(text, "RootCAs") {
			t.Errorf("%v", err)
		}
		var verify *tls.CertificateVerificationError
		if !errors.As(err, &verify) {
			t.Errorf("the cause is lost: %v", err)
		}
	})
}

// What the SASL mechanism says is in the error.
func TestAuthKeepsMechanismsCause(t *testing.T) {
	inBubble(t, 1, both(secured, noRetry, func(cfg *Config, rs []*testRelay) {
		cfg.Auth = func() sasl.Client { return failingMechanism{} }
		rs[0].auth = "PLAIN x"
		rs[0].answer = answer("AUTH", "334 Y2hhbGxlbmdl", "*", "501 5.7.0 cancelled")
	}), func(s *testSetup) {
		_, err := s.send(testMessage(1))
		s.wantErr(err, errTest)
		s.wantStage(err, StageAuth)
	})
}

type failingMechanism struct{}

func (failingMechanism) Start() (string, []byte, error)        { return "PLAIN", nil, nil }
func (failingMechanism) Next(challenge []byte) ([]byte, error) { return nil, errTest }

// Masks are legible, and what could do harm is not.
func TestRepliesAreLegible(t *testing.T) {
	r := Reply{Code: 550, Text: "<u1@example.test>: Postfach unbekannt, \u00fcbrigens\x1b[2J\u202e \xff"}
	if got, want := r.String(), `550 "<…>: Postfach unbekannt, übrigens\x1b[2J\u202e �"`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

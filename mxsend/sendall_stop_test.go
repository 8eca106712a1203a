package mxsend

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

// counted counts what is pulled of a sequence.
func counted(n *atomic.Int64, messages iter.Seq[*Message]) iter.Seq[*Message] {
	return func(yield func(*Message) bool) {
		for m := range messages {
			if n.Add(1); !yield(m) {
				return
			}
		}
	}
}

// collect enters all results in the ledger and returns them.
func (s *testSetup) collect(ctx context.Context, m iter.Seq[*Message]) (all []Result) {
	for r := range s.SendAll(ctx, m) {
		s.enter(r)
		all = append(all, r)
	}
	return all
}

// wantStopped checks that the last result, and no other of those that were not
// pulled in vain, says that the sequence was not exhausted, and why.
func (s *testSetup) wantStopped(all []Result, cause error) {
	s.t.Helper()
	if len(all) == 0 {
		s.t.Fatal("no result")
	}
	s.wantErr(all[len(all)-1].Err, ErrStopped, cause)
}

// D14: where there is no hope, one message says so, and a mailing is not burnt.
func sendAllNoHope(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(cfg *Config, rs []*testRelay)
		cause  error
	}{
		{"no such domain, or a null MX", func(cfg *Config, rs []*testRelay) {
			cfg.Resolver = &scriptedResolver{answer: func(context.Context, int) (Relays, error) { return Relays{}, fmt.Errorf("%w: gone", ErrNoRelay) }}
		}, ErrNoRelay},
		{"no relay named", func(cfg *Config, rs []*testRelay) { cfg.Resolver = StaticRelays() }, ErrNoRelay},
		{"no STARTTLS", func(cfg *Config, _ []*testRelay) { cfg.TLS = TLSRequired }, ErrTLSRequired},
		{"an untrusted certificate", both(secured, func(cfg *Config, _ []*testRelay) { cfg.TLSConfig = nil }), ErrTLSVerify},
		{"a refused credential", both(secured, plainAuth, func(_ *Config, rs []*testRelay) {
			rs[0].auth, rs[1].auth = "PLAIN x", "PLAIN x"
		}), ErrRelayRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, 2, tt.change, func(s *testSetup) {
				var pulled atomic.Int64
				start := time.Now()
				all := s.collect(s.ctx(), counted(&pulled, messages(100_000)))
				s.wantTook(start, 0, time.Minute)
				if pulled.Load() != 1 || len(all) != 1 {
					t.Errorf("%d pulled, %d results", pulled.Load(), len(all))
				}
				s.wantStopped(all, tt.cause)
			})
		})
	}
}

// Once a relay was reached, a certificate that is not trusted any more, or a
// STARTTLS that is gone, is an outage, and the mailing is held.
func TestSendAllMisfitLater(t *testing.T) {
	begin := time.Time{}
	inBubble(t, 1, both(secured, func(_ *Config, rs []*testRelay) {
		begin = time.Now()
		rs[0].answer = func(_ int, line string) string {
			if now := time.Since(begin); line == "EHLO app.test" && now > time.Second && now < time.Hour {
				return "250-p1.relays.test\r\n250 PIPELINING"
			}
			return usual
		}
	}), func(s *testSetup) {
		s.wantAccepted(1)
		s.relays[0].closeAll()
		time.Sleep(2 * time.Second)
		var pulled atomic.Int64
		time.AfterFunc(59*time.Minute, func() {
			if n := pulled.Load(); n > 1000 {
				t.Errorf("%d pulled while held", n)
			}
		})
		for _, r := range s.collect(s.ctx(), counted(&pulled, messages(3000))) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
	})
}

// A null MX that is published while a mailing is under way ends it.
func TestSendAllVanishes(t *testing.T) {
	inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
		rs[0].delay = 20 * time.Millisecond
		cfg.Limits.InFlight = 100
		cfg.Resolver = &scriptedResolver{answer: func(_ context.Context, n int) (Relays, error) {
			if n > 1 {
				return Relays{}, fmt.Errorf("%w: null MX", ErrNoRelay)
			}
			return relaysFor(5*time.Second, rs...), nil
		}}
	}, func(s *testSetup) {
		var pulled atomic.Int64
		start := time.Now()
		all := s.collect(s.ctx(), counted(&pulled, messages(100_000)))
		s.wantTook(start, 4*time.Second, 6*time.Second) // looked up in the last fifth of 5 s
		s.wantStopped(all, ErrNoRelay)
		accepted := 0
		for _, r := range all {
			if r.Err == nil {
				accepted++
			}
		}
		if accepted < 1000 || len(all) != int(pulled.Load()) || len(all)-accepted > 101 {
			t.Errorf("%d accepted, %d results, %d pulled", accepted, len(all), pulled.Load())
		}
	})
}

// Shutdown during SendAll cannot be overlooked: the last result says that the
// sequence was not exhausted.
func TestSendAllShutdown(t *testing.T) {
	for _, tt := range []struct {
		name  string
		n     int // messages
		end   func(s *testSetup)
		mail  func(i int) *Message
		whole bool // everything is sent before
	}{
		{"Shutdown", 100_000, func(s *testSetup) { _ = s.Shutdown(context.Background()) }, testMessage, false},
		{"Close", 100_000, func(s *testSetup) { _ = s.Close() }, testMessage, false},
		{"Shutdown, no recipients", 100_000, func(s *testSetup) { _ = s.Shutdown(context.Background()) }, func(i int) *Message {
			m := testMessage(i)
			if i > 0 && i%100 == 99 {
				m.Recipients = nil
			}
			return m
		}, false},
		{"Shutdown, signed", 100_000, func(s *testSetup) { _ = s.Shutdown(context.Background()) }, func(i int) *Message {
			m := testMessage(i)
			m.Signer = signer("DKIM-Signature: x\r\n")
			return m
		}, false},
		{"Shutdown at the end", 100, func(s *testSetup) { _ = s.Shutdown(context.Background()) }, testMessage, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
				rs[0].delay, rs[1].delay = 20*time.Millisecond, 20*time.Millisecond
				cfg.Limits.InFlight = 100
			}, func(s *testSetup) {
				s.skipStats = true // of messages without recipients
				time.AfterFunc(3*time.Second, func() { tt.end(s) })
				var pulled atomic.Int64
				all := s.collect(s.ctx(), counted(&pulled, func(yield func(*Message) bool) {
					for i := range tt.n {
						if !yield(tt.mail(i)) {
							return
						}
					}
				}))
				if len(all) != int(pulled.Load()) {
					t.Errorf("%d results of %d pulled", len(all), pulled.Load())
				}
				if tt.whole {
					for _, r := range all {
						if r.Err != nil {
							t.Error(r.Err)
						}
					}
					if len(all) != tt.n {
						t.Errorf("%d results of %d", len(all), tt.n)
					}
					return
				}
				s.wantStopped(all, ErrClosed)
				stopped := 0
				for _, r := range all {
					if errors.Is(r.Err, ErrStopped) {
						stopped++
					}
				}
				if stopped == len(all) || pulled.Load() > 90_000 {
					t.Errorf("%d of %d say stopped", stopped, len(all))
				}
				time.Sleep(4 * time.Second)
			})
		})
	}
}

// A panic in the loop's body, or the end of its goroutine, leaves nothing sending.
func TestSendAllBodyPanics(t *testing.T) {
	for _, name := range []string{"panic", "Goexit"} {
		t.Run(name, func(t *testing.T) {
			var finished atomic.Int64
			inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
				rs[0].delay = 100 * time.Millisecond
				cfg.Observer = &Observer{Finished: func(context.Context, Receipt, Lane) { finished.Add(1) }}
			}, func(s *testSetup) {
				s.sloppy, s.skipStats = true, true
				var pulled atomic.Int64
				done := make(chan any)
				go func() {
					defer func() { done <- recover() }()
					for r := range s.SendAll(s.ctx(), counted(&pulled, messages(1_000_000))) {
						_ = r
						if name == "panic" {
							panic("body")
						}
						runtime.Goexit()
					}
				}()
				if p := <-done; name == "panic" && p != "body" {
					t.Errorf("recovered %v", p)
				}
				synctest.Wait()
				if got := finished.Load(); got != pulled.Load() {
					t.Errorf("%d of %d have their outcome", got, pulled.Load())
				}
				if st := s.Stats().Bulk; st.Queued+st.Waiting > 0 {
					t.Errorf("left behind: %+v", st)
				}
				time.Sleep(time.Second) // what was committed was, and is in doubt
				took := s.took()
				time.Sleep(time.Minute)
				if n := s.took() - took; n > 0 {
					t.Errorf("%d were sent afterwards", n)
				}
			})
		})
	}
}

// Scouting is a matter of the domain that a message goes to: transactional messages
// do not go one at a time because Bulk's relays were never reached.
func TestSendAllScoutsEachDomain(t *testing.T) {
	for _, lane := range []Lane{Transactional, Bulk} {
		t.Run(lane.String(), func(t *testing.T) {
			inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
				rs[0].delay, rs[1].delay = 100*time.Millisecond, 100*time.Millisecond
				cfg.Bulk.Domain = "bulk.test"
				cfg.Resolver = domainResolver{"relays.test": relaysFor(0, rs[0]), "bulk.test": relaysFor(0, rs[1])}
			}, func(s *testSetup) {
				start := time.Now()
				all := s.collect(s.ctx(), func(yield func(*Message) bool) {
					for i := range 100 {
						m := testMessage(i)
						m.Lane = lane
						if !yield(m) {
							return
						}
					}
				})
				s.wantTook(start, 0, 3*time.Second)
				if len(all) != 100 || s.took() != 100 {
					t.Errorf("%d results, %d taken", len(all), s.took())
				}
			})
		})
	}
}

// In a mailing of both lanes, the domain that cannot be used burns one message,
// however well the other does.
func TestSendAllScoutsBothDomains(t *testing.T) {
	inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
		cfg.Bulk.Domain = "bulk.test"
		cfg.Resolver = domainResolver{"relays.test": relaysFor(0, rs[0])}
	}, func(s *testSetup) {
		var pulled atomic.Int64
		all := s.collect(s.ctx(), counted(&pulled, func(yield func(*Message) bool) {
			for i := range 10_000 {
				m := testMessage(i)
				if m.Lane = Transactional; i >= 100 {
					m.Lane = Bulk
				}
				if !yield(m) {
					return
				}
			}
		}))
		s.wantStopped(all, ErrNoRelay)
		if len(all) != 101 || pulled.Load() != 101 || s.took() != 100 {
			t.Errorf("%d results of %d, %d taken", len(all), pulled.Load(), s.took())
		}
	})
}

type domainResolver map[string]Relays

func (d domainResolver) LookupRelays(_ context.Context, domain string) (Relays, error) {
	found, ok := d[domain]
	if !ok {
		return Relays{}, fmt.Errorf("%w: %s", ErrNoRelay, domain)
	}
	return found, nil
}

// A slowSigner takes a while, and counts how many sign at a time.
type slowSigner struct {
	takes         time.Duration
	running, most atomic.Int64
}

func (s *slowSigner) Sign(context.Context, []byte) ([]byte, error) {
	n := s.running.Add(1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	time.Sleep(s.takes)
	s.running.Add(-1)
	return []byte("DKIM-Signature: x\r\n"), nil
}

// Close waits for what signs, wherever it is called.
func TestSendAllCloseWhileSigning(t *testing.T) {
	for _, where := range []string{"elsewhere", "in the loop"} {
		t.Run(where, func(t *testing.T) {
			sign := &slowSigner{takes: time.Second}
			inBubble(t, 1, func(cfg *Config, _ []*testRelay) { cfg.Signer = sign }, func(s *testSetup) {
				closed := func() {
					if n := sign.running.Load(); n == 0 {
						t.Error("nothing signs: this tests nothing")
					}
					_ = s.Close()
					if n := sign.running.Load(); n != 0 {
						t.Errorf("Close returned, and %d sign", n)
					}
				}
				if where == "elsewhere" {
					time.AfterFunc(1500*time.Millisecond, closed)
				}
				n := 0
				for r := range s.SendAll(s.ctx(), messages(100)) {
					s.enter(r)
					if n++; n == 1 && where == "in the loop" {
						time.Sleep(500 * time.Millisecond)
						closed()
					}
				}
				s.wantErr(s.ledger[len(s.ledger)-1].Err, ErrStopped, ErrClosed)
			})
		})
	}
}

// Close does not wait for a sequence.
func TestSendAllCloseWhileSequenceWaits(t *testing.T) {
	inBubble(t, 1, nil, func(s *testSetup) {
		release := make(chan struct{})
		time.AfterFunc(time.Hour, func() { close(release) })
		time.AfterFunc(time.Minute, func() {
			start := time.Now()
			_ = s.Close()
			s.wantTook(start, 0, time.Second)
		})
		start := time.Now()
		all := s.collect(s.ctx(), func(yield func(*Message) bool) {
			if yield(testMessage(1)) {
				<-release
				if yield(testMessage(2)) {
					t.Error("more was asked for")
				}
			}
		})
		s.wantTook(start, time.Hour, time.Hour)
		s.wantStopped(all, ErrClosed)
		if len(all) != 2 {
			t.Errorf("%d results", len(all))
		}
	})
}

// A mailing is signed on all cores, but for one while transactional mail is under
// way.
func TestSendAllSignsOnAllCores(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("one core")
	}
	cores := int64(runtime.GOMAXPROCS(0))
	sign := &slowSigner{takes: 10 * time.Millisecond}
	inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
		cfg.Transactional.Domain = "tx.test"
		cfg.Resolver = domainResolver{"tx.test": relaysFor(0, rs[0]), "relays.test": relaysFor(0, rs[1])}
		rs[0].delay = 2 * time.Second
	}, func(s *testSetup) {
		mailing := make(chan struct{})
		go func() {
			defer close(mailing)
			s.collect(s.ctx(), func(yield func(*Message) bool) {
				for i := range 1000 {
					m := testMessage(1000 + i)
					m.Signer = sign
					if !yield(m) {
						return
					}
				}
			})
		}()
		time.Sleep(time.Second)
		if n := sign.most.Load(); n != cores {
			t.Errorf("%d sign, on %d cores", n, cores)
		}
		var all sync.WaitGroup
		all.Go(func() { s.wantAccepted(1) })
		time.Sleep(100 * time.Millisecond)
		sign.most.Store(0)
		time.Sleep(time.Second)
		if n := sign.most.Load(); n != cores-1 {
			t.Errorf("%d sign beside transactional mail, on %d cores", n, cores)
		}
		all.Wait()
		time.Sleep(100 * time.Millisecond)
		sign.most.Store(0)
		time.Sleep(100 * time.Millisecond)
		if n := sign.most.Load(); n != cores {
			t.Errorf("%d sign after it, on %d cores", n, cores)
		}
		<-mailing
	})
}

// A waiting transactional message is in no hurry.
func TestSendAllSignsWhileTransactionalIsHeld(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("one core")
	}
	sign := &slowSigner{takes: 10 * time.Millisecond}
	inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
		cfg.Transactional.Domain = "tx.test"
		cfg.Resolver = domainResolver{
			"tx.test":     {Hosts: []Host{{Name: "down", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.99")}}}},
			"relays.test": relaysFor(0, rs[1]),
		}
	}, func(s *testSetup) {
		s.net.SetHost("10.0.0.99", memnet.Refuse)
		ctx, cancel := context.WithTimeout(s.ctx(), 50*time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() { _, _ = s.sendWithin(ctx, testMessage(1)) })
		time.Sleep(30 * time.Second)
		all.Go(func() {
			s.collect(s.ctx(), func(yield func(*Message) bool) {
				for i := range 1000 {
					m := testMessage(1000 + i)
					m.Signer = sign
					if !yield(m) {
						return
					}
				}
			})
		})
		all.Wait()
		if n := sign.most.Load(); n != int64(runtime.GOMAXPROCS(0)) {
			t.Errorf("%d sign", n)
		}
	})
}

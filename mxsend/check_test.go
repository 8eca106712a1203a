package mxsend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

// find returns the lines of a topic.
func (p CheckResult) find(topic Topic) (lines []Finding) {
	for _, l := range p.Findings {
		if l.Topic == topic {
			lines = append(lines, l)
		}
	}
	return lines
}

// only returns the one line of a topic.
func (p CheckResult) only(t *testing.T, topic Topic) Finding {
	t.Helper()
	lines := p.find(topic)
	if len(lines) != 1 {
		t.Fatalf("%d lines about %s, want one:\n%s", len(lines), topic, p)
	}
	return lines[0]
}

// checkIs compares a line's severity, and parts of its text.
func checkIs(t *testing.T, l Finding, severity Severity, parts ...string) {
	t.Helper()
	if l.Severity != severity {
		t.Errorf("got %v, want %v", l, severity)
	}
	for _, part := range parts {
		if !strings.Contains(l.String(), part) {
			t.Errorf("got %v, want %q in it", l, part)
		}
	}
	if l.Severity == SeverityOK && l.Advice != "" {
		t.Errorf("got %v: advice where all is well", l)
	}
}

func TestCheckRelays(t *testing.T) {
	refuse := func(at, reply string) func(*Config, []*testRelay) {
		return func(_ *Config, rs []*testRelay) {
			rs[0].answer = func(_ int, line string) string {
				if line == at {
					return reply
				}
				return ""
			}
		}
	}
	for _, tc := range []struct {
		name     string
		change   func(*Config, []*testRelay)
		topic    Topic
		severity Severity
		want     []string
	}{
		{"well", nil, TopicRelay, SeverityOK, []string{"p1.relays.test 10.0.0.1:25", "ready for mail after"}},
		{"in clear", nil, TopicTLS, SeverityWarning, []string{"in clear", "TLSRequired"}},
		{"all extensions", nil, TopicExtensions, SeverityOK, []string{"PIPELINING", "SIZE 10240000", "DSN"}},
		{"single", nil, TopicDNS, SeverityWarning, []string{"one relay carries everything", "add another"}},
		{"no PIPELINING", func(_ *Config, rs []*testRelay) { rs[0].ehlo = []string{"SIZE 1", "8BITMIME", "DSN"} },
			TopicExtensions, SeverityWarning, []string{"lacks PIPELINING (each command waits", "smtpd_discard_ehlo_keywords"}},
		{"refuses our name", refuse("EHLO app.test", "550 5.7.1 no"),
			TopicRelay, SeverityError, []string{"failed at EHLO", "mynetworks"}},
		{"nothing but HELO", refuse("EHLO app.test", "502 5.5.1 no"),
			TopicExtensions, SeverityWarning, []string{"lacks PIPELINING", "offers no extension"}},
		{"few extensions", func(_ *Config, rs []*testRelay) { rs[0].ehlo = nil },
			TopicExtensions, SeverityWarning, []string{"PIPELINING", "8BITMIME (", "SIZE (", "DSN ("}},
		{"refuses us", refuse("", "554 5.7.1 you@there.test go away"), TopicRelay, SeverityError, []string{"failed at greeting: 554", "go away", "mynetworks"}},
		{"enough of us", refuse("", "421 4.7.0 too many connections"), TopicRelay, SeverityError, []string{"421", "enough connections"}},
		{"not SMTP", refuse("", "HTTP/1.1 400 Bad Request"), TopicRelay, SeverityError, []string{"speaks no SMTP", "Config.Port"}},
		{"hangs up", refuse("", "-"), TopicRelay, SeverityError, []string{"failed at greeting"}},
		{"no STARTTLS", func(cfg *Config, _ []*testRelay) { cfg.TLS = TLSRequired }, TopicTLS, SeverityError, []string{"does not offer STARTTLS"}},
		{"refused", func(cfg *Config, _ []*testRelay) { cfg.Port = 26 }, TopicRelay, SeverityError, []string{"failed at connect", "nothing listens there"}},
		{"drained and down", func(cfg *Config, _ []*testRelay) { cfg.Port, cfg.Weights = 26, map[string]int{"P1.relays.test.": 0} },
			TopicRelay, SeverityWarning, []string{"failed at connect", "it is drained"}},
		{"weight of a stranger", func(cfg *Config, _ []*testRelay) { cfg.Weights = map[string]int{"p7.relays.test": 3} },
			TopicWeights, SeverityWarning, []string{"p7.relays.test", "weight 3", "no MX record names"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, 1, tc.change, func(s *testSetup) {
				p, err := s.Check(s.ctx())
				if err != nil {
					t.Fatal(err)
				}
				lines := p.find(tc.topic)
				if len(lines) == 0 {
					t.Fatalf("no line about %s:\n%s", tc.topic, p)
				}
				checkIs(t, lines[len(lines)-1], tc.severity, tc.want...)
				if strings.Contains(p.String(), "you@there") {
					t.Errorf("an address in\n%s", p)
				}
			})
		})
	}
}

// A check leaves nothing behind: no mail, no blame, and on the relay only a
// connection with EHLO and QUIT.
func TestCheckIsHarmless(t *testing.T) {
	inBubble(t, 2, nil, func(s *testSetup) {
		p, err := s.Check(s.ctx())
		if err != nil || !p.OK() {
			t.Fatalf("%v\n%s", err, p)
		}
		for _, r := range s.relays {
			if got := strings.Join(r.commands, ","); got != "EHLO app.test,QUIT" || r.conns != 1 {
				t.Errorf("%s heard %s in %d connections", r.name, got, r.conns)
			}
		}
		if _, err := s.send(testMessage(1)); err != nil {
			t.Error(err)
		}
	})
	t.Run("a failed one blames nobody", func(t *testing.T) {
		inBubble(t, 1, func(_ *Config, rs []*testRelay) {
			rs[0].answer = func(conn int, line string) string {
				if conn <= 9 {
					return "421 4.3.2 not now"
				}
				return ""
			}
		}, func(s *testSetup) {
			for range 9 {
				if p, err := s.Check(s.ctx()); err != nil || p.OK() {
					t.Fatalf("%v\n%s", err, p)
				}
			}
			start := time.Now()
			if _, err := s.send(testMessage(1)); err != nil || time.Since(start) > time.Second {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		})
	})
}

func TestCheckEveryAddress(t *testing.T) {
	inBubble(t, 2, func(cfg *Config, _ []*testRelay) {
		cfg.Resolver = StaticRelays(
			Host{Name: "p1.relays.test", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.9")}},
			Host{Name: "p2.relays.test", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.2")}},
			Host{Name: "p3.relays.test", Preference: 30, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.3")}},
		)
		cfg.MaxPreference = 20
	}, func(s *testSetup) {
		p, err := s.Check(s.ctx())
		if err != nil {
			t.Fatal(err)
		}
		got := p.find(TopicRelay)
		if len(got) != 3 {
			t.Fatalf("%d addresses were tried:\n%s", len(got), p)
		}
		checkIs(t, got[0], SeverityOK, "p1.relays.test 10.0.0.1:25")
		checkIs(t, got[1], SeverityError, "p1.relays.test 10.0.0.9:25", "failed at connect")
		checkIs(t, got[2], SeverityOK, "p2.relays.test 10.0.0.2:25")
		checkIs(t, p.only(t, TopicDNS), SeverityOK, "both lanes: 3 relays", "30 p3.relays.test", "beyond Config.MaxPreference")
	})
}

// A relay that says nothing costs its own line, not the check.
func TestCheckSilentRelay(t *testing.T) {
	inBubble(t, 2, nil, func(s *testSetup) {
		s.net.SetHost("10.0.0.2", memnet.BlackHole)
		start := time.Now()
		p, err := s.Check(s.ctx())
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 11*time.Second {
			t.Errorf("took %v", took)
		}
		relays := p.find(TopicRelay)
		checkIs(t, relays[0], SeverityOK)
		checkIs(t, relays[1], SeverityError, "failed at connect", "firewall")
	})
	t.Run("no greeting", func(t *testing.T) {
		inBubble(t, 2, func(_ *Config, rs []*testRelay) {
			rs[1].answer = func(int, string) string { time.Sleep(time.Hour); return "-" }
		}, func(s *testSetup) {
			defer time.Sleep(time.Hour) // until the relay is done, too
			start := time.Now()
			p, err := s.Check(s.ctx())
			if took := time.Since(start); err != nil || took > probeTime+time.Second {
				t.Errorf("%v after %v", err, took)
			}
			checkIs(t, p.find(TopicRelay)[1], SeverityError, "failed at greeting", "no answer within 30s")
		})
	})
}

func TestCheckEnds(t *testing.T) {
	silent := func(_ *Config, rs []*testRelay) {
		rs[0].answer = func(int, string) string { time.Sleep(time.Hour); return "-" }
	}
	t.Run("with its context", func(t *testing.T) {
		inBubble(t, 1, silent, func(s *testSetup) {
			defer time.Sleep(time.Hour) // until the relay is done, too
			ctx, cancel := context.WithTimeout(s.ctx(), 3*time.Second)
			defer cancel()
			p, err := s.Check(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || p.OK() {
				t.Errorf("got %v\n%s", err, p)
			}
			checkIs(t, p.only(t, TopicCheck), SeverityError, "ended before", "more time")
		})
	})
	t.Run("with the Client", func(t *testing.T) {
		inBubble(t, 1, silent, func(s *testSetup) {
			defer time.Sleep(time.Hour) // until the relay is done, too
			time.AfterFunc(3*time.Second, func() { _ = s.Close() })
			if _, err := s.Check(s.ctx()); !errors.Is(err, ErrClosed) {
				t.Errorf("got %v", err)
			}
			if p, err := s.Check(s.ctx()); !errors.Is(err, ErrClosed) || p.OK() {
				t.Errorf("after Close got %v", err)
			}
		})
	})
}

// What the user brings along may fail in any way: it costs its own lines.
func TestCheckSurvivesPanics(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Config)
		left   Topic // what is found out all the same
	}{
		{"Resolver", func(c *Config) { c.Resolver = failingResolver{nil} }, TopicSigner},
		{"Dial", func(c *Config) {
			c.Dial = func(context.Context, string, string) (net.Conn, error) { panic("no") }
		}, TopicDNS},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, 2, func(c *Config, _ []*testRelay) { tc.change(c) }, func(s *testSetup) {
				p, err := s.Check(s.ctx())
				if err != nil || p.OK() || !strings.Contains(p.String(), "panicked") || len(p.find(tc.left)) == 0 {
					t.Errorf("got %v\n%s", err, p)
				}
			})
		})
	}
}

type failingResolver struct{ err error }

func (r failingResolver) LookupRelays(context.Context, string) (Relays, error) {
	if r.err == nil {
		panic("no error to return")
	}
	return Relays{}, r.err
}

type fixedResolver Relays

func (r fixedResolver) LookupRelays(_ context.Context, domain string) (Relays, error) {
	if domain == "bulk.test" {
		return Relays{}, ErrNoRelay
	}
	return Relays(r), nil
}

func TestCheckDomains(t *testing.T) {
	p1 := Host{Name: "p1.relays.test", Preference: 10, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}
	p2 := Host{Name: "p2.relays.test", Preference: 10, Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}
	for _, tc := range []struct {
		name   string
		change func(*Config)
		at     int // which line
		is     Severity
		want   []string
	}{
		{"no answer", func(c *Config) { c.Resolver = failingResolver{errors.New("time-out")} }, 0, SeverityError, []string{"no relays: time-out", "name servers"}},
		{"no relay", func(c *Config) { c.Resolver = failingResolver{ErrNoRelay} }, 0, SeverityError, []string{"publish MX records"}},
		{"empty answer", func(c *Config) { c.Resolver = fixedResolver{} }, 0, SeverityError, []string{"no relay"}},
		{"expiry", func(c *Config) {
			c.Resolver = fixedResolver{Hosts: []Host{p1}, Expires: time.Now().Add(42 * time.Second)}
		}, 0, SeverityOK, []string{"10 p1.relays.test [10.0.0.1]", "asked again in 42s"}},
		{"stale", func(c *Config) { c.Resolver = fixedResolver{Hosts: []Host{p1}, Stale: true} }, 1, SeverityWarning, []string{"last good answer", "name servers"}},
		{"stale, and why", func(c *Config) {
			c.Resolver = fixedResolver{Hosts: []Host{p1}, Stale: true, Cause: errors.New("it vanished")}
		}, 1, SeverityWarning, []string{"last good answer", "it vanished"}},
		{"warnings", func(c *Config) { c.Resolver = fixedResolver{Hosts: []Host{p1}, Warnings: []string{"p9 is skipped"}} }, 1, SeverityWarning, []string{"p9 is skipped"}},
		{"one address", func(c *Config) { c.Resolver = fixedResolver{Hosts: []Host{p1, p2}} }, 1, SeverityWarning, []string{"one and the same address"}},
		{"all drained", func(c *Config) { c.Weights = map[string]int{"p1.relays.test": 0} }, 1, SeverityError, []string{"no relay may be used"}},
		{"lane of its own", func(c *Config) {
			c.Bulk.Domain = "bulk.test"
			c.Resolver = fixedResolver{Hosts: []Host{p1, p1}}
		}, 2, SeverityError, []string{"bulk.test", "no relay"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, 1, func(c *Config, _ []*testRelay) { tc.change(c) }, func(s *testSetup) {
				p, err := s.Check(s.ctx())
				if err != nil {
					t.Fatal(err)
				}
				lines := p.find(TopicDNS)
				if len(lines) <= tc.at {
					t.Fatalf("no line %d:\n%s", tc.at, p)
				}
				checkIs(t, lines[tc.at], tc.is, tc.want...)
			})
		})
	}
}

func TestCheckConfigRefused(t *testing.T) {
	_, err := New(Config{Domain: "relays.test", Auth: func() sasl.Client { return nil }, Check: CheckConfig{
		FromDomains:       []string{"shop.test", "shop@shop.test", "localhost"},
		ReturnPathDomains: []string{"bounce..test"},
		OutboundIPs:       []netip.Addr{netip.MustParseAddr("192.0.2.1"), {}, netip.IPv4Unspecified()},
		NameServers:       []string{"not an address"},
	}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"FromDomains: want a domain", `"localhost" is not a complete`, "ReturnPathDomains: \"bounce..test\"",
		"OutboundIPs[1]", "OutboundIPs[2]", "NameServers: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in\n%v", want, err)
		}
	}
	many := make([]string, maxReturnPaths+1)
	for i := range many {
		many[i] = fmt.Sprintf("b%d.shop.test", i)
	}
	if _, err := New(Config{Domain: "relays.test", Check: CheckConfig{ReturnPathDomains: many}}); err == nil || !strings.Contains(err.Error(), "17 domains; at most 16") {
		t.Errorf("got %v", err)
	}
	c, err := New(Config{Domain: "relays.test", Check: CheckConfig{ReturnPathDomains: []string{"BÜRO.test.", "xn--bro-hoa.test"}, OutboundIPs: []netip.Addr{netip.MustParseAddr("::ffff:192.0.2.1")}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.cfg.Check; len(got.ReturnPathDomains) != 1 || got.ReturnPathDomains[0] != "xn--bro-hoa.test" || got.OutboundIPs[0].String() != "192.0.2.1" {
		t.Errorf("got %+v", got)
	}
}

func TestCheckResultEncoding(t *testing.T) {
	p := CheckResult{Findings: []Finding{
		{Topic: TopicDNS, Subject: "relays.test", Found: "2 relays", Until: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		{Severity: SeverityError, Topic: TopicReturnPath, Subject: "b.test", Found: "no MX", Advice: "publish one"},
	}}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"findings":[{"severity":"ok","topic":"dns","subject":"relays.test","found":"2 relays","until":"2026-01-02T03:04:05Z"},` +
		`{"severity":"error","topic":"return path","subject":"b.test","found":"no MX","advice":"publish one"}]}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	var back CheckResult
	if err := json.Unmarshal(text, &back); err != nil || back.String() != p.String() || back.OK() || len(back.Errors()) != 1 || back.Warnings() != nil {
		t.Errorf("got %v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"findings":[{"severity":"dire"}]}`), &back); err == nil {
		t.Error("took a severity that there is not")
	}
	table := "ok       dns          relays.test  2 relays\n" +
		"error    return path  b.test       no MX\n" +
		"                                   → publish one\n"
	if got := p.String(); got != table {
		t.Errorf("got\n%s\nwant\n%s", got, table)
	}
	if (CheckResult{}).OK() {
		t.Error("nothing was checked, and that is OK")
	}
}

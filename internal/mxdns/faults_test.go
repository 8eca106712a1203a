package mxdns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/mxsend/go-mxsend/internal/memnet"
)

// TestFaults goes through what DNS can do wrong, by the numbers of the fault matrix.
func TestFaults(t *testing.T) {
	for _, fault := range []struct {
		id   string
		test func(t *testing.T)
	}{
		{"D1", faultNoAnswer},
		{"D2", faultNoDomain},
		{"D3", faultNullMX},
		{"D4", faultTruncated},
		{"D5", faultForged},
		{"D6", faultAliasLoop},
		{"D7", faultAliasRelay},
		{"D8", faultTooMany},
		{"D9", faultUnusableAddress},
		{"D10", faultNoRoute},
		{"D12", faultTTL},
		{"D13", faultStampede},
	} {
		t.Run(fault.id, fault.test)
	}
}

// bubble runs a subtest in a bubble of fake time.
func bubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func wantSince(t testing.TB, what string, since time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(since); got != want {
		t.Errorf("%s took %v, want %v", what, got, want)
	}
}

// oneRelay is a domain with one relay; its answers live for a minute.
var oneRelay = []string{
	"relay.example. 60 IN MX 10 a.relay.example.",
	"a.relay.example. 60 IN A 192.0.2.1",
	"a.relay.example. 60 IN AAAA 2001:db8::1",
}

const oneRelayHosts = "a.relay.example 2001:db8::1 192.0.2.1"

func faultNoAnswer(t *testing.T) {
	const silence = -1
	for name, rcode := range map[string]int{"SERVFAIL": dns.RcodeServerFailure, "REFUSED": dns.RcodeRefused, "silence": silence} {
		bubble(t, name+" at first use", func(t *testing.T) {
			z := newZone(t, oneRelay...)
			z.fail("", rcode)
			start := time.Now()
			_, err := begin(t, z).LookupRelays(t.Context(), "relay.example")
			wantErr(t, "lookup", err, ErrTemporary)
			var failure *Error
			if !errors.As(err, &failure) || !failure.Temporary() || failure.Name != "relay.example" {
				t.Errorf("got %#v, want a temporary *Error for relay.example", err)
			}
			if rcode == silence {
				wantSince(t, "lookup", start, defaultAttempts*defaultTimeout)
			} else {
				wantSince(t, "lookup", start, 0)
			}
		})
		bubble(t, name+" later", func(t *testing.T) {
			var log bytes.Buffer
			z := newZone(t, oneRelay...)
			n := memnet.New(memnet.Config{})
			serve(t, n, nameServer, z)
			r := resolver(t, n, Config{StaleFor: time.Hour, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			lookupRelays(t, r, "relay.example")
			began := time.Now()
			z.fail("", rcode)
			time.Sleep(time.Minute)

			start := time.Now()
			relays := lookupRelays(t, r, "relay.example")
			wantHosts(t, relays, oneRelayHosts)
			if !relays.Stale || !errors.Is(relays.Cause, ErrTemporary) && rcode != silence {
				t.Errorf("stale = %v for %v, want stale for %v", relays.Stale, relays.Cause, ErrTemporary)
			}
			if rcode == silence { // RFC 8767 §5, for the MX records, then for the addresses
				wantSince(t, "stale answer", start, 2*clientResponse)
			} else {
				wantSince(t, "stale answer", start, 0)
			}
			time.Sleep(longest)
			start = time.Now()
			for range 100 { // the failure is known now: nobody waits, and it is logged once a question
				if time.Sleep(time.Second); !lookupRelays(t, r, "relay.example").Stale {
					t.Error("not stale while the server fails")
				}
			}
			wantSince(t, "100 lookups a second apart", start, 100*time.Second)
			synctest.Wait()
			if got := strings.Count(log.String(), "last good answer"); got != 3 {
				t.Errorf("logged %d failures, want one for each of MX, A and AAAA:\n%s", got, &log)
			}
			if r.Stats().Stale == 0 || r.Stats().Failures < 3 {
				t.Errorf("stats = %+v show no failure", r.Stats())
			}

			z.fail("", 0)
			time.Sleep(failureRecheck)
			lookupRelays(t, r, "relay.example")
			time.Sleep(failureRecheck)
			if relays := lookupRelays(t, r, "relay.example"); relays.Stale {
				t.Errorf("still stale after recovery: %v", relays.Cause)
			}

			z.fail("", rcode)
			time.Sleep(time.Minute + time.Hour)
			_, err := r.LookupRelays(t.Context(), "relay.example")
			wantErr(t, fmt.Sprintf("lookup %v after the first, past what is kept", time.Since(began)), err, ErrTemporary)
		})
	}
	bubble(t, "one server of two", func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		serve(t, n, nameServer, newZone(t, oneRelay...))
		r := resolver(t, n, Config{Servers: []string{"192.0.2.54", nameServer}, Timeout: 3 * time.Second})
		n.SetHost("192.0.2.54", memnet.BlackHole)
		start := time.Now()
		lookupRelays(t, r, "relay.example")
		wantSince(t, "first lookup", start, 3*time.Second) // the MX; then the other server is known to answer
	})
	bubble(t, "one host of two", func(t *testing.T) {
		z := newZone(t, append(oneRelay,
			"relay.example. 60 IN MX 10 b.relay.example.",
			"b.relay.example. 60 IN A 192.0.2.2")...)
		z.fail("b.relay.example.", silence)
		relays := lookupRelays(t, begin(t, z), "relay.example")
		wantHosts(t, relays, oneRelayHosts)
		if len(relays.Skipped) != 1 || relays.Skipped[0].Host != "b.relay.example" || !errors.Is(relays.Skipped[0].Err, ErrTemporary) {
			t.Errorf("skipped %+v, want b.relay.example for a temporary failure", relays.Skipped)
		}
		wantExpires(t, relays.Expires, minTTL)
	})
	bubble(t, "a slow host is not waited for", func(t *testing.T) {
		z := newZone(t, append(oneRelay, "relay.example. 60 IN MX 5 slow.relay.example.", "slow.relay.example. 60 IN A 192.0.2.2")...)
		z.fail("slow.relay.example.", silence)
		n := memnet.New(memnet.Config{})
		serve(t, n, nameServer, z)
		r := resolver(t, n, Config{Timeout: 5 * time.Second})
		start := time.Now()
		wantHosts(t, lookupRelays(t, r, "relay.example"), oneRelayHosts)
		wantSince(t, "first lookup", start, hostPatience)
		time.Sleep(10 * time.Second) // it is known to fail now
		start = time.Now()
		relays := lookupRelays(t, r, "relay.example")
		wantHosts(t, relays, oneRelayHosts)
		wantSince(t, "later lookup", start, 0)
		if len(relays.Skipped) != 1 || !errors.Is(relays.Skipped[0].Err, ErrTemporary) {
			t.Errorf("skipped %+v, want the slow one for a temporary failure", relays.Skipped)
		}
		z.fail("slow.relay.example.", 0)
		time.Sleep(10 * time.Second)
		lookupRelays(t, r, "relay.example")
		synctest.Wait()
		wantHosts(t, lookupRelays(t, r, "relay.example"), "slow.relay.example 192.0.2.2, "+oneRelayHosts)
	})
	bubble(t, "a slow host is all there is", func(t *testing.T) {
		z := newZone(t, oneRelay...)
		z.answer = func(w dns.ResponseWriter, r *dns.Msg) bool {
			if r.Question[0].Qtype != dns.TypeMX {
				time.Sleep(2 * hostPatience)
			}
			return false
		}
		n := memnet.New(memnet.Config{})
		serve(t, n, nameServer, z)
		start := time.Now()
		wantHosts(t, lookupRelays(t, resolver(t, n, Config{Timeout: 3 * hostPatience}), "relay.example"), oneRelayHosts)
		wantSince(t, "lookup", start, 2*hostPatience)
	})
	bubble(t, "one family of two", func(t *testing.T) {
		z := newZone(t, oneRelay...)
		z.answer = func(w dns.ResponseWriter, r *dns.Msg) bool { return r.Question[0].Qtype == dns.TypeAAAA }
		relays := lookupRelays(t, begin(t, z), "relay.example")
		wantHosts(t, relays, "a.relay.example 192.0.2.1")
		if len(relays.Warnings) != 1 || !strings.Contains(relays.Warnings[0], "not every address") {
			t.Errorf("warnings = %q, want one about the other family", relays.Warnings)
		}
	})
	bubble(t, "no host of two", func(t *testing.T) {
		z := newZone(t, oneRelay...)
		z.fail("a.relay.example.", dns.RcodeServerFailure)
		_, err := begin(t, z).LookupRelays(t.Context(), "relay.example")
		wantErr(t, "lookup", err, ErrTemporary)
	})
}

func faultNoDomain(t *testing.T) {
	bubble(t, "NXDOMAIN at first use", func(t *testing.T) {
		z := newZone(t)
		r := begin(t, z)
		for range 3 {
			_, err := r.LookupRelays(t.Context(), "relay.example")
			wantErr(t, "lookup", err, ErrNoSuchDomain)
			if errors.Is(err, ErrTemporary) {
				t.Errorf("%v is temporary", err)
			}
		}
		if got := z.queries.Load(); got != 1 {
			t.Errorf("%d queries, want 1: negative answers are cached", got)
		}
		z.set(t, oneRelay...)
		time.Sleep(time.Minute) // the SOA's minimum
		wantHosts(t, lookupRelays(t, r, "relay.example"), oneRelayHosts)
	})
	bubble(t, "NXDOMAIN at run time", func(t *testing.T) {
		var log bytes.Buffer
		z := newZone(t, oneRelay...)
		n := memnet.New(memnet.Config{})
		serve(t, n, nameServer, z)
		r := resolver(t, n, Config{StaleFor: time.Hour, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		lookupRelays(t, r, "relay.example")
		z.set(t)
		time.Sleep(time.Minute)
		for range 50 {
			relays := lookupRelays(t, r, "relay.example")
			wantHosts(t, relays, oneRelayHosts)
			if !relays.Stale || !errors.Is(relays.Cause, ErrNoSuchDomain) {
				t.Errorf("stale = %v for %v, want stale for %v", relays.Stale, relays.Cause, ErrNoSuchDomain)
			}
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if got := strings.Count(log.String(), "vanished"); got != 3 {
			t.Errorf("logged %d times, want once for each of MX, A and AAAA:\n%s", got, &log)
		}
		time.Sleep(11 * time.Minute)
		_, err := r.LookupRelays(t.Context(), "relay.example")
		wantErr(t, "lookup past what is kept", err, ErrNoSuchDomain)
	})
	bubble(t, "all records gone at run time", func(t *testing.T) {
		z := newZone(t, oneRelay...)
		r := begin(t, z)
		lookupRelays(t, r, "relay.example")
		z.set(t, "relay.example. 60 IN TXT \"there\"", "a.relay.example. 60 IN TXT \"there\"")
		time.Sleep(time.Minute)
		relays := lookupRelays(t, r, "relay.example")
		wantHosts(t, relays, oneRelayHosts)
		if !relays.Stale || relays.Implicit {
			t.Errorf("stale = %v, implicit = %v, want the last good set", relays.Stale, relays.Implicit)
		}
	})
	bubble(t, "a host removed at run time", func(t *testing.T) {
		z := newZone(t, append(oneRelay, "relay.example. 60 IN MX 20 b.relay.example.", "b.relay.example. 60 IN A 192.0.2.2")...)
		r := begin(t, z)
		wantHosts(t, lookupRelays(t, r, "relay.example"), oneRelayHosts+", b.relay.example 192.0.2.2")
		z.set(t, append(oneRelay, "relay.example. 60 IN MX 20 b.relay.example.")...)
		time.Sleep(time.Minute)
		relays := lookupRelays(t, r, "relay.example")
		wantHosts(t, relays, oneRelayHosts)
		if relays.Stale || len(relays.Skipped) != 1 {
			t.Errorf("stale = %v, skipped = %v; want b skipped from a fresh set", relays.Stale, relays.Skipped)
		}
	})
	bubble(t, "NODATA is an implicit MX", func(t *testing.T) {
		relays := lookupRelays(t, begin(t, newZone(t, "relay.example. 60 IN A 192.0.2.9")), "relay.example")
		wantHosts(t, relays, "relay.example 192.0.2.9")
		if !relays.Implicit {
			t.Error("not marked as implicit")
		}
	})
	bubble(t, "no implicit MX beside MX records", func(t *testing.T) {
		_, err := begin(t, newZone(t, "relay.example. 60 IN A 192.0.2.9", "relay.example. 60 IN MX 10 gone.example.")).
			LookupRelays(t.Context(), "relay.example")
		wantErr(t, "lookup", err, ErrNoAddress)
	})
	bubble(t, "no implicit MX from a referral", func(t *testing.T) {
		z := newZone(t, "relay.example. 60 IN A 192.0.2.9")
		z.answer = func(w dns.ResponseWriter, r *dns.Msg) bool {
			m := z.reply(r)
			if r.Question[0].Qtype == dns.TypeMX {
				ns, _ := dns.NewRR("relay.example. 60 IN NS ns.relay.example.")
				m.Ns = []dns.RR{ns}
			}
			return w.WriteMsg(m) == nil
		}
		_, err := begin(t, z).LookupRelays(t.Context(), "relay.example")
		wantErr(t, "lookup", err, ErrTemporary)
	})
}

func faultNullMX(t *testing.T) {
	bubble(t, "final", func(t *testing.T) {
		z := newZone(t, "relay.example. 60 IN MX 0 .", "relay.example. 60 IN A 192.0.2.9")
		_, err := begin(t, z).LookupRelays(t.Context(), "relay.example")
		wantErr(t, "lookup", err, ErrNullMX)
		if got := z.count("relay.example.", "A"); got != 0 {
			t.Errorf("asked %d times for an address", got)
		}
	})
	bubble(t, "final at run time", func(t *testing.T) {
		z := newZone(t, oneRelay...)
		r := begin(t, z)
		lookupRelays(t, r, "relay.example")
		z.set(t, "relay.example. 60 IN MX 0 .")
		time.Sleep(time.Minute)
		_, err := r.LookupRelays(t.Context(), "relay.example")
		wantErr(t, "lookup", err, ErrNullMX)
	})
	bubble(t, "beside others", func(t *testing.T) {
		relays := lookupRelays(t, begin(t, newZone(t, append(oneRelay, "relay.example. 60 IN MX 0 .")...)), "relay.example")
		wantHosts(t, relays, oneRelayHosts)
		if len(relays.Warnings) != 1 {
			t.Errorf("warnings = %q, want one", relays.Warnings)
		}
	})
}

// loopback is a name server on real sockets; without TCP its TCP port refuses.
func loopback(t *testing.T, tcp bool, h dns.HandlerFunc) *Resolver {
	t.Helper()
	pc, l := loopbackSockets(t)
	if !tcp {
		l.Close()
	}
	serveOn(t, pc, l, h)
	r, err := New(Config{Servers: []string{pc.LocalAddr().String()}, Timeout: 10 * time.Second, Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func faultTruncated(t *testing.T) {
	z := newZone(t, oneRelay...)
	truncate := func(w dns.ResponseWriter, r *dns.Msg) {
		m := z.reply(r)
		if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
			m.Truncated = true
			m.Answer = nil
		}
		w.WriteMsg(m)
	}
	t.Run("TCP", func(t *testing.T) {
		r := loopback(t, true, truncate)
		wantHosts(t, lookupRelays(t, r, "relay.example"), oneRelayHosts)
		if got := r.Stats().TCP; got != 3 {
			t.Errorf("%d questions over TCP, want 3", got)
		}
	})
	t.Run("cut inside a record", func(t *testing.T) {
		r := loopback(t, true, func(w dns.ResponseWriter, r *dns.Msg) {
			m := z.reply(r)
			if _, udp := w.RemoteAddr().(*net.UDPAddr); !udp {
				w.WriteMsg(m)
				return
			}
			m.Truncated = true
			wire, _ := m.Pack()
			w.Write(wire[:len(wire)-3])
		})
		wantHosts(t, lookupRelays(t, r, "relay.example"), oneRelayHosts)
	})
	t.Run("truncated over TCP too", func(t *testing.T) {
		_, err := loopback(t, true, func(w dns.ResponseWriter, r *dns.Msg) {
			m := z.reply(r)
			m.Truncated = true
			w.WriteMsg(m)
		}).LookupRelays(t.Context(), "relay.example")
		wantErr(t, "lookup", err, ErrTemporary)
	})
	t.Run("TCP refused", func(t *testing.T) {
		_, err := loopback(t, false, truncate).LookupRelays(t.Context(), "relay.example")
		wantErr(t, "lookup", err, ErrTemporary)
		wantErr(t, "lookup", err, syscall.ECONNREFUSED)
	})
}

// forgeries are answers that answer nothing, each made from the true one.
var forgeries = map[string]func(m *dns.Msg){
	"id":       func(m *dns.Msg) { m.Id++ },
	"name":     func(m *dns.Msg) { m.Question[0].Name = "other.example." },
	"type":     func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeNS },
	"class":    func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS },
	"query":    func(m *dns.Msg) { m.Response = false },
	"opcode":   func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify },
	"question": func(m *dns.Msg) { m.Question = nil },
	"two":      func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) },
}

func faultForged(t *testing.T) {
	evil := func(r *dns.Msg) *dns.Msg {
		m := new(dns.Msg)
		m.SetReply(r)
		switch q := r.Question[0]; q.Qtype {
		case dns.TypeMX:
			m.Answer = []dns.RR{&dns.MX{Hdr: dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 60}, Preference: 1, Mx: "evil.example."}}
		case dns.TypeA:
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(192, 0, 2, 66)}}
		}
		return m
	}
	z := newZone(t, oneRelay...)
	for name, forge := range forgeries {
		t.Run("wrong "+name, func(t *testing.T) {
			r := loopback(t, true, func(w dns.ResponseWriter, r *dns.Msg) {
				m := evil(r)
				forge(m)
				wire, err := m.Pack()
				if err != nil {
					t.Error(err)
				}
				w.Write(wire)
				w.Write([]byte("junk"))
				w.Write(append(wire[:12:12], 0xff, 0xff))
				w.WriteMsg(z.reply(r))
			})
			wantHosts(t, lookupRelays(t, r, "relay.example"), oneRelayHosts)
			if got := r.Stats(); got.Ignored != 3*3 || got.Queries != 3 {
				t.Errorf("stats = %+v, want 9 packets ignored at 3 queries", got)
			}
		})
	}
	t.Run("wrong port", func(t *testing.T) {
		other, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		r := loopback(t, true, func(w dns.ResponseWriter, r *dns.Msg) {
			wire, _ := evil(r).Pack()
			other.WriteTo(wire, w.RemoteAddr())
			w.WriteMsg(z.reply(r))
		})
		wantHosts(t, lookupRelays(t, r, "relay.example"), oneRelayHosts)
	})
	bubble(t, "until the deadline", func(t *testing.T) {
		z := newZone(t)
		z.answer = func(w dns.ResponseWriter, r *dns.Msg) bool {
			m := evil(r)
			m.Id++
			for range 10 {
				time.Sleep(100 * time.Millisecond)
				w.WriteMsg(m)
			}
			return true
		}
		start := time.Now()
		_, err := begin(t, z).LookupRelays(t.Context(), "relay.example")
		wantErr(t, "lookup", err, ErrTemporary)
		wantSince(t, "lookup", start, defaultAttempts*defaultTimeout)
	})
	bubble(t, "extra records", func(t *testing.T) {
		z := newZone(t, append(oneRelay, "victim.example. 60 IN A 192.0.2.7", "victim.example. 60 IN MX 1 victim.example.")...)
		z.answer = func(w dns.ResponseWriter, r *dns.Msg) bool {
			m := z.reply(r)
			for _, section := range []*[]dns.RR{&m.Answer, &m.Ns, &m.Extra} {
				for _, s := range []string{
					"victim.example. 9999 IN A 192.0.2.66", "victim.example. 9999 IN MX 1 evil.example.",
					"a.relay.example. 9999 CH A 192.0.2.66", "*.example. 9999 IN A 192.0.2.66",
				} {
					rr, err := dns.NewRR(s)
					if err != nil {
						t.Error(err)
					}
					if rr.Header().Name != r.Question[0].Name || rr.Header().Class != dns.ClassINET {
						*section = append([]dns.RR{rr}, *section...)
					}
				}
			}
			return w.WriteMsg(m) == nil
		}
		r := begin(t, z)
		wantHosts(t, lookupRelays(t, r, "relay.example"), oneRelayHosts)
		for q := range r.cache.entries {
			if strings.Contains(q.name, "victim") || strings.Contains(q.name, "*") {
				t.Errorf("cached %v, which nobody asked for", q)
			}
		}
		wantHosts(t, lookupRelays(t, r, "victim.example"), "victim.example 192.0.2.7")
	})
}

func faultAliasLoop(t *testing.T) {
	chain := func(n int) []string {
		var records []string
		for i := range n {
			records = append(records, fmt.Sprintf("c%d.example. 60 IN CNAME c%d.example.", i, i+1))
		}
		return append(records, fmt.Sprintf("c%d.example. 60 IN A 192.0.2.1", n))
	}
	for _, test := range []struct {
		name    string
		records []string
		want    error
	}{
		{"itself", []string{"c0.example. 60 IN CNAME c0.example."}, ErrTemporary},
		{"loop of two", []string{"c0.example. 60 IN CNAME c1.example.", "c1.example. 60 IN CNAME c0.example."}, ErrTemporary},
		{"loop behind", []string{"c0.example. 60 IN CNAME c1.example.", "c1.example. 60 IN CNAME c2.example.", "c2.example. 60 IN CNAME c1.example."}, ErrTemporary},
		{"chain of 8", chain(8), nil},
		{"chain of 9", chain(9), ErrTemporary},
	} {
		for _, whole := range []bool{true, false} {
			bubble(t, fmt.Sprintf("%s, in one answer %v", test.name, whole), func(t *testing.T) {
				z := newZone(t, test.records...)
				if !whole { // as a server does that knows one zone only
					z.answer = func(w dns.ResponseWriter, r *dns.Msg) bool {
						m := z.reply(r)
						m.Ns = nil
						if len(m.Answer) > 1 {
							m.Answer, m.Rcode = m.Answer[:1], dns.RcodeSuccess
						}
						return w.WriteMsg(m) == nil
					}
				}
				_, err := begin(t, z).LookupAddrs(t.Context(), "c0.example")
				wantErr(t, "lookup", err, test.want)
				if got := z.queries.Load(); got > 2*2*(maxAliases+2) {
					t.Errorf("%d queries: not bounded", got)
				}
			})
		}
	}
}

func faultAliasRelay(t *testing.T) {
	bubble(t, "followed", func(t *testing.T) {
		relays := lookupRelays(t, begin(t, newZone(t,
			"relay.example. 60 IN MX 10 alias.relay.example.",
			"alias.relay.example. 60 IN CNAME a.relay.example.",
			"a.relay.example. 30 IN A 192.0.2.1")), "relay.example")
		wantHosts(t, relays, "alias.relay.example 192.0.2.1")
		wantExpires(t, relays.Expires, 30*time.Second)
		if len(relays.Warnings) != 1 || !strings.Contains(relays.Warnings[0], `alias (CNAME) of "a.relay.example"`) {
			t.Errorf("warnings = %q, want one about the alias", relays.Warnings)
		}
	})
	bubble(t, "of the domain", func(t *testing.T) {
		relays := lookupRelays(t, begin(t, newZone(t, append(oneRelay,
			"mail.example. 60 IN CNAME relay.example.")...)), "mail.example")
		wantHosts(t, relays, oneRelayHosts)
		if len(relays.Warnings) != 1 {
			t.Errorf("warnings = %q, want one about the alias", relays.Warnings)
		}
	})
}

func faultTooMany(t *testing.T) {
	records := make([]string, 0, 5000)
	for i := range 1000 {
		preference := 10
		if i >= 50 {
			preference = 20
		}
		records = append(records,
			fmt.Sprintf("relay.example. 60 IN MX %d r%d.relay.example.", preference, i),
			fmt.Sprintf("r%d.relay.example. 60 IN A 192.0.2.1", i))
	}
	for i := range 200 {
		records = append(records, fmt.Sprintf("r0.relay.example. 60 IN A 198.51.100.%d", i),
			fmt.Sprintf("r0.relay.example. 60 IN AAAA 2001:db8::%x", i+1))
	}
	z := newZone(t, records...)
	z.answer = func(w dns.ResponseWriter, r *dns.Msg) bool {
		m := z.reply(r)
		m.Compress = true
		if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
			m.Truncate(udpSize)
		}
		return w.WriteMsg(m) == nil
	}
	var orders []string
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		serve(t, n, nameServer, z)
		for range 3 {
			r := resolver(t, n, Config{})
			relays := lookupRelays(t, r, "relay.example")
			if len(relays.Hosts) != 100 {
				t.Fatalf("%d hosts, want 100", len(relays.Hosts))
			}
			first := make(map[string]bool)
			for i, h := range relays.Hosts {
				if h.Preference != 10 && i < 50 || h.Preference != 20 && i >= 50 {
					t.Errorf("host %d has preference %d: not in order", i, h.Preference)
				}
				first[h.Name] = true
				if h.Name == "r0.relay.example" {
					if len(h.Addrs) != 20 || !h.Addrs[0].Is6() || !h.Addrs[1].Is4() {
						t.Errorf("%d addresses %v, want 20 of both families", len(h.Addrs), h.Addrs)
					}
				}
			}
			if len(first) != 100 {
				t.Errorf("%d different hosts, want 100", len(first))
			}
			if got, again := hosts(relays), hosts(lookupRelays(t, r, "relay.example")); got != again {
				t.Error("the same Resolver chose other hosts at the next lookup")
			}
			orders = append(orders, hosts(relays))
		}
	})
	if orders[0] == orders[1] && orders[1] == orders[2] {
		t.Error("three Resolvers have all hosts in one order: not shuffled")
	}
}

func faultUnusableAddress(t *testing.T) {
	bubble(t, "skipped with a reason", func(t *testing.T) {
		relays := lookupRelays(t, begin(t, newZone(t,
			"relay.example. 60 IN MX 10 a.relay.example.",
			"relay.example. 60 IN MX 20 none.relay.example.",
			"relay.example. 60 IN MX 30 b\\.c.relay.example.",
			"none.relay.example. 60 IN TXT \"no address\"",
			"a.relay.example. 60 IN A 0.0.0.0",
			"a.relay.example. 60 IN A 0.1.2.3",
			"a.relay.example. 60 IN A 224.0.0.1",
			"a.relay.example. 60 IN A 255.255.255.255",
			"a.relay.example. 60 IN A 127.0.0.1",
			"a.relay.example. 60 IN AAAA ::",
			"a.relay.example. 60 IN AAAA ff02::1",
			"a.relay.example. 60 IN AAAA ::1",
		)), "relay.example")
		wantHosts(t, relays, "a.relay.example ::1 127.0.0.1")
		var got []string
		for _, s := range relays.Skipped {
			got = append(got, fmt.Sprintf("%s %v %s", s.Host, s.Addr, s.Reason))
		}
		want := []string{
			"a.relay.example :: unspecified address",
			"a.relay.example ff02::1 multicast address",
			"a.relay.example 0.0.0.0 unspecified address",
			"a.relay.example 0.1.2.3 unspecified address",
			"a.relay.example 224.0.0.1 multicast address",
			"a.relay.example 255.255.255.255 broadcast address",
			"none.relay.example invalid IP host has no address",
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("skipped\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if len(relays.Warnings) != 1 || !strings.Contains(relays.Warnings[0], `b\\.c`) {
			t.Errorf("warnings = %q, want one about the host with a dot inside a label", relays.Warnings)
		}
	})
	for name, records := range map[string][]string{
		"all skipped":      {"relay.example. 60 IN MX 10 a.relay.example.", "a.relay.example. 60 IN A 0.0.0.0"},
		"no host":          {"relay.example. 60 IN MX 10 gone.relay.example."},
		"no address":       {"relay.example. 60 IN MX 10 relay.example."},
		"implicit without": {"relay.example. 60 IN TXT \"nothing\""},
		"no valid host":    {"relay.example. 60 IN MX 10 a\\032b.example."},
	} {
		bubble(t, name, func(t *testing.T) {
			_, err := begin(t, newZone(t, records...)).LookupRelays(t.Context(), "relay.example")
			wantErr(t, "lookup", err, ErrNoAddress)
		})
	}
}

func faultNoRoute(t *testing.T) {
	bubble(t, "no IPv6 route", func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		serve(t, n, nameServer, newZone(t, oneRelay...))
		l, err := n.Listen("tcp", "192.0.2.1:25")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		n.SetHost("2001:db8::1", memnet.Unreachable)
		start := time.Now()
		relay := lookupRelays(t, resolver(t, n, Config{}), "relay.example").Hosts[0]
		var results []error
		for _, addr := range relay.Addrs {
			c, err := n.Dial(t.Context(), "tcp", net.JoinHostPort(addr.String(), "25"))
			if results = append(results, err); err == nil {
				c.Close()
			}
		}
		if len(results) != 2 || !errors.Is(results[0], syscall.ENETUNREACH) || results[1] != nil {
			t.Errorf("dials gave %v, want ENETUNREACH and a connection", results)
		}
		wantSince(t, "reaching the relay", start, 0)
	})
	bubble(t, "IPv6 only", func(t *testing.T) {
		wantHosts(t, lookupRelays(t, begin(t, newZone(t,
			"relay.example. 60 IN MX 10 a.relay.example.",
			"a.relay.example. 60 IN AAAA 2001:db8::1")), "relay.example"), "a.relay.example 2001:db8::1")
	})
	bubble(t, "v4-mapped", func(t *testing.T) {
		relays := lookupRelays(t, begin(t, newZone(t,
			"relay.example. 60 IN MX 10 a.relay.example.",
			"a.relay.example. 60 IN AAAA ::ffff:192.0.2.1",
			"a.relay.example. 60 IN AAAA ::ffff:0.0.0.0",
			"a.relay.example. 60 IN A 192.0.2.1")), "relay.example")
		wantHosts(t, relays, "a.relay.example 192.0.2.1")
		if len(relays.Skipped) != 1 {
			t.Errorf("skipped %v, want the mapped unspecified address", relays.Skipped)
		}
	})
}

func faultTTL(t *testing.T) {
	for ttl, want := range map[uint32]time.Duration{
		0: minTTL, 1: minTTL, 5: minTTL, 6: 6 * time.Second, 3600: time.Hour, 3601: time.Hour,
		1<<31 - 1: time.Hour, 1 << 31: time.Hour, 1<<32 - 1: time.Hour,
	} {
		bubble(t, fmt.Sprint(ttl), func(t *testing.T) {
			z := newZone(t)
			z.answer = func(w dns.ResponseWriter, r *dns.Msg) bool {
				m := new(dns.Msg)
				m.SetReply(r)
				m.Answer = []dns.RR{&dns.MX{Hdr: dns.RR_Header{Name: r.Question[0].Name, Rrtype: dns.TypeMX, Class: dns.ClassINET, Ttl: ttl}, Mx: "a.example."}}
				return w.WriteMsg(m) == nil
			}
			r := begin(t, z)
			set, err := r.LookupMX(t.Context(), "relay.example")
			if err != nil {
				t.Fatal(err)
			}
			wantExpires(t, set.Expires, want)
			time.Sleep(want*(refreshPart-1)/refreshPart - 1)
			r.LookupMX(t.Context(), "relay.example")
			synctest.Wait()
			if got := z.queries.Load(); got != 1 {
				t.Errorf("%d queries while the answer holds, want 1", got)
			}
		})
	}
}

func faultStampede(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t, oneRelay...)
		n := memnet.New(memnet.Config{Latency: 10 * time.Millisecond})
		serve(t, n, nameServer, z)
		r := resolver(t, n, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		stampede := func() (cancelled int) {
			var wg sync.WaitGroup
			var mu sync.Mutex
			for i := range 10000 {
				wg.Go(func() {
					who := t.Context()
					if i%2 == 0 {
						who = ctx
					}
					_, err := r.LookupRelays(who, "relay.example")
					switch {
					case err == nil:
					case who == ctx && errors.Is(err, context.Canceled):
						mu.Lock()
						cancelled++
						mu.Unlock()
					default:
						t.Error(err)
					}
				})
			}
			wg.Go(func() {
				time.Sleep(5 * time.Millisecond)
				cancel()
			})
			wg.Wait()
			return cancelled
		}
		if got := stampede(); got != 5000 {
			t.Errorf("%d lookups were cancelled, want the 5000 of that context", got)
		}
		if got := z.queries.Load(); got != 3 {
			t.Errorf("%d queries, want one each for MX, A and AAAA", got)
		}
		time.Sleep(59 * time.Second)
		lookupRelays(t, r, "relay.example") // in the last part of its time: asked for again
		time.Sleep(time.Second)
		ctx = t.Context()
		stampede()
		if got := z.queries.Load(); got != 6 {
			t.Errorf("%d queries in two times to live, want 6", got)
		}
	})
}

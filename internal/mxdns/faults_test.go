package mxdns

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
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
			if !relays.Stale || !errors.Is(relays.Cause, ErrTemporary) {
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
			if got := strings.Count(log.String(), "last_good_answer_kept=true"); got != 3 {
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
	bubble(t, "a host known before is kept beside a slow one", func(t *testing.T) {
		z := newZone(t, oneRelay...)
		n := memnet.New(memnet.Config{})
		serve(t, n, nameServer, z)
		r := resolver(t, n, Config{Timeout: 20 * time.Second})
		lookupRelays(t, r, "relay.example")
		z.set(t, append(oneRelay, "relay.example. 60 IN MX 5 new.relay.example.", "new.relay.example. 60 IN A 192.0.2.2")...)
		z.fail("new.relay.example.", silence)
		z.fail("a.relay.example.", silence)
		time.Sleep(time.Minute)
		start := time.Now()
		relays := lookupRelays(t, r, "relay.example")
		wantHosts(t, relays, oneRelayHosts)
		wantSince(t, "lookup", start, hostPatience)
		if !relays.Stale {
			t.Error("not marked as stale")
		}
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

package mxdns

import (
	"context"
	"errors"
	"fmt"
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
	z.answer = z.truncated
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

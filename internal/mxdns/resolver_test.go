package mxdns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/mxsend/go-mxsend/internal/memnet"
)

func TestNewRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"a name":           {Servers: []string{"ns.example"}},
		"no port":          {Servers: []string{"192.0.2.53:"}},
		"port zero":        {Servers: []string{"192.0.2.53:0"}},
		"nothing":          {Servers: []string{""}},
		"negative timeout": {Timeout: -1},
		"negative tries":   {Attempts: -1},
		"stale for years":  {StaleFor: 365 * 24 * time.Hour},
		"nine servers":     {Servers: slices.Repeat([]string{"192.0.2.53"}, 9)},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: New(%+v) succeeds", name, cfg)
		}
	}
	_, err := New(Config{Servers: []string{"one", "two"}, Timeout: -1})
	for _, want := range []string{`"one"`, `"two"`, "Timeout"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not tell of %s", err, want)
		}
	}
}

func TestParseServer(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.53":         "192.0.2.53:53",
		"192.0.2.53:5353":    "192.0.2.53:5353",
		"2001:db8::53":       "[2001:db8::53]:53",
		"[2001:db8::53]":     "[2001:db8::53]:53",
		"[2001:db8::53]:54":  "[2001:db8::53]:54",
		"fe80::1%eth0":       "[fe80::1%eth0]:53",
		"[fe80::1%eth0]:530": "[fe80::1%eth0]:530",
		"[fe80::1%eth0]:":    "",
		"192.0.2.53]":        "",
	} {
		if got, err := parseServer(in); got != want || (err == nil) != (want != "") {
			t.Errorf("parseServer(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestCanonical(t *testing.T) {
	long := strings.Repeat("a", 63)
	for in, want := range map[string]string{
		"example.com":                    "example.com.",
		"Example.COM.":                   "example.com.",
		"bücher.example":                 "xn--bcher-kva.example.",
		"BÜCHER.example.":                "xn--bcher-kva.example.",
		"bücher。example":                 "xn--bcher-kva.example.",
		"_dmarc.example.com":             "_dmarc.example.com.",
		"sel._domainkey.ex":              "sel._domainkey.ex.",
		"relay":                          "relay.",
		long + ".example":                long + ".example.",
		"":                               "",
		".":                              "",
		"..":                             "",
		".example":                       "",
		"a..example":                     "",
		"a b.example":                    "",
		"a@example.com":                  "",
		"a\x00.example":                  "",
		"a\\.example":                    "",
		"192.0.2.1":                      "",
		"[192.0.2.1]":                    "",
		"2001:db8::1":                    "",
		"a" + long + ".example":          "",
		strings.Repeat("a.", 127) + "aa": "",
		"\xff.example":                   "",
		strings.Repeat("ü", 2000):        "",
		"ü\u200d\u0301.example":          "",
	} {
		got, err := canonical(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("canonical(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestInvalidNameIsNotAsked(t *testing.T) {
	z := newZone(t)
	r := begin(t, z)
	_, err := r.LookupRelays(t.Context(), "192.0.2.1")
	wantErr(t, "relays of an address", err, ErrInvalidName)
	if err == nil || !strings.Contains(err.Error(), "a domain name is needed") {
		t.Errorf("error %q does not say what is needed", err)
	}
	_, err = r.LookupTXT(t.Context(), "a b")
	wantErr(t, "TXT", err, ErrInvalidName)
	_, err = r.LookupIP(t.Context(), "ip4", "")
	wantErr(t, "addresses", err, ErrInvalidName)
	_, err = r.LookupPTR(t.Context(), netip.Addr{})
	wantErr(t, "PTR", err, ErrInvalidName)
	if got := z.queries.Load(); got != 0 {
		t.Errorf("%d queries, want none", got)
	}
}

func TestLookupTXTAndPTR(t *testing.T) {
	r := begin(t, newZone(t,
		`sel._domainkey.example. 60 IN TXT "v=DKIM1; k=rsa; " "p=MIIB\\\"\001\255"`,
		`sel._domainkey.example. 60 IN TXT "second"`,
		"1.2.0.192.in-addr.arpa. 60 IN PTR Out.Example.",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 60 IN PTR out6.example.",
		"bare.example. 60 IN A 192.0.2.1",
	))
	got, err := r.LookupTXT(t.Context(), "SEL._domainkey.example")
	want := []string{"v=DKIM1; k=rsa; p=MIIB\\\"\x01\xff", "second"}
	if !slices.Equal(got, want) || err != nil {
		t.Errorf("TXT = %q, %v; want %q", got, err, want)
	}
	_, err = r.LookupTXT(t.Context(), "bare.example")
	wantErr(t, "TXT of a name without", err, ErrNoRecord)
	_, err = r.LookupTXT(t.Context(), "none.example")
	wantErr(t, "TXT of no name", err, ErrNoSuchDomain)
	for addr, want := range map[string]string{"192.0.2.1": "Out.Example", "::ffff:192.0.2.1": "Out.Example", "2001:db8::1": "out6.example"} {
		if got, err := r.LookupPTR(t.Context(), netip.MustParseAddr(addr)); !slices.Equal(got, []string{want}) || err != nil {
			t.Errorf("PTR of %s = %q, %v; want %q", addr, got, err, want)
		}
	}
}

func TestMXNamesAnAddress(t *testing.T) {
	for _, ip := range []string{"192.0.2.25", "2001:db8::25"} {
		r := begin(t, newZone(t, append(oneRelay, "relay.example. 60 IN MX 5 "+ip+".", "only.example. 60 IN MX 5 "+ip+".")...))
		want := "an MX record names " + ip + ", an IP address, and is void: name a host"
		got, err := r.LookupRelays(t.Context(), "relay.example")
		if err != nil || len(got.Hosts) != 1 || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], want) {
			t.Errorf("beside another got %+v, %v", got, err)
		}
		_, err = r.LookupRelays(t.Context(), "only.example")
		wantErr(t, "alone", err, ErrNoAddress)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestLookupIP(t *testing.T) {
	r := begin(t, newZone(t, append(oneRelay, "none.example. 60 IN TXT \"x\"",
		"list.example. 60 IN A 0.0.0.0", "list.example. 60 IN A 127.0.0.2", "alias.example. 60 IN CNAME a.relay.example.")...))
	for _, tc := range []struct{ network, host, want string }{
		{"ip4", "A.relay.example.", "[192.0.2.1]"},
		{"ip6", "A.relay.example.", "[2001:db8::1]"},
		{"ip6", "alias.example", "[2001:db8::1]"},
		{"ip4", "list.example", "[0.0.0.0 127.0.0.2]"}, // of a block list, say: nobody connects to them
	} {
		got, err := r.LookupIP(t.Context(), tc.network, tc.host)
		slices.SortFunc(got, netip.Addr.Compare)
		if fmt.Sprint(got) != tc.want || err != nil {
			t.Errorf("%s of %s = %v, %v; want %s", tc.network, tc.host, got, err, tc.want)
		}
	}
	_, err := r.LookupIP(t.Context(), "ip4", "none.example")
	wantErr(t, "host without address", err, ErrNoRecord)
	_, err = r.LookupIP(t.Context(), "ip6", "list.example")
	wantErr(t, "host without address of the family", err, ErrNoRecord)
	_, err = r.LookupIP(t.Context(), "ip4", "gone.example")
	wantErr(t, "no host", err, ErrNoSuchDomain)
}

// A relay is reached by 20 addresses at most; SPF goes by all that there are.
func TestLookupIPKeepsAll(t *testing.T) {
	for _, n := range []int{21, 200, maxIPs + 1} {
		var records []string
		for i := range n {
			records = append(records, fmt.Sprintf("many.example. 60 IN A 192.0.%d.%d", i/250, i%250+1))
		}
		z := newZone(t, records...)
		z.answer = z.truncated
		got, err := begin(t, z).LookupIP(t.Context(), "ip4", "many.example")
		if err != nil || len(got) != min(n, maxIPs) {
			t.Errorf("%d of %d addresses, %v", len(got), n, err)
		}
	}
}

func TestRefreshAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t, "example. 100 IN TXT \"old\"")
		r := begin(t, z)
		ask := func(want string, queries int64) {
			t.Helper()
			got, err := r.LookupTXT(t.Context(), "example")
			if err != nil || got[0] != want {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
			synctest.Wait()
			if got := z.queries.Load(); got != queries {
				t.Errorf("%d queries, want %d", got, queries)
			}
		}
		ask("old", 1)
		z.set(t, "example. 100 IN TXT \"new\"")
		time.Sleep(80*time.Second - time.Nanosecond)
		ask("old", 1)
		time.Sleep(time.Nanosecond)
		ask("old", 2) // asked for in the background
		ask("new", 2)
		time.Sleep(80 * time.Second)
		z.fail("", dns.RcodeServerFailure)
		ask("new", 2+defaultAttempts)
		ask("new", 2+defaultAttempts) // a failed refresh is not repeated at once
		if got := r.Stats(); got != (Stats{Queries: 4, Hits: 5, Misses: 1, Refreshes: 2, Failures: 1}) {
			t.Errorf("stats = %+v", got)
		}
	})
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		n.SetHost("192.0.2.53", memnet.BlackHole)
		r := resolver(t, n, Config{})
		errs := make(chan error)
		for _, name := range []string{"a.example", "b.example"} {
			go func() {
				_, err := r.LookupTXT(context.Background(), name)
				errs <- err
			}()
		}
		synctest.Wait()
		start := time.Now()
		r.Close()
		wantSince(t, "close", start, 0)
		for range 2 {
			wantErr(t, "lookup under way", <-errs, ErrClosed)
		}
		_, err := r.LookupRelays(context.Background(), "c.example")
		wantErr(t, "lookup after close", err, ErrClosed)
		r.Close()
		if got := n.Stats().Packets; got != 0 {
			t.Errorf("%d sockets are open", got)
		}
	})
}

func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := New(Config{Servers: []string{nameServer}, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			time.Sleep(time.Second) // one who is slow to give up
			return nil, ctx.Err()
		}})
		if err != nil {
			t.Fatal(err)
		}
		go r.LookupTXT(context.Background(), "a.example")
		synctest.Wait()
		start := time.Now()
		r.Close()
		wantSince(t, "close", start, time.Second)
	})
}

func TestServersRotate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		first, second := newZone(t, oneRelay...), newZone(t, oneRelay...)
		serve(t, n, "192.0.2.53:53", first)
		serve(t, n, "192.0.2.54:53", second)
		r := resolver(t, n, Config{Servers: []string{"192.0.2.53", "192.0.2.54"}})
		ask := func(name string, wantFirst, wantSecond int64) {
			t.Helper()
			first.queries.Store(0)
			second.queries.Store(0)
			r.LookupTXT(t.Context(), name)
			if a, b := first.queries.Load(), second.queries.Load(); a != wantFirst || b != wantSecond {
				t.Errorf("%s: the servers were asked %d and %d times, want %d and %d", name, a, b, wantFirst, wantSecond)
			}
		}
		ask("a.example", 1, 0)
		first.fail("", dns.RcodeServerFailure)
		ask("b.example", 1, 1)
		ask("c.example", 0, 1) // the one that answered last is asked first
		second.fail("", dns.RcodeRefused)
		ask("d.example", 2, 2)
		first.fail("", 0)
		ask("e.example", 1, 1)
		ask("f.example", 1, 0)
	})
}

func TestServersWithoutEDNS(t *testing.T) {
	for _, rcode := range []int{dns.RcodeFormatError, dns.RcodeNotImplemented} {
		z := newZone(t, oneRelay...)
		z.answer = func(w dns.ResponseWriter, r *dns.Msg) bool {
			if r.IsEdns0() == nil {
				return false
			}
			if got := r.IsEdns0().UDPSize(); got != udpSize {
				t.Errorf("EDNS asks for %d octets, want %d", got, udpSize)
			}
			m := new(dns.Msg)
			m.SetRcode(r, rcode)
			if rcode == dns.RcodeFormatError {
				m.Question = nil
			}
			return w.WriteMsg(m) == nil
		}
		wantHosts(t, lookupRelays(t, begin(t, z), "relay.example"), oneRelayHosts)
	}
}

func TestResolvConfIsReread(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	configure := func(text string, modified time.Time) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		serve(t, n, "192.0.2.53:53", newZone(t, "example. 5 IN TXT \"first\""))
		serve(t, n, "192.0.2.54:53", newZone(t, "example. 5 IN TXT \"second\""))
		configure("# comment\nnameserver localhost\nnameserver 192.0.2.53\noptions timeout:1 attempts:3\n", time.Unix(1e9, 0))
		r, err := New(Config{ResolvConf: path, Dial: n.Dial})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		ask := func(want string) {
			t.Helper()
			if got, err := r.LookupTXT(t.Context(), "example"); err != nil || got[0] != want {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
		}
		ask("first")
		configure("nameserver 192.0.2.54\n", time.Unix(1e9+1, 0))
		ask("first") // cached
		time.Sleep(rereadAfter)
		ask("second")

		configure("nameserver 192.0.2.55\noptions timeout:1 attempts:3\n", time.Unix(1e9+2, 0))
		n.SetHost("192.0.2.55", memnet.BlackHole)
		time.Sleep(rereadAfter)
		start := time.Now()
		_, err = r.LookupTXT(t.Context(), "other.example")
		wantErr(t, "lookup", err, ErrTemporary)
		wantSince(t, "3 attempts of a second", start, 3*time.Second)
	})
}

// Without a usable resolv.conf the system is asked, and an implicit MX still found.
func TestSystemFallback(t *testing.T) {
	pc, l := loopbackSockets(t)
	serveOn(t, pc, l, newZone(t, append(oneRelay,
		"implicit.example. 60 IN A 192.0.2.9",
		"null.example. 60 IN MX 0 .",
		`text.example. 60 IN TXT "one" "two\\three"`,
		"1.2.0.192.in-addr.arpa. 60 IN PTR out.example.",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 60 IN PTR out6.example.",
	)...))
	system := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
	r, err := New(Config{ResolvConf: filepath.Join(t.TempDir(), "none"), System: system})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	relays := lookupRelays(t, r, "relay.example")
	wantHosts(t, relays, oneRelayHosts)
	if in := time.Until(relays.Expires); in <= 0 || in > systemTTL {
		t.Errorf("expires in %v, want within %v", in, systemTTL)
	}
	if relays := lookupRelays(t, r, "implicit.example"); !relays.Implicit || hosts(relays) != "implicit.example 192.0.2.9" {
		t.Errorf("implicit.example: %+v", relays)
	}
	_, err = r.LookupRelays(t.Context(), "null.example")
	wantErr(t, "null MX", err, ErrNullMX)
	_, err = r.LookupRelays(t.Context(), "gone.example")
	wantErr(t, "no domain", err, ErrNoAddress)
	if got, err := r.LookupTXT(t.Context(), "text.example"); err != nil || got[0] != `onetwo\three` {
		t.Errorf("TXT = %q, %v", got, err)
	}
	for addr, want := range map[string]string{"192.0.2.1": "out.example", "2001:db8::1": "out6.example"} {
		if got, err := r.LookupPTR(t.Context(), netip.MustParseAddr(addr)); err != nil || !slices.Equal(got, []string{want}) {
			t.Errorf("PTR of %s = %q, %v; want %q", addr, got, err, want)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(t, newZone(t))
		for i := range maxEntries + 500 {
			r.LookupTXT(t.Context(), fmt.Sprintf("n%d.example", i))
		}
		if got := len(r.cache.entries); got > maxEntries {
			t.Errorf("%d entries, want %d at most", got, maxEntries)
		}
	})
}

func TestCancelledLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Config{})
		n.SetHost("192.0.2.53", memnet.BlackHole)
		r := resolver(t, n, Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := r.LookupRelays(ctx, "relay.example")
		wantErr(t, "lookup", err, context.DeadlineExceeded)
		wantErr(t, "lookup", err, ErrTemporary)
		wantSince(t, "lookup", start, time.Second)
	})
}

func TestErrorText(t *testing.T) {
	cause := errors.New("server 192.0.2.53:53: server answers SERVFAIL")
	err := question{"relay.example.", dns.TypeMX}.fail(ErrTemporary, cause)
	const want = `DNS MX "relay.example": name servers gave no usable answer: server 192.0.2.53:53: server answers SERVFAIL`
	if got := err.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

package mxdns

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// oneAnswer is a datagram socket to a name server that answers every question with the same packet, made
// to bear the question's id, and then falls silent.
type oneAnswer struct {
	net.PacketConn // nil: for the type alone
	packet         []byte
	id             [2]byte
	read           bool
}

func (c *oneAnswer) Write(b []byte) (int, error) {
	copy(c.id[:], b)
	return len(b), nil
}

func (c *oneAnswer) Read(b []byte) (int, error) {
	if c.read {
		return 0, os.ErrDeadlineExceeded
	}
	c.read = true
	n := copy(b, c.packet)
	copy(b[:n], c.id[:])
	return n, nil
}

func (c *oneAnswer) Close() error                     { return nil }
func (c *oneAnswer) SetDeadline(time.Time) error      { return nil }
func (c *oneAnswer) SetReadDeadline(time.Time) error  { return nil }
func (c *oneAnswer) SetWriteDeadline(time.Time) error { return nil }
func (c *oneAnswer) LocalAddr() net.Addr              { return &net.UDPAddr{} }
func (c *oneAnswer) RemoteAddr() net.Addr             { return &net.UDPAddr{} }

// FuzzAnswer has a name server answer anything. Whatever it says, a lookup ends, gives no more than the
// bounds allow, and leaves nothing in the cache but what was asked for.
func FuzzAnswer(f *testing.F) {
	z := newZone(f, append(oneRelay, "alias.example. 60 IN CNAME a.relay.example.",
		"null.example. 60 IN MX 0 .", `text.example. 60 IN TXT "a\"b\\c\001"`)...)
	for _, q := range []question{
		{"relay.example.", dns.TypeMX}, {"a.relay.example.", dns.TypeA}, {"a.relay.example.", dns.TypeAAAA},
		{"alias.example.", dns.TypeA}, {"null.example.", dns.TypeMX}, {"text.example.", dns.TypeTXT}, {"gone.example.", dns.TypeMX},
	} {
		m := new(dns.Msg)
		wire, err := z.reply(m.SetQuestion(q.name, q.qtype)).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		domain := "relay.example"
		if m := new(dns.Msg); m.Unpack(packet) == nil && len(m.Question) > 0 { // ask what is answered, if one can
			if name, err := canonical(m.Question[0].Name); err == nil {
				domain = bare(name)
			}
		}
		r, err := New(Config{
			Servers: []string{"192.0.2.53"}, Attempts: 1,
			Dial: func(_ context.Context, network, _ string) (net.Conn, error) {
				if network == "tcp" {
					return nil, os.ErrDeadlineExceeded
				}
				return &oneAnswer{packet: packet}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		set, mxErr := r.LookupMX(t.Context(), domain)
		texts, txtErr := r.LookupTXT(t.Context(), domain)
		addrs, addrErr := r.LookupIP(t.Context(), "ip4", domain)
		r.Close()
		if mxErr == nil {
			if len(set.Hosts) > maxHosts {
				t.Errorf("%d hosts", len(set.Hosts))
			}
			for _, h := range set.Hosts {
				if name, err := canonical(h.Host); err != nil || bare(name) != h.Host {
					t.Errorf("host %q is not canonical: %v", h.Host, err)
				}
			}
			if in := set.Expires.Sub(now); in < minTTL || in > maxTTL+time.Minute {
				t.Errorf("expires in %v", in)
			}
		}
		if txtErr == nil && len(texts) == 0 {
			t.Error("no text and no error")
		}
		if addrErr == nil && (len(addrs) == 0 || len(addrs) > maxIPs) {
			t.Errorf("%d addresses and no error", len(addrs))
		}
		for q, e := range r.cache.entries {
			if bare(q.name) != domain {
				t.Errorf("cached %q, asked for %q", q.name, domain)
			}
			checkAnswer(t, q, e.current)
		}
	})
}

// checkAnswer checks that a cached answer is of the question's name or an alias of it.
func checkAnswer(t *testing.T, q question, a answer) {
	if len(a.aliases) > maxAliases {
		t.Errorf("%d aliases", len(a.aliases))
	}
	owner := q.name
	if n := len(a.aliases); n > 0 {
		owner = a.aliases[n-1]
	}
	for _, rr := range a.records {
		if h := rr.Header(); !strings.EqualFold(h.Name, owner) || h.Rrtype != q.qtype || h.Class != dns.ClassINET {
			t.Errorf("the answer to %v holds %v", q, rr)
		}
	}
}

// FuzzText checks that what is escaped reads as itself.
func FuzzText(f *testing.F) {
	f.Add(`v=DKIM1; p="\`)
	f.Add("\x00\xff\\001")
	f.Fuzz(func(t *testing.T, text string) {
		if got := joinText([]string{escape(text)}); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
		joinText([]string{text}) // whatever it says
	})
}

// FuzzName checks that a canonical name stays what it is, and can be asked for.
func FuzzName(f *testing.F) {
	for _, s := range []string{"Example.com.", "bücher.example", "a..b", "_dmarc.x", "192.0.2.1", "xn--bcher-kva.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := canonical(s)
		if err != nil {
			return
		}
		again, err := canonical(name)
		if err != nil || again != name {
			t.Errorf("canonical(%q) = %q, and of that %q, %v", s, name, again, err)
		}
		m := new(dns.Msg).SetQuestion(name, dns.TypeMX)
		wire, err := m.Pack()
		if err != nil {
			t.Fatalf("%q cannot be asked for: %v", name, err)
		}
		if err := m.Unpack(wire); err != nil || m.Question[0].Name != name {
			t.Errorf("%q reads as %q on the wire, %v", name, m.Question[0].Name, err)
		}
	})
}

// FuzzServer checks that an address accepted for a name server can be dialled as it is.
func FuzzServer(f *testing.F) {
	for _, s := range []string{"192.0.2.53", "[2001:db8::53]:53", "[fe80::1%eth0]:53", "::1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		server, err := parseServer(s)
		if err != nil {
			return
		}
		if _, port, err := net.SplitHostPort(server); err != nil || port == "0" {
			t.Errorf("parseServer(%q) = %q: %v", s, server, err)
		}
		if again, err := parseServer(server); err != nil || again != server {
			t.Errorf("parseServer(%q) = %q, and of that %q, %v", s, server, again, err)
		}
	})
}

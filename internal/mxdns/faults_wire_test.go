package mxdns

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

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
				_, err := begin(t, z).LookupIP(t.Context(), "ip4", "c0.example")
				wantErr(t, "lookup", err, test.want)
				if got := z.queries.Load(); got > 2*2*(maxAliases+2) {
					t.Errorf("%d queries: not bounded", got)
				}
			})
		}
	}
}

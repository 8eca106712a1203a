package peers

import (
	"fmt"
	"net"

	"github.com/miekg/dns"
)

// A NameServer is a small DNS server that names relays of Domain, all of them on
// loopback.
type NameServer struct {
	Address string
	server  *dns.Server
}

// ServeDNS starts a name server with MX records for that many relays.
func ServeDNS(relays int) (*NameServer, error) {
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &NameServer{Address: pc.LocalAddr().String(), server: &dns.Server{PacketConn: pc}}
	s.server.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg).SetReply(q)
		a.Authoritative = true
		if len(q.Question) == 1 {
			a.Answer = answer(q.Question[0], relays)
		}
		_ = w.WriteMsg(a) // a client that does not get it asks again
	})
	go func() { _ = s.server.ActivateAndServe() }()
	return s, nil
}

func answer(q dns.Question, relays int) (records []dns.RR) {
	header := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 3600}
	switch {
	case q.Qtype == dns.TypeMX && dns.CanonicalName(q.Name) == dns.Fqdn(Domain):
		for i := range relays {
			records = append(records, &dns.MX{Hdr: header, Preference: 10, Mx: fmt.Sprintf("p%d.%s", i+1, dns.Fqdn(Domain))})
		}
	case q.Qtype == dns.TypeA && dns.IsSubDomain(dns.Fqdn(Domain), dns.CanonicalName(q.Name)):
		records = append(records, &dns.A{Hdr: header, A: net.IPv4(127, 0, 0, 1)})
	}
	return records
}

// Close ends the server.
func (s *NameServer) Close() error { return s.server.Shutdown() }

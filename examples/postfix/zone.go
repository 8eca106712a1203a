package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// A zone answers from zone files, and for the destinations. It does not change once it is loaded.
type zone struct {
	network string
	records map[string][]dns.RR // by name, lower case
	soa     []dns.RR            // of the zones that are served
}

// loadZone reads zone files.
func loadZone(network string, files []string) (*zone, error) {
	z := &zone{network: network, records: map[string][]dns.RR{}}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		parser := dns.NewZoneParser(f, "", file)
		parser.SetIncludeAllowed(true)
		for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
			name := strings.ToLower(rr.Header().Name)
			z.records[name] = append(z.records[name], rr)
			if rr.Header().Rrtype == dns.TypeSOA {
				z.soa = append(z.soa, rr)
			}
		}
		if err := parser.Err(); err != nil {
			return nil, err
		}
	}
	return z, nil
}

// serve answers over UDP and TCP until ctx ends.
func (z *zone) serve(ctx context.Context, all *sync.WaitGroup, address string) error {
	udp, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	tcp, err := net.Listen("tcp", address)
	if err != nil {
		_ = udp.Close()
		return err
	}
	for _, server := range []*dns.Server{{PacketConn: udp, Handler: z}, {Listener: tcp, Handler: z}} {
		all.Go(func() { _ = server.ActivateAndServe() }) // ends with its socket
	}
	context.AfterFunc(ctx, func() {
		_ = udp.Close()
		_ = tcp.Close()
	})
	return nil
}

// ServeDNS answers a question.
func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	m.Authoritative, m.RecursionAvailable = true, true
	name := strings.ToLower(q.Question[0].Name)
	records, exists := z.lookup(name)
	for _, rr := range records {
		if rr.Header().Rrtype == q.Question[0].Qtype {
			m.Answer = append(m.Answer, rr)
		}
	}
	if !exists {
		m.Rcode = dns.RcodeNameError
	}
	for _, soa := range z.soa {
		if len(m.Answer) == 0 && dns.IsSubDomain(soa.Header().Name, name) {
			m.Ns = append(m.Ns, soa) // RFC 2308 §3: how long it may be remembered that there is nothing
		}
	}
	if opt := q.IsEdns0(); opt != nil {
		m.SetEdns0(opt.UDPSize(), false)
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size := dns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = max(size, int(opt.UDPSize()))
		}
		m.Truncate(size)
	}
	_ = w.WriteMsg(m) // who asked asks again
}

// lookup gives the records of a name, and whether it exists.
func (z *zone) lookup(name string) (records []dns.RR, exists bool) {
	if records = z.records[name]; records != nil {
		return records, true
	}
	for _, soa := range z.soa {
		if dns.IsSubDomain(soa.Header().Name, name) {
			for other := range z.records {
				if dns.IsSubDomain(name, other) { // RFC 8020: a name above one that exists
					return nil, true
				}
			}
			return nil, false
		}
	}
	host, isHost := strings.CutPrefix(name, "mx.")
	d := destinationOf(strings.TrimSuffix(host, "."))
	switch {
	case d == nil:
		return nil, false
	case isHost:
		return parse(name + " 60 IN A " + d.address(z.network)), true
	case d.nullMX:
		return parse(name + " 60 IN MX 0 ."), true
	}
	return parse(name + " 60 IN MX 10 mx." + name), true
}

// parse makes a record.
func parse(text string) []dns.RR {
	rr, err := dns.NewRR(text)
	if err != nil || rr == nil {
		return nil // the name asked for is none that a record can have
	}
	return []dns.RR{rr}
}

// txt looks TXT records up for the verification of DKIM signatures.
func (z *zone) txt(name string) ([]string, error) {
	var list []string
	for _, rr := range z.records[strings.ToLower(dns.Fqdn(name))] {
		if txt, ok := rr.(*dns.TXT); ok {
			list = append(list, strings.Join(txt.Txt, ""))
		}
	}
	if list == nil {
		return nil, fmt.Errorf("no TXT record at %s", name)
	}
	return list, nil
}

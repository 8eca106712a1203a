package mxtest

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// serveUDP answers questions until conn is closed.
func (d *DNS) serveUDP(conn net.PacketConn) {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		for _, p := range d.respond(buf[:n], false) {
			conn.WriteTo(p, from)
		}
	}
}

// serveTCP answers the questions of one connection.
func (d *DNS) serveTCP(conn net.Conn) {
	defer conn.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		answers := d.respond(question, true)
		if answers == nil {
			return
		}
		for _, p := range answers {
			if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(p))), p...)); err != nil {
				return
			}
		}
	}
}

// respond answers a question, with as many messages as its fault has it.
func (d *DNS) respond(question []byte, tcp bool) [][]byte {
	var q dns.Msg
	if q.Unpack(question) != nil || q.Response || len(q.Question) != 1 {
		return nil
	}
	name := key(q.Question[0].Name)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queries[dnsQuery{name, q.Question[0].Qtype}]++
	reply := d.answer(&q, name)
	var first [][]byte
	switch d.trouble(name, tcp) {
	case DNSServFail:
		reply = new(dns.Msg).SetRcode(&q, dns.RcodeServerFailure)
	case DNSRefused:
		reply = new(dns.Msg).SetRcode(&q, dns.RcodeRefused)
	case DNSSilence:
		return nil
	case DNSTruncate:
		truncate(reply, tcp)
	case DNSTCPCut:
		if tcp {
			return nil
		}
		truncate(reply, tcp)
	case DNSWrongID:
		reply.Id ^= 0x5555
	case DNSWrongName:
		reply.Question[0].Name = "another." + reply.Question[0].Name
		for _, rr := range reply.Answer {
			rr.Header().Name = reply.Question[0].Name
		}
	case DNSSpoof:
		forged := new(dns.Msg).SetReply(&q)
		forged.Id ^= 0x5555
		if p, err := forged.Pack(); err == nil {
			first = append(first, p)
		}
	}
	if !tcp {
		size := dns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = max(size, int(opt.UDPSize()))
		}
		reply.Truncate(size)
	}
	p, err := reply.Pack()
	if err != nil {
		return nil
	}
	return append(first, p)
}

func truncate(m *dns.Msg, tcp bool) {
	if !tcp {
		m.Truncated, m.Answer, m.Extra = true, nil, nil
	}
}

// answer looks a question up. d.mu is held.
func (d *DNS) answer(q *dns.Msg, name string) *dns.Msg {
	reply := new(dns.Msg).SetReply(q)
	reply.Authoritative = true
	reply.RecursionAvailable = true
	if opt := q.IsEdns0(); opt != nil {
		reply.SetEdns0(opt.UDPSize(), false)
	}
	question := q.Question[0]
	owner := question.Name
	n := d.names[name]
	for hops := 0; n != nil && n.cname != "" && question.Qtype != dns.TypeCNAME && hops < 20; hops++ {
		reply.Answer = append(reply.Answer, &dns.CNAME{Hdr: d.header(owner, dns.TypeCNAME), Target: n.cname + "."})
		owner, name = n.cname+".", n.cname
		n = d.names[name]
	}
	if n == nil {
		if !d.hasBelow(name) {
			reply.Rcode = dns.RcodeNameError
		}
	} else {
		reply.Answer = append(reply.Answer, d.records(n, owner, question.Qtype)...)
		for _, rr := range reply.Answer {
			if mx, ok := rr.(*dns.MX); ok {
				if host := d.names[key(mx.Mx)]; host != nil {
					reply.Extra = append(d.records(host, mx.Mx, dns.TypeA), reply.Extra...)
				}
			}
		}
	}
	if len(reply.Answer) == 0 {
		zone := name
		if i := strings.IndexByte(zone, '.'); i >= 0 && strings.Count(zone, ".") > 1 {
			zone = zone[i+1:]
		}
		reply.Ns = append(reply.Ns, &dns.SOA{Hdr: d.header(zone+".", dns.TypeSOA), Ns: "ns." + zone + ".", Mbox: "hostmaster." + zone + ".",
			Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: d.ttl})
	}
	return reply
}

// hasBelow reports whether a name that has no records has names below it, and so exists (RFC 8020).
func (d *DNS) hasBelow(name string) bool {
	for other := range d.names {
		if strings.HasSuffix(other, "."+name) {
			return true
		}
	}
	return false
}

func (d *DNS) header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: d.ttl}
}

// records are a name's records of a type.
func (d *DNS) records(n *dnsName, owner string, kind uint16) []dns.RR {
	var list []dns.RR
	all := kind == dns.TypeANY
	if kind == dns.TypeMX || all {
		for _, mx := range n.mx {
			list = append(list, &dns.MX{Hdr: d.header(owner, dns.TypeMX), Preference: mx.Preference, Mx: dns.Fqdn(mx.Host)})
		}
	}
	for _, host := range n.hosts {
		ip, err := netip.ParseAddr(host)
		switch {
		case err != nil:
		case ip.Is4() && (kind == dns.TypeA || all):
			list = append(list, &dns.A{Hdr: d.header(owner, dns.TypeA), A: ip.AsSlice()})
		case ip.Is6() && (kind == dns.TypeAAAA || all):
			list = append(list, &dns.AAAA{Hdr: d.header(owner, dns.TypeAAAA), AAAA: ip.AsSlice()})
		}
	}
	if kind == dns.TypeTXT || all {
		for _, txt := range n.txt {
			list = append(list, &dns.TXT{Hdr: d.header(owner, dns.TypeTXT), Txt: chunks(txt)})
		}
	}
	if kind == dns.TypePTR || all {
		for _, name := range n.ptr {
			list = append(list, &dns.PTR{Hdr: d.header(owner, dns.TypePTR), Ptr: dns.Fqdn(name)})
		}
	}
	if kind == dns.TypeCNAME && n.cname != "" {
		list = append(list, &dns.CNAME{Hdr: d.header(owner, dns.TypeCNAME), Target: n.cname + "."})
	}
	return list
}

// chunks splits a TXT record into strings of at most 255 octets, with what is special to a zone file escaped.
func chunks(s string) []string {
	var list []string
	for len(s) > 255 {
		list = append(list, escape(s[:255]))
		s = s[255:]
	}
	return append(list, escape(s))
}

func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
}

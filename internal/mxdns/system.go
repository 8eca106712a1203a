package mxdns

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/miekg/dns"
)

// systemTTL is how long an answer holds of which no time to live is known.
const systemTTL = time.Minute

// systemResolver asks through net.Resolver, which on Windows and macOS asks the system.
type systemResolver struct {
	resolver *net.Resolver
	stats    *counters
}

func (s systemResolver) resolve(ctx context.Context, q question) (answer, error) {
	s.stats.queries.Add(1)
	list, err := s.lookup(ctx, q)
	if len(list) > 0 {
		return answer{status: found, records: list, ttl: systemTTL}, nil
	}
	var failure *net.DNSError
	if err == nil || errors.As(err, &failure) && failure.IsNotFound {
		// It may be the name or the record that does not exist: who asks for an address next sees which.
		return answer{status: noData, ttl: minTTL}, nil
	}
	return answer{}, err
}

func (s systemResolver) lookup(ctx context.Context, q question) (list []dns.RR, err error) {
	header := dns.RR_Header{Name: q.name, Rrtype: q.qtype, Class: dns.ClassINET}
	switch q.qtype {
	case dns.TypeMX:
		var hosts []*net.MX
		hosts, err = s.resolver.LookupMX(ctx, q.name)
		for _, h := range hosts {
			list = append(list, &dns.MX{Hdr: header, Preference: h.Pref, Mx: dns.Fqdn(h.Host)})
		}
	case dns.TypeA, dns.TypeAAAA:
		network := "ip4"
		if q.qtype == dns.TypeAAAA {
			network = "ip6"
		}
		var addrs []net.IP
		addrs, err = s.resolver.LookupIP(ctx, network, q.name)
		for _, ip := range addrs {
			if q.qtype == dns.TypeA {
				list = append(list, &dns.A{Hdr: header, A: ip})
			} else {
				list = append(list, &dns.AAAA{Hdr: header, AAAA: ip})
			}
		}
	case dns.TypeTXT:
		var texts []string
		texts, err = s.resolver.LookupTXT(ctx, q.name)
		for _, text := range texts {
			list = append(list, &dns.TXT{Hdr: header, Txt: []string{escape(text)}})
		}
	case dns.TypePTR:
		var names []string
		names, err = s.resolver.LookupAddr(ctx, addressOf(q.name))
		for _, name := range names {
			list = append(list, &dns.PTR{Hdr: header, Ptr: dns.Fqdn(name)})
		}
	default:
		err = errors.New("the system's resolver does not know this type")
	}
	return list, err
}

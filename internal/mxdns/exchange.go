package mxdns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/miekg/dns"
)

// udpSize is the UDP payload asked for: one that is not fragmented on any usual path.
const udpSize = 1232

// maxIgnored bounds the datagrams of others that are looked at while waiting for an answer.
const maxIgnored = 10000

// asker sends questions to name servers.
type asker struct {
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	stats *counters
}

// exchange asks one server: over UDP, and over TCP where the answer was truncated. It is the answer's
// content, not its code, that is left to the caller.
func (k *asker) exchange(ctx context.Context, server string, timeout time.Duration, q question) (*dns.Msg, error) {
	m, err := k.try(ctx, "udp", server, timeout, q, true)
	if err != nil {
		return nil, err
	}
	// RFC 6891 §7: a server that knows no EDNS answers FORMERR, or NOTIMP.
	plain := m.IsEdns0() == nil && (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented)
	if plain {
		if m, err = k.try(ctx, "udp", server, timeout, q, false); err != nil {
			return nil, err
		}
	}
	if m.Truncated {
		k.stats.tcp.Add(1)
		m, err = k.try(ctx, "tcp", server, timeout, q, !plain)
		if err == nil && m.Truncated {
			return nil, fmt.Errorf("server %s: answer is truncated over TCP too", server)
		}
	}
	return m, err
}

// try asks once and waits for the answer until timeout.
func (k *asker) try(ctx context.Context, network, server string, timeout time.Duration, q question, edns bool) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := k.dial(ctx, network, server)
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", server, err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	request := new(dns.Msg)
	request.SetQuestion(q.name, q.qtype)
	if edns {
		request.SetEdns0(udpSize, false)
	}
	k.stats.queries.Add(1)
	c := &dns.Conn{Conn: conn, UDPSize: dns.DefaultMsgSize}
	if err := c.WriteMsg(request); err != nil {
		return nil, fmt.Errorf("server %s: %w", server, err)
	}
	m, err := k.await(c, request)
	if err != nil {
		return nil, fmt.Errorf("server %s: %w", server, err)
	}
	return m, nil
}

// await reads until the answer to request comes. RFC 5452 §9.1: whatever does not match the question in
// all is ignored, and the wait goes on.
func (k *asker) await(c *dns.Conn, request *dns.Msg) (*dns.Msg, error) {
	for range maxIgnored {
		var header dns.Header
		packet, err := c.ReadMsgHeader(&header)
		if err != nil {
			if errors.Is(err, dns.ErrShortRead) {
				k.stats.ignored.Add(1)
				continue
			}
			return nil, err
		}
		m := new(dns.Msg)
		err = m.Unpack(packet)
		if header.Id == request.Id && err != nil && header.Bits&truncatedBit != 0 {
			// Cut in the middle of a record: all that it says is to ask over TCP.
			return &dns.Msg{MsgHdr: dns.MsgHdr{Id: request.Id, Response: true, Truncated: true}}, nil
		}
		if err != nil || !answers(m, request) {
			k.stats.ignored.Add(1)
			continue
		}
		return m, nil
	}
	return nil, errors.New("too many answers to other questions")
}

// truncatedBit is TC in the second pair of octets of a header (RFC 1035 §4.1.1).
const truncatedBit = 1 << 9

// answers says whether m is an answer to request.
func answers(m, request *dns.Msg) bool {
	if m.Id != request.Id || !m.Response || m.Opcode != dns.OpcodeQuery {
		return false
	}
	if len(m.Question) == 0 {
		return m.Rcode == dns.RcodeFormatError && len(m.Answer) == 0 // of a server that could not read it
	}
	got, want := m.Question[0], request.Question[0]
	return len(m.Question) == 1 && got.Qtype == want.Qtype && got.Qclass == want.Qclass && sameName(got.Name, want.Name)
}

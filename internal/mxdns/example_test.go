package mxdns_test

import (
	"context"
	"fmt"
	"time"

	"github.com/miekg/dns"
	"github.com/mxsend/go-mxsend/internal/memnet"
	"github.com/mxsend/go-mxsend/internal/mxdns"
)

func ExampleResolver_LookupRelays() {
	network := memnet.New(memnet.Config{})
	defer nameServer(network)()

	r, err := mxdns.New(mxdns.Config{Servers: []string{"192.0.2.53"}, Dial: network.Dial})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	relays, err := r.LookupRelays(context.Background(), "relay.example")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, h := range relays.Hosts {
		fmt.Println(h.Preference, h.Name, h.Addrs)
	}
	for _, s := range relays.Skipped {
		fmt.Println("skipped:", s.Host, s.Addr, s.Reason)
	}
	fmt.Println("expires in", time.Until(relays.Expires).Round(time.Minute))
	// Output:
	// 10 a.relay.example [2001:db8::1 192.0.2.1]
	// 20 b.relay.example [192.0.2.2]
	// skipped: b.relay.example 0.0.0.0 unspecified address
	// expires in 5m0s
}

// nameServer serves relay.example on 192.0.2.53.
func nameServer(network *memnet.Network) (stop func()) {
	zone := []string{
		"relay.example. 300 IN MX 20 b.relay.example.",
		"relay.example. 300 IN MX 10 a.relay.example.",
		"a.relay.example. 300 IN AAAA 2001:db8::1",
		"a.relay.example. 300 IN A 192.0.2.1",
		"b.relay.example. 300 IN A 192.0.2.2",
		"b.relay.example. 300 IN A 0.0.0.0",
		"b.relay.example. 300 IN AAAA ::ffff:192.0.2.2",
	}
	pc, err := network.ListenPacket("udp", "192.0.2.53:53")
	if err != nil {
		panic(err)
	}
	server := &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(r)
		for _, s := range zone {
			rr, err := dns.NewRR(s)
			if err != nil {
				panic(err)
			}
			if rr.Header().Name == r.Question[0].Name && rr.Header().Rrtype == r.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
		w.WriteMsg(m)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.ActivateAndServe()
	}()
	return func() {
		pc.Close()
		<-done
	}
}

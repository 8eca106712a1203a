package mxdns

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/mxsend/go-mxsend/internal/memnet"
)

const nameServer = "192.0.2.53:53"

// zone is a name server's data and manners. It is safe for concurrent use.
type zone struct {
	mu      sync.Mutex
	records map[string][]dns.RR // by lower-case name
	rcode   map[string]int      // by name: answered instead of records; "" for every name
	queries atomic.Int64
	asked   map[string]int // by name and type

	// answer replaces the whole: it may write what it likes.
	answer func(w dns.ResponseWriter, r *dns.Msg) (handled bool)
}

func newZone(t testing.TB, records ...string) *zone {
	z := &zone{rcode: make(map[string]int), asked: make(map[string]int)}
	z.set(t, records...)
	return z
}

// set replaces all records.
func (z *zone) set(t testing.TB, records ...string) {
	t.Helper()
	byName := make(map[string][]dns.RR)
	for _, s := range records {
		rr, err := dns.NewRR(s)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.ToLower(rr.Header().Name)
		byName[name] = append(byName[name], rr)
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records = byName
}

// truncated is an answer that cuts over UDP what it gives over TCP.
func (z *zone) truncated(w dns.ResponseWriter, r *dns.Msg) bool {
	m := z.reply(r)
	m.Compress = true
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		m.Truncate(udpSize)
	}
	return w.WriteMsg(m) == nil
}

// fail has the server answer a name ("" for all) with a response code; negative: silence; zero: properly.
func (z *zone) fail(name string, rcode int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.rcode[name] = rcode
}

func (z *zone) count(name, qtype string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[name+" "+qtype]
}

func (z *zone) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	z.queries.Add(1)
	q := r.Question[0]
	z.mu.Lock()
	z.asked[q.Name+" "+dns.TypeToString[q.Qtype]]++
	answer := z.answer
	z.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	if m := z.reply(r); m != nil {
		w.WriteMsg(m)
	}
}

// reply is what a resolving name server says; nil: nothing.
func (z *zone) reply(r *dns.Msg) *dns.Msg {
	z.mu.Lock()
	defer z.mu.Unlock()
	q := r.Question[0]
	m := new(dns.Msg)
	m.SetReply(r)
	m.RecursionAvailable = true
	name := strings.ToLower(q.Name)
	rcode := z.rcode[""]
	if z.rcode[name] != 0 {
		rcode = z.rcode[name]
	}
	if rcode < 0 {
		return nil
	}
	if m.Rcode = rcode; rcode != dns.RcodeSuccess {
		return m
	}
	for range 20 {
		records, exists := z.records[name]
		if !exists {
			m.Rcode = dns.RcodeNameError
			break
		}
		var alias *dns.CNAME
		n := len(m.Answer)
		for _, rr := range records {
			if rr.Header().Rrtype == q.Qtype {
				m.Answer = append(m.Answer, rr)
			} else if c, ok := rr.(*dns.CNAME); ok {
				alias = c
			}
		}
		if len(m.Answer) > n || alias == nil {
			break
		}
		m.Answer = append(m.Answer, alias)
		name = strings.ToLower(alias.Target)
	}
	if len(m.Answer) == 0 || m.Rcode == dns.RcodeNameError {
		soa, _ := dns.NewRR("example. 60 IN SOA ns.example. hostmaster.example. 1 2 3 4 60")
		m.Ns = append(m.Ns, soa)
	}
	return m
}

// serve has h answer at address over UDP and TCP until the test ends.
func serve(t testing.TB, n *memnet.Network, address string, h dns.Handler) {
	t.Helper()
	pc, err := n.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := n.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, pc, l, h)
}

// loopbackSockets binds a port of the loopback address for UDP and TCP.
func loopbackSockets(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 50 {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", pc.LocalAddr().String())
		if err == nil {
			return pc, l
		}
		pc.Close() // the port is taken for TCP
	}
	t.Fatal("found no port that is free for UDP and TCP")
	return nil, nil
}

func serveOn(t testing.TB, pc net.PacketConn, l net.Listener, h dns.Handler) {
	t.Helper()
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait) // the first registered runs last
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: h}, {Listener: l, Handler: h}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		wg.Go(func() { s.ActivateAndServe() })
		<-started
		t.Cleanup(func() { s.Shutdown() })
	}
}

// resolver returns a Resolver over n that asks nameServer.
func resolver(t testing.TB, n *memnet.Network, cfg Config) *Resolver {
	t.Helper()
	if cfg.Servers == nil {
		cfg.Servers = []string{nameServer}
	}
	cfg.Dial = n.Dial
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// begin returns a Resolver over a network of its own, in which z serves.
func begin(t testing.TB, z *zone) *Resolver {
	t.Helper()
	n := memnet.New(memnet.Config{})
	serve(t, n, nameServer, z)
	return resolver(t, n, Config{})
}

// lookupRelays fails the test on an error.
func lookupRelays(t testing.TB, r *Resolver, domain string) Relays {
	t.Helper()
	relays, err := r.LookupRelays(context.Background(), domain)
	if err != nil {
		t.Fatalf("relays of %s: %v", domain, err)
	}
	return relays
}

// hosts tells the hosts of relays and their addresses in a line.
func hosts(relays Relays) string {
	var parts []string
	for _, h := range relays.Hosts {
		part := h.Name
		for _, a := range h.Addrs {
			part += " " + a.String()
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

func wantHosts(t testing.TB, relays Relays, want string) {
	t.Helper()
	if got := hosts(relays); got != want {
		t.Errorf("relays = %q, want %q", got, want)
	}
}

func wantExpires(t testing.TB, got time.Time, want time.Duration) {
	t.Helper()
	if in := time.Until(got); in != want {
		t.Errorf("expires in %v, want in %v", in, want)
	}
}

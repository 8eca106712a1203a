package mxtest

import (
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// DNS is the DNS server of a cluster. It knows the cluster's domain and what is set here; anything
// else does not exist. Names are without the final dot. Its methods are safe for concurrent use.
type DNS struct {
	mu      sync.Mutex          // guards below
	names   map[string]*dnsName // lower case, without the final dot
	faults  map[string]*dnsTrouble
	ttl     uint32
	queries map[dnsQuery]int
}

// A dnsName is what a name has.
type dnsName struct {
	mx    []MX
	hosts []string // A and AAAA
	txt   []string
	ptr   []string
	cname string
}

type dnsTrouble struct {
	kind  DNSFault
	times int
}

type dnsQuery struct {
	name string
	kind uint16
}

// An MX is a mail exchanger of a domain.
type MX struct {
	Preference uint16
	Host       string // "." with no other MX is the null MX (RFC 7505)
}

// A DNSFault is something the DNS server does wrong.
type DNSFault uint8

// The DNS faults.
const (
	DNSServFail  DNSFault = iota + 1 // answers SERVFAIL
	DNSRefused                       // answers REFUSED
	DNSSilence                       // does not answer
	DNSTruncate                      // answers truncated over UDP, so that the client must use TCP
	DNSWrongID                       // answers with another id, and not again
	DNSWrongName                     // answers another question, and not again
	DNSSpoof                         // sends a forged answer (another id, empty) before the right one
	DNSTCPCut                        // truncates over UDP, and closes TCP connections
)

func newDNS() *DNS {
	return &DNS{names: map[string]*dnsName{}, faults: map[string]*dnsTrouble{}, ttl: 60, queries: map[dnsQuery]int{}}
}

// key is a name as the server files it.
func key(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// set changes a name, which exists from then on.
func (d *DNS) set(name string, change func(*dnsName)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[key(name)]
	if n == nil {
		n = &dnsName{}
		d.names[key(name)] = n
	}
	change(n)
}

// SetMX replaces the MX records of a domain; none leaves the name without (NODATA).
func (d *DNS) SetMX(domain string, mx ...MX) {
	d.set(domain, func(n *dnsName) { n.mx = append([]MX(nil), mx...) })
}

// SetAddress replaces the A and AAAA records of a host; none leaves the name without (NODATA). What is no IP address is left out.
func (d *DNS) SetAddress(host string, addresses ...string) {
	d.set(host, func(n *dnsName) { n.hosts = append([]string(nil), addresses...) })
}

// SetPTR replaces the PTR records of an address, IPv4 or IPv6: the names that reverse DNS has for it; none leaves it
// without (NODATA). An address that never got any does not exist there (NXDOMAIN). What is no IP address is left out.
func (d *DNS) SetPTR(address string, names ...string) {
	if reverse, err := dns.ReverseAddr(address); err == nil {
		d.set(reverse, func(n *dnsName) { n.ptr = append([]string(nil), names...) })
	}
}

// SetTXT replaces the TXT records of a name. A record longer than 255 octets is split into strings.
func (d *DNS) SetTXT(name string, records ...string) {
	d.set(name, func(n *dnsName) { n.txt = append([]string(nil), records...) })
}

// SetCNAME makes a name an alias; "" ends that.
func (d *DNS) SetCNAME(name, target string) { d.set(name, func(n *dnsName) { n.cname = key(target) }) }

// SetTTL sets the TTL of all records, and of negative answers. It starts as 60 s.
func (d *DNS) SetTTL(ttl time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ttl = uint32(ttl / time.Second)
}

// Remove makes a name not exist (NXDOMAIN).
func (d *DNS) Remove(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.names, key(name))
}

// Fail makes questions for a name, or for all names if it is "", meet a fault the next times (Always: without end;
// 0: no more). Only one fault at a time is kept for a name.
func (d *DNS) Fail(name string, fault DNSFault, times int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if times == 0 {
		delete(d.faults, key(name))
		return
	}
	d.faults[key(name)] = &dnsTrouble{fault, times}
}

// Queries is how many questions were asked for a name of a type ("MX"), or of any type if it is "".
func (d *DNS) Queries(name, kind string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	total := 0
	for q, n := range d.queries {
		if q.name == key(name) && (kind == "" || dns.StringToType[strings.ToUpper(kind)] == q.kind) {
			total += n
		}
	}
	return total
}

// MX gives the MX records of a domain.
func (d *DNS) MX(name string) []MX {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.names[key(name)]; n != nil {
		return append([]MX(nil), n.mx...)
	}
	return nil
}

// txt gives the TXT records of a name, and whether it exists.
func (d *DNS) txt(name string) ([]string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[key(name)]
	if n == nil {
		return nil, false
	}
	return append([]string(nil), n.txt...), true
}

// trouble gives the fault that a question meets. d.mu is held.
func (d *DNS) trouble(name string, tcp bool) DNSFault {
	for _, k := range []string{name, ""} {
		t := d.faults[k]
		if t == nil {
			continue
		}
		if !(tcp && t.kind == DNSTruncate) && t.times > 0 {
			if t.times--; t.times == 0 {
				delete(d.faults, k)
			}
		}
		return t.kind
	}
	return 0
}

package mxtest

import "time"

// DNS is the DNS server of a cluster. It knows the cluster's domain and what is set here; anything
// else does not exist. Names are without the final dot. Its methods are safe for concurrent use.
type DNS struct{}

// An MX is a mail exchanger of a domain.
type MX struct {
	Preference uint16
	Host       string
}

// SetMX replaces the MX records of a domain; none leaves the name without (NODATA).
func (d *DNS) SetMX(domain string, mx ...MX) { panic(errNotBuilt) }

// SetAddress replaces the A and AAAA records of a host; none leaves the name without (NODATA).
func (d *DNS) SetAddress(host string, addresses ...string) { panic(errNotBuilt) }

// SetTXT replaces the TXT records of a name. A record longer than 255 octets is split into strings.
func (d *DNS) SetTXT(name string, records ...string) { panic(errNotBuilt) }

// SetCNAME makes a name an alias.
func (d *DNS) SetCNAME(name, target string) { panic(errNotBuilt) }

// SetTTL sets the TTL of all records, and of negative answers. It starts as 60 s.
func (d *DNS) SetTTL(ttl time.Duration) { panic(errNotBuilt) }

// Remove makes a name not exist (NXDOMAIN).
func (d *DNS) Remove(name string) { panic(errNotBuilt) }

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
	DNSSpoof                         // sends a forged answer (another id) before the right one
	DNSTCPCut                        // truncates over UDP, and closes TCP connections
)

// Fail makes questions for a name, or for all names if it is "", meet a fault the next times (Always: without end;
// 0: no more). Only one fault at a time is kept for a name.
func (d *DNS) Fail(name string, fault DNSFault, times int) { panic(errNotBuilt) }

// Queries is how many questions were asked for a name of a type ("MX"), or of any type if it is "".
func (d *DNS) Queries(name, kind string) int { panic(errNotBuilt) }

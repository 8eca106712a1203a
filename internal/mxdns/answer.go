package mxdns

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Bounds of what is believed about how long an answer holds.
const (
	minTTL         = 5 * time.Second
	maxTTL         = time.Hour
	maxNegativeTTL = 5 * time.Minute // RFC 2308 §5 allows hours; a relay just added should be seen sooner
)

// maxAliases bounds a chain of CNAME records.
const maxAliases = 8

// question is what is asked: a canonical name and a type, in class IN.
type question struct {
	name  string
	qtype uint16
}

func (q question) typeName() string { return dns.TypeToString[q.qtype] }

func (q question) fail(kind, cause error) *Error {
	return &Error{Type: q.typeName(), Name: bare(q.name), Kind: kind, Err: cause}
}

type status uint8

const (
	found    status = iota
	noData          // the name exists without records of the type
	noDomain        // NXDOMAIN
)

// answer is what is known about a question. It is never modified.
type answer struct {
	status  status
	records []dns.RR // of the type asked for, of the last alias; found only
	aliases []string // CNAME targets followed, in order
	ttl     time.Duration
}

// readAnswer takes from a message what it says about q. Where the message ends in an alias without
// saying whether its target has records, next is that target, to be asked for. It fails on a message that
// answers nothing.
func readAnswer(m *dns.Msg, q question) (a answer, next string, err error) {
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return answer{}, "", fmt.Errorf("server answers %s", rcodeName(m.Rcode))
	}
	ttl := uint32(maxTTL / time.Second)
	name := q.name
	for {
		a.records = nil
		var alias *dns.CNAME
		for _, rr := range m.Answer {
			h := rr.Header()
			if h.Class != dns.ClassINET || !sameName(h.Name, name) {
				continue // another's record is nothing we asked for
			}
			if h.Rrtype == q.qtype {
				a.records = append(a.records, rr)
				ttl = min(ttl, h.Ttl)
			} else if c, ok := rr.(*dns.CNAME); ok && alias == nil {
				alias = c
			}
		}
		if len(a.records) > 0 {
			a.status, a.ttl = found, boundTTL(ttl, maxTTL)
			return a, "", nil
		}
		if alias == nil {
			break
		}
		ttl = min(ttl, alias.Hdr.Ttl)
		name = strings.ToLower(dns.Fqdn(alias.Target))
		if err := a.follow(q.name, name); err != nil {
			return answer{}, "", err
		}
	}
	soa := negativeTTL(m, name)
	switch {
	case m.Rcode == dns.RcodeNameError:
		a.status = noDomain
	case soa == nil && len(a.aliases) > 0:
		a.ttl = boundTTL(ttl, maxTTL)
		return a, name, nil
	case soa == nil && refers(m):
		// RFC 2308 §2.2: name servers without a SOA are a referral, not the statement that there is no
		// record. Mistaken for one, it would make an implicit MX.
		return answer{}, "", errors.New("server refers to other servers: it does not resolve for us")
	default:
		a.status = noData
	}
	// RFC 2308 §5: without a SOA a negative answer should not be kept; the floor keeps askers at bay.
	negative := uint32(0)
	if soa != nil {
		negative = min(*soa, ttl)
	}
	a.ttl = boundTTL(negative, maxNegativeTTL)
	return a, "", nil
}

// follow adds an alias, unless it makes the chain a loop or too long.
func (a *answer) follow(start, target string) error {
	if target == start {
		return fmt.Errorf("alias of %q leads back to it", bare(start))
	}
	for _, seen := range a.aliases {
		if seen == target {
			return fmt.Errorf("aliases of %q run in a circle", bare(start))
		}
	}
	if len(a.aliases) == maxAliases {
		return fmt.Errorf("more than %d aliases in a row", maxAliases)
	}
	a.aliases = append(a.aliases, target)
	return nil
}

// negativeTTL is how long the zone of name wants a negative answer kept, or nil where the message does not
// say (RFC 2308 §5: the lesser of the SOA's own time to live and its minimum).
func negativeTTL(m *dns.Msg, name string) *uint32 {
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok && soa.Hdr.Class == dns.ClassINET && dns.IsSubDomain(soa.Hdr.Name, name) {
			ttl := min(soa.Hdr.Ttl, soa.Minttl)
			return &ttl
		}
	}
	return nil
}

func refers(m *dns.Msg) bool {
	if m.Authoritative {
		return false
	}
	for _, rr := range m.Ns {
		if rr.Header().Rrtype == dns.TypeNS {
			return true
		}
	}
	return false
}

// boundTTL bounds a time to live. RFC 8767 §4: one with the high-order bit set is a long time, not none.
func boundTTL(seconds uint32, most time.Duration) time.Duration {
	return min(max(time.Duration(seconds)*time.Second, minTTL), most)
}

func sameName(a, b string) bool { return strings.EqualFold(a, b) }

func rcodeName(rcode int) string {
	if s, ok := dns.RcodeToString[rcode]; ok {
		return s
	}
	return fmt.Sprintf("RCODE %d", rcode)
}

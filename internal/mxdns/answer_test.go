package mxdns

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/mxsend/go-mxsend/internal/memnet"
)

func TestReadAnswer(t *testing.T) {
	const (
		soa      = "example. %d IN SOA ns.example. hostmaster.example. 1 2 3 4 %d"
		otherSOA = "other.test. 200 IN SOA ns.other.test. hostmaster.other.test. 1 2 3 4 200"
		ns       = "example. 60 IN NS ns.example."
	)
	ask := question{"relay.example.", dns.TypeA}
	for _, test := range []struct {
		name      string
		rcode     int
		answer    string // records, one a line
		authority string
		want      string // status, ttl and aliases, or next, or error
	}{
		{"address", 0, "Relay.Example. 70 IN A 192.0.2.1", "", "found 1m10s []"},
		{"least time to live", 0, "relay.example. 70 IN A 192.0.2.1\nrelay.example. 30 IN A 192.0.2.2", "", "found 30s []"},
		{"alias", 0, "relay.example. 20 IN CNAME b.example.\nb.example. 70 IN A 192.0.2.1", "", "found 20s [b.example.]"},
		{"alias before its owner", 0, "b.example. 70 IN A 192.0.2.1\nrelay.example. 90 IN CNAME b.example.", "", "found 1m10s [b.example.]"},
		{"alias alone", 0, "relay.example. 20 IN CNAME B.example.", "", "next b.example. 20s"},
		{"alias without record", 0, "relay.example. 20 IN CNAME b.example.", fmt.Sprintf(soa, 60, 60), "no data 20s [b.example.]"},
		{"alias of nothing", 3, "relay.example. 20 IN CNAME b.example.", fmt.Sprintf(soa, 10, 60), "no domain 10s [b.example.]"},
		{"alias into another zone's SOA", 0, "relay.example. 20 IN CNAME b.test.", fmt.Sprintf(soa, 60, 60), "next b.test. 20s"},
		{"SOA's minimum", 0, "", fmt.Sprintf(soa, 100, 40), "no data 40s []"},
		{"SOA's own time to live", 3, "", fmt.Sprintf(soa, 40, 100), "no domain 40s []"},
		{"SOA of days", 3, "", fmt.Sprintf(soa, 86400, 86400), "no domain 5m0s []"},
		{"SOA of another zone", 3, "", otherSOA, "no domain 5s []"},
		{"no SOA", 0, "", "", "no data 5s []"},
		{"referral", 0, "", ns, "error: server refers to other servers: it does not resolve for us"},
		{"servers beside a SOA", 0, "", ns + "\n" + fmt.Sprintf(soa, 60, 60), "no data 1m0s []"},
		{"SERVFAIL", 2, "relay.example. 70 IN A 192.0.2.1", "", "error: server answers SERVFAIL"},
		{"unknown code", 3841, "", "", "error: server answers RCODE 3841"},
		{"another's address", 0, "other.example. 70 IN A 192.0.2.1", "", "no data 5s []"},
		{"another class", 0, "relay.example. 70 CH A 192.0.2.1", "", "no data 5s []"},
		{"another type", 0, "relay.example. 70 IN AAAA 2001:db8::1", "", "no data 5s []"},
		{"to itself", 0, "relay.example. 70 IN CNAME Relay.example.", "", `error: alias of "relay.example" leads back to it`},
	} {
		m := &dns.Msg{MsgHdr: dns.MsgHdr{Rcode: test.rcode}, Answer: parse(t, test.answer), Ns: parse(t, test.authority)}
		a, next, err := readAnswer(m, ask)
		got := fmt.Sprintf("%s %v %v", [...]string{"found", "no data", "no domain"}[a.status], a.ttl, a.aliases)
		switch {
		case err != nil:
			got = "error: " + err.Error()
		case next != "":
			got = fmt.Sprintf("next %s %v", next, a.ttl)
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func parse(t *testing.T, text string) (records []dns.RR) {
	t.Helper()
	for line := range strings.Lines(text) {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, rr)
	}
	return records
}

// Across servers that know one zone each, the shortest time to live of the chain counts.
func TestAliasAcrossAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t, "a.example. 20 IN CNAME b.test.", "b.test. 70 IN TXT \"there\"")
		z.answer = func(w dns.ResponseWriter, r *dns.Msg) bool {
			m := z.reply(r)
			m.Answer = m.Answer[:1]
			return w.WriteMsg(m) == nil
		}
		r := begin(t, z)
		for _, wait := range []time.Duration{0, 19 * time.Second, time.Second} {
			time.Sleep(wait)
			if got, err := r.LookupTXT(t.Context(), "a.example"); err != nil || got[0] != "there" {
				t.Errorf("got %q, %v", got, err)
			}
			synctest.Wait()
		}
		if got := z.count("b.test.", "TXT"); got != 2 {
			t.Errorf("the alias was followed %d times in 20 s, want 2: at first, and ahead of expiry", got)
		}
	})
}

// A host that failed before is not waited for, but used if its answer came while another was waited for.
func TestAnswerInTimeIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone(t, append(oneRelay, "relay.example. 60 IN MX 20 b.relay.example.", "b.relay.example. 60 IN A 192.0.2.2")...)
		z.answer = func(w dns.ResponseWriter, r *dns.Msg) bool {
			if r.Question[0].Name == "a.relay.example." {
				time.Sleep(100 * time.Millisecond)
			}
			return false
		}
		z.fail("b.relay.example.", dns.RcodeServerFailure)
		n := memnet.New(memnet.Config{})
		serve(t, n, nameServer, z)
		r := resolver(t, n, Config{})
		wantHosts(t, lookupRelays(t, r, "relay.example"), oneRelayHosts)
		z.fail("b.relay.example.", 0)
		time.Sleep(time.Minute + time.Second)
		wantHosts(t, lookupRelays(t, r, "relay.example"), oneRelayHosts+", b.relay.example 192.0.2.2")
	})
}

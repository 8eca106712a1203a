package mxsend

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/mxsend/go-mxsend/internal/mxdns"
)

// checkReturnPath checks that bounces can come back.
func checkReturnPath(ctx context.Context, names publicNames, domain string) []CheckLine {
	line := func(s Severity, found, advice string) CheckLine {
		return CheckLine{Severity: s, Topic: TopicReturnPath, Subject: domain, Found: found, Advice: advice}
	}
	found, err := names.LookupRelays(ctx, domain)
	switch {
	case errors.Is(err, mxdns.ErrNullMX):
		return []CheckLine{line(SeverityError, "has a null MX record: no bounce comes back, and receivers refuse mail from it",
			"publish an MX record for the host that takes bounces")}
	case errors.Is(err, mxdns.ErrNoSuchDomain), errors.Is(err, mxdns.ErrNoAddress):
		return []CheckLine{line(SeverityError, "no bounce comes back, and receivers refuse mail from it: "+oneLine(err),
			"publish an MX record for the host that takes bounces, and an address for that host")}
	case err != nil:
		return []CheckLine{line(SeverityError, "could not be looked up: "+oneLine(err), "check the domain's name servers, and try again")}
	}
	var hosts []string
	for _, h := range found.Hosts {
		hosts = append(hosts, fmt.Sprint(h.Preference, " ", h.Name, " ", h.Addrs))
	}
	first := line(SeverityOK, "bounces go to "+bounded(strings.Join(hosts, ", "), 400), "")
	first.Until = found.Expires
	if found.Implicit {
		first = line(SeverityWarning, first.Found+", since there is no MX record", "publish an MX record: some receivers take a domain without one for forged")
	}
	lines := []CheckLine{first}
	for _, s := range found.Skipped {
		what := s.Host
		if s.Addr.IsValid() {
			what += " " + s.Addr.String()
		}
		lines = append(lines, line(SeverityWarning, what+" gets no bounces: "+s.Reason, "correct it in the zone"))
	}
	for _, w := range found.Warnings {
		lines = append(lines, line(SeverityWarning, w, "correct it in the zone"))
	}
	return lines
}

// checkPTR checks that an outbound address has a name that has the address:
// large receivers refuse mail without.
func checkPTR(ctx context.Context, names publicNames, ip netip.Addr) CheckLine {
	line := func(s Severity, found, advice string) CheckLine {
		return CheckLine{Severity: s, Topic: TopicPTR, Subject: ip.String(), Found: found, Advice: advice}
	}
	if ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return line(SeverityWarning, "is a private address: receivers on the Internet see another", "set Config.Check.OutboundIPs to the addresses that receivers see, behind NAT those of the NAT")
	}
	const publish = "have whoever gave you the address publish a PTR record with the relay's name, and that name the address"
	found, err := lookUpReverse(ctx, names, ip)
	switch {
	case denied(err):
		return line(SeverityError, "has no name: large receivers refuse mail from it", publish)
	case err != nil:
		return line(SeverityError, "could not be looked up: "+oneLine(err), "try again")
	case len(found.confirmed) > 0:
		return line(SeverityOK, "has the name "+bounded(found.confirmed[0], 100)+", which has the address", "")
	case found.unsure != nil:
		return line(SeverityError, fmt.Sprintf("its name could not be looked up: %s", oneLine(found.unsure)), "try again")
	}
	return line(SeverityError, fmt.Sprintf("has the name %.200q, which does not have the address: receivers do not believe it", found.names), publish)
}

// reverseNames is what reverse DNS says of an address.
type reverseNames struct {
	names     []string // of its PTR records; the first ten (RFC 7208 §4.6.4)
	confirmed []string // those that have the address
	unsure    error    // why one could not be looked up
}

// lookUpReverse looks up an address's names, and which of them have the address.
func lookUpReverse(ctx context.Context, names publicNames, ip netip.Addr) (r reverseNames, err error) {
	const most = 10
	found, err := names.LookupPTR(ctx, ip)
	if err != nil {
		return r, err
	}
	for _, name := range found[:min(len(found), most)] {
		name = canonicalHost(name)
		r.names = append(r.names, name)
		addrs, err := names.LookupAddrs(ctx, name)
		if slices.Contains(addrs.Addrs, ip) {
			r.confirmed = append(r.confirmed, name)
		} else if err != nil && !nothingThere(err) {
			r.unsure = err
		}
	}
	return r, nil
}

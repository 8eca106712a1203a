package mxsend

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/mxsend/go-mxsend/internal/mxdns"
	"github.com/mxsend/go-mxsend/internal/senderauth"
)

// checkReturnPath checks that bounces can come back.
func checkReturnPath(ctx context.Context, names publicNames, domain string) []Finding {
	found, err := names.LookupRelays(ctx, domain)
	return returnPathFindings(domain, found, err)
}

// returnPathFindings tells where bounces go.
func returnPathFindings(domain string, found mxdns.Relays, err error) []Finding {
	line := func(s Severity, found, advice string) Finding {
		return Finding{Severity: s, Topic: TopicReturnPath, Subject: domain, Found: found, Advice: advice}
	}
	switch {
	case errors.Is(err, mxdns.ErrNullMX):
		return []Finding{line(SeverityError, "has a null MX record: no bounce comes back, and receivers refuse mail from it",
			"publish an MX record for the host that takes bounces")}
	case errors.Is(err, mxdns.ErrNoSuchDomain), errors.Is(err, mxdns.ErrNoAddress):
		return []Finding{line(SeverityError, "no bounce comes back, and receivers refuse mail from it: "+oneLine(err),
			"publish an MX record for the host that takes bounces, and an address for that host")}
	case err != nil:
		return []Finding{line(SeverityError, "could not be looked up: "+oneLine(err), "check the domain's name servers, and try again")}
	}
	var hosts []string
	for _, h := range found.Hosts {
		hosts = append(hosts, fmt.Sprint(h.Preference, " ", h.Name, " ", h.Addrs))
	}
	first := line(SeverityOK, "bounces go to "+bounded(strings.Join(hosts, ", "), 400), "")
	if found.Implicit {
		first = line(SeverityWarning, first.Found+", since there is no MX record", "publish an MX record: some receivers take a domain without one for forged")
	}
	first.Until = found.Expires
	lines := []Finding{first}
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
func checkPTR(ctx context.Context, names senderauth.Names, ip netip.Addr) Finding {
	if ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return Finding{Severity: SeverityWarning, Topic: TopicPTR, Subject: ip.String(), Found: "is a private address: receivers on the Internet see another",
			Advice: "set Config.Check.OutboundIPs to the addresses that receivers see, behind NAT those of the NAT"}
	}
	found, err := senderauth.LookUpReverse(ctx, names, ip)
	return ptrFinding(ip, found, err)
}

// ptrFinding tells what receivers find for an address's name.
func ptrFinding(ip netip.Addr, found senderauth.Reverse, err error) Finding {
	line := func(s Severity, found, advice string) Finding {
		return Finding{Severity: s, Topic: TopicPTR, Subject: ip.String(), Found: found, Advice: advice}
	}
	const publish = "have whoever gave you the address publish a PTR record with the relay's name, and that name the address"
	switch {
	case senderauth.Absent(err):
		return line(SeverityError, "has no name: large receivers refuse mail from it", publish)
	case err != nil:
		return line(SeverityError, "could not be looked up: "+oneLine(err), "try again")
	case len(found.Confirmed) > 0:
		return line(SeverityOK, "has the name "+bounded(found.Confirmed[0], 100)+", which has the address", "")
	case found.Unsure != nil:
		return line(SeverityError, fmt.Sprintf("its name could not be looked up: %s", oneLine(found.Unsure)), "try again")
	}
	return line(SeverityError, fmt.Sprintf("has the name %.200q, which does not have the address: receivers do not believe it", found.Names), publish)
}

package mxsend

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
)

// checkSPF checks the SPF record of the return-path domain, and that it covers
// every outbound address within the lookups that receivers make.
func checkSPF(ctx context.Context, names publicNames, domain string, ips []netip.Addr) []CheckLine {
	covered := make([]bool, len(ips))
	var sections []checkSection
	for i, ip := range ips {
		sections = append(sections, func(ctx context.Context) []CheckLine {
			l := checkSPFAddress(ctx, names, domain, ip)
			covered[i] = l.Severity != SeverityError
			return []CheckLine{l}
		})
	}
	lines := inParallel(ctx, sections...)
	all := len(ips) > 0
	for _, c := range covered {
		all = all && c
	}
	lines = append([]CheckLine{checkSPFRecord(ctx, names, domain, all)}, lines...)
	if len(ips) == 0 {
		lines = append(lines, CheckLine{Severity: SeverityWarning, Topic: TopicSPF, Subject: domain,
			Found:  "which addresses the relays send from is not known, so whether the record covers them is not checked",
			Advice: "set Config.Check.OutboundIPs to those of every primary and every graveyard"})
	}
	return lines
}

// checkSPFRecord looks through the whole of a record. That it costs more than
// receivers grant is no error where all our addresses are covered before.
func checkSPFRecord(ctx context.Context, names publicNames, domain string, covered bool) CheckLine {
	s := spfCheck{names: names, most: spfSurvey}
	result, err := s.outcome(ctx, domain)
	l := CheckLine{Topic: TopicSPF, Subject: domain}
	bad := func(severity Severity, found, advice string) CheckLine {
		l.Severity, l.Found, l.Advice = severity, found, advice
		return l
	}
	if err != nil {
		if result == spfTempError {
			return bad(SeverityError, "the record could not be looked up: "+err.Error(), "check the domain's name servers, and try again")
		}
		return bad(worseUnless(covered), string(result)+", so that receivers pass over the record: "+err.Error(), "correct the TXT records of "+domain+" and of what they include")
	}
	record := fmt.Sprintf("%q", bounded(s.record, 300))
	cost := fmt.Sprintf("%s costs %d of %d lookups", record, s.lookups, spfLookups)
	switch {
	case result == spfNone:
		return bad(SeverityError, "has no SPF record, and mail cannot pass SPF", `publish a TXT record "v=spf1 … -all" that names the addresses of all relays, graveyards too`)
	case result == spfPass:
		return bad(SeverityError, record+" lets everybody send ("+s.decided+")", "end the record in -all or ~all")
	case s.lookups > spfLookups:
		return bad(worseUnless(covered), cost+": permerror for every address that is not named before",
			"name addresses by ip4 and ip6 in place of include, a and mx")
	case len(s.perMail) > 0:
		return bad(SeverityWarning, cost+"; cannot be evaluated here, as it differs from mail to mail: "+bounded(strings.Join(s.perMail, ", "), 200),
			"name the relays' addresses by ip4 and ip6")
	case s.deprecated:
		return bad(SeverityWarning, cost+"; it uses ptr, which is slow, and which receivers may pass over (RFC 7208 §5.5)",
			"name the relays' addresses by ip4 and ip6 in its place")
	case result == spfNeutral:
		return bad(SeverityWarning, cost+", and says nothing of addresses that it does not name", "end the record in -all or ~all")
	}
	l.Found = cost
	if len(s.perAddress) > 0 {
		l.Found += "; different for each address: " + bounded(strings.Join(s.perAddress, ", "), 200)
	}
	return l
}

func worseUnless(covered bool) Severity {
	if covered {
		return SeverityWarning
	}
	return SeverityError
}

// checkSPFAddress tells what receivers find for one of the relays' addresses.
func checkSPFAddress(ctx context.Context, names publicNames, domain string, ip netip.Addr) CheckLine {
	s := spfCheck{names: names, ip: ip, most: spfLookups}
	result, err := s.outcome(ctx, domain)
	l := CheckLine{Severity: SeverityError, Topic: TopicSPF, Subject: ip.String()}
	mechanism := "ip4:"
	if ip.Is6() {
		mechanism = "ip6:"
	}
	add := fmt.Sprintf("add %s%v to the SPF record of %s", mechanism, ip, domain)
	switch {
	case result == spfTempError:
		l.Found, l.Advice = "could not be evaluated: "+err.Error(), "check the domain's name servers, and try again"
	case err != nil:
		l.Found, l.Advice = string(result)+": "+err.Error(), add+" in front of all that costs lookups, or correct the record"
	case result == spfPass && s.unsure:
		l.Severity = SeverityWarning
		l.Found = fmt.Sprintf("pass by %s, unless another term decides before, which cannot be evaluated here, as it differs from mail to mail: %s",
			bounded(s.decided, 100), bounded(strings.Join(s.perMail, ", "), 200))
		l.Advice = "put what names the address in front"
	case result == spfPass:
		l.Severity = SeverityOK
		l.Found = fmt.Sprintf("pass by %s (%s)", bounded(s.decided, 100), plural(s.lookups, "lookup"))
	case len(s.perMail) > 0:
		l.Severity = SeverityWarning
		l.Found = fmt.Sprintf("%s, but for what cannot be evaluated here, as it differs from mail to mail: %s", result, bounded(strings.Join(s.perMail, ", "), 200))
		l.Advice = add
	case result == spfNone:
		l.Found, l.Advice = "not covered: there is no SPF record", add
	default:
		l.Found, l.Advice = fmt.Sprintf("not covered: %s by %s", result, bounded(s.decided, 100)), add
	}
	return l
}

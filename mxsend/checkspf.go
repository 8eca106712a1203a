package mxsend

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/mxsend/go-mxsend/internal/senderauth"
)

// checkSPF checks the SPF record of the return-path domain, and that it covers
// every outbound address within the lookups that receivers make.
func checkSPF(ctx context.Context, names senderauth.Names, domain string, ips []netip.Addr) []Finding {
	covered := make([]bool, len(ips))
	var sections []checkSection
	for i, ip := range ips {
		sections = append(sections, func(ctx context.Context) []Finding {
			l := spfAddressFinding(domain, ip, senderauth.EvaluateSPF(ctx, names, domain, ip))
			covered[i] = l.Severity != SeverityError
			return []Finding{l}
		})
	}
	lines := inParallel(ctx, sections...)
	all := len(ips) > 0
	for _, c := range covered {
		all = all && c
	}
	lines = append([]Finding{spfRecordFinding(domain, senderauth.SurveySPF(ctx, names, domain), all)}, lines...)
	if len(ips) == 0 {
		lines = append(lines, Finding{Severity: SeverityWarning, Topic: TopicSPF, Subject: domain,
			Found:  "which addresses the relays send from is not known, so whether the record covers them is not checked",
			Advice: "set Config.Check.OutboundIPs to those of every primary and every graveyard"})
	}
	return lines
}

// spfMargin is how close to the limit of lookups a warning is due: what a record
// includes is others', and grows without asking.
const spfMargin = 1

// spfRecordFinding tells of the whole of a record. That it costs more than
// receivers grant is no error where all our addresses are covered before.
func spfRecordFinding(domain string, s senderauth.SPF, covered bool) Finding {
	l := Finding{Topic: TopicSPF, Subject: domain}
	bad := func(severity Severity, found, advice string) Finding {
		l.Severity, l.Found, l.Advice = severity, found, advice
		return l
	}
	if s.Err != nil {
		if s.Result == senderauth.TempError {
			return bad(SeverityError, "the record could not be looked up: "+oneLine(s.Err), "check the domain's name servers, and try again")
		}
		return bad(worseUnless(covered), string(s.Result)+", so that receivers pass over the record: "+oneLine(s.Err), "correct the TXT records of "+domain+" and of what they include")
	}
	record := fmt.Sprintf("%q", bounded(s.Record, 300))
	cost := fmt.Sprintf("%s costs %d of %d lookups", record, s.Lookups, senderauth.SPFLookups)
	switch {
	case s.NearMiss != nil:
		return bad(SeverityError, "has no SPF record that counts, and mail cannot pass SPF: "+passedOver(s.NearMiss), `publish it anew, as "v=spf1 … -all"`)
	case s.Result == senderauth.None:
		return bad(SeverityError, "has no SPF record, and mail cannot pass SPF", `publish a TXT record "v=spf1 … -all" that names the addresses of all relays, graveyards too`)
	case s.Result == senderauth.Pass:
		return bad(SeverityError, record+" lets everybody send ("+s.Decided+")", "end the record in -all or ~all")
	case s.Lookups > senderauth.SPFLookups:
		return bad(worseUnless(covered), cost+": permerror for every address that is not named before",
			"name addresses by ip4 and ip6 in place of include, a and mx")
	case len(s.PerMail) > 0:
		return bad(SeverityWarning, cost+"; cannot be evaluated here, as it differs from mail to mail: "+bounded(strings.Join(s.PerMail, ", "), 200),
			"name the relays' addresses by ip4 and ip6")
	case s.Deprecated:
		return bad(SeverityWarning, cost+"; it uses ptr, which is slow, and which receivers may pass over (RFC 7208 §5.5)",
			"name the relays' addresses by ip4 and ip6 in its place")
	case s.Result == senderauth.Neutral:
		return bad(SeverityWarning, cost+", and says nothing of addresses that it does not name", "end the record in -all or ~all")
	case s.Lookups >= senderauth.SPFLookups-spfMargin:
		return bad(SeverityWarning, cost+": as soon as it, or what it includes, grows by a term or two, receivers pass over it",
			"name addresses by ip4 and ip6 in place of include, a and mx")
	}
	l.Found = cost
	if len(s.PerAddress) > 0 {
		l.Found += "; different for each address: " + bounded(strings.Join(s.PerAddress, ", "), 200)
	}
	return l
}

// passedOver tells of a record that receivers do not take for one.
func passedOver(m *senderauth.NearMiss) string {
	return fmt.Sprintf("receivers pass over %#.200q at %s: %s", maskAddresses(m.Record), m.Name, m.Why)
}

func worseUnless(covered bool) Severity {
	if covered {
		return SeverityWarning
	}
	return SeverityError
}

// spfAddressFinding tells what receivers find for one of the relays' addresses.
func spfAddressFinding(domain string, ip netip.Addr, s senderauth.SPF) Finding {
	l := Finding{Severity: SeverityError, Topic: TopicSPF, Subject: ip.String()}
	mechanism := "ip4:"
	if ip.Is6() {
		mechanism = "ip6:"
	}
	record := "the SPF record of " + domain
	add := fmt.Sprintf("add %s%v to %s", mechanism, ip, record)
	perMail := bounded(strings.Join(s.PerMail, ", "), 200)
	switch {
	case s.Result == senderauth.TempError:
		l.Found, l.Advice = "could not be evaluated: "+oneLine(s.Err), "check the domain's name servers, and try again"
	case s.Err != nil:
		l.Found, l.Advice = string(s.Result)+": "+oneLine(s.Err), add+" in front of all that costs lookups, or correct the record"
	case s.Result == senderauth.Pass && s.Unsure:
		l.Severity = SeverityWarning
		l.Found = fmt.Sprintf("pass by %s, unless another term decides before, which cannot be evaluated here, as it differs from mail to mail: %s",
			bounded(s.Decided, 100), perMail)
		l.Advice = "put what names the address in front in " + record
	case s.Result == senderauth.Pass:
		l.Severity = SeverityOK
		l.Found = fmt.Sprintf("pass by %s (%s) in %s", bounded(s.Decided, 100), plural(s.Lookups, "lookup"), record)
	case len(s.PerMail) > 0:
		l.Severity = SeverityWarning
		l.Found = fmt.Sprintf("%s, but for what cannot be evaluated here, as it differs from mail to mail: %s", s.Result, perMail)
		l.Advice = add
	case s.NearMiss != nil:
		l.Found, l.Advice = "not covered: there is no SPF record that counts", fmt.Sprintf("correct that of %s, and have %s%v in it", domain, mechanism, ip)
	case s.Result == senderauth.None:
		l.Found, l.Advice = "not covered: there is no SPF record", add
	default:
		l.Found, l.Advice = fmt.Sprintf("not covered: %s by %s", s.Result, bounded(s.Decided, 100)), add
	}
	return l
}

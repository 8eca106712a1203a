package mxsend

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// An alignment says whether a domain that was authenticated counts for From (RFC
// 7489 §3.1).
type alignment uint8

const (
	unaligned alignment = iota
	alignmentUnknown
	aligned
)

// align compares an authenticated domain with that in From. Under relaxed
// alignment both must be within one organisational domain. Where DNS does not
// tell that (see findDMARC), one within the other is taken for aligned, and two
// side by side are not decided: what is above them may be an organisation or a
// registry.
func align(from, other string, strict bool, organisation string) alignment {
	switch {
	case other == from:
		return aligned
	case strict:
		return unaligned
	case organisation != "" && within(other, organisation):
		return aligned
	case organisation == "" && (within(other, from) || within(from, other) && strings.Contains(other, ".")):
		return aligned
	case strings.Contains(commonDomain(from, other), "."):
		return alignmentUnknown
	}
	return unaligned
}

func within(name, domain string) bool { return name == domain || strings.HasSuffix(name, "."+domain) }

// commonDomain is the longest domain that both are within.
func commonDomain(a, b string) string {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	n := 0
	for n < min(len(x), len(y)) && x[len(x)-1-n] == y[len(y)-1-n] {
		n++
	}
	return strings.Join(x[len(x)-n:], ".")
}

// checkFrom checks what receivers make of mail from a domain: its policy, and
// that the signature or the return path counts for it.
func (c *Client) checkFrom(ctx context.Context, names publicNames, from string) []CheckLine {
	policy, line := checkDMARC(ctx, names, from)
	lines := []CheckLine{line}
	bySignature, signature := c.checkSignatureAlignment(ctx, from, policy)
	byReturnPath := unaligned
	if c.cfg.Check.ReturnPathDomain != "" {
		var l CheckLine
		byReturnPath, l = checkReturnPathAlignment(from, c.cfg.Check.ReturnPathDomain, policy)
		if byReturnPath == unaligned && bySignature == aligned {
			l.Severity = SeverityWarning
			l.Found += "; DMARC rests on the signature alone"
		}
		lines = append(lines, l)
	}
	if byReturnPath == aligned && signature.Severity == SeverityError {
		signature.Severity = SeverityWarning
		signature.Found += "; DMARC rests on the return path alone, and fails where mail is forwarded"
	}
	return append(lines, signature)
}

func checkReturnPathAlignment(from, returnPath string, policy dmarcPolicy) (alignment, CheckLine) {
	a := align(from, returnPath, policy.record.strictSPF, policy.organisation)
	l := CheckLine{Topic: TopicAlignment, Subject: from}
	l.grade(a, from, "the return path in "+returnPath, mode(policy.record.strictSPF))
	if a == unaligned {
		l.Advice = "use a return path within " + from
	}
	return a, l
}

func mode(strict bool) string {
	if strict {
		return "strict"
	}
	return "relaxed"
}

// grade fills in what a domain's alignment is.
func (l *CheckLine) grade(a alignment, from, what, mode string) {
	switch a {
	case aligned:
		l.Found = fmt.Sprintf("%s is aligned (%s)", what, mode)
	case alignmentUnknown:
		l.Severity = SeverityWarning
		l.Found = what + " is aligned only if the domain above both is an organisation's, not a registry's, which is not known here"
		l.Advice = "publish a DMARC record at the organisation's domain, or use " + from + " itself"
	default:
		l.Severity = SeverityError
		l.Found = fmt.Sprintf("%s is not aligned (%s)", what, mode)
	}
}

// checkSignatureAlignment signs a sample from the domain, which goes nowhere, and
// looks at the d= of its signatures.
func (c *Client) checkSignatureAlignment(ctx context.Context, from string, policy dmarcPolicy) (alignment, CheckLine) {
	l := CheckLine{Severity: SeverityError, Topic: TopicAlignment, Subject: from}
	if c.cfg.Signer == nil {
		l.Found, l.Advice = "there is no Config.Signer, so its signature cannot be aligned", "set Config.Signer, unless the relays sign"
		return unaligned, l
	}
	domains, err := signingDomains(ctx, c.cfg.Signer, from)
	switch {
	case err != nil:
		l.Found, l.Advice = "mail from it is not signed: "+oneLine(err), "give Config.Signer a key for "+from
		return unaligned, l
	case len(domains) == 0:
		l.Found, l.Advice = "Config.Signer adds no DKIM signature", "give it a key for "+from
		return unaligned, l
	}
	best := unaligned
	for _, d := range domains {
		best = max(best, align(from, d, policy.record.strictDKIM, policy.organisation))
	}
	l.Severity = SeverityOK
	l.grade(best, from, "the signature d="+bounded(strings.Join(domains, ", d="), 200), mode(policy.record.strictDKIM))
	if best == unaligned {
		l.Advice = "sign mail from " + from + " with a key of that domain"
	}
	return best, l
}

// signingDomains are the domains that sign mail from a domain.
func signingDomains(ctx context.Context, signer Signer, from string) ([]string, error) {
	now := time.Now().UTC()
	sample := fmt.Sprintf("From: Check <check@%s>\r\nTo: check@%s\r\nSubject: Check\r\nDate: %s\r\nMessage-ID: <%d.check@%s>\r\n"+
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nA sample that is not sent.\r\n",
		from, from, now.Format(time.RFC1123Z), now.UnixNano(), from)
	header, err := signer.Sign(ctx, []byte(sample))
	if err != nil {
		return nil, err
	}
	if len(header) == 0 {
		return nil, nil
	}
	const most = 1 << 20
	if len(header) > most {
		return nil, errors.New("the signer's header fields are over 1 MiB")
	}
	fields, err := textproto.NewReader(bufio.NewReader(io.MultiReader(bytes.NewReader(header), strings.NewReader("\r\n")))).ReadMIMEHeader()
	if err != nil {
		return nil, fmt.Errorf("the signer's header fields are malformed: %w", err)
	}
	var domains []string
	for _, value := range fields["Dkim-Signature"] {
		tags, err := parseTags(value)
		if err != nil {
			return nil, fmt.Errorf("the signer's signature is malformed: %w", err)
		}
		if d := canonicalHost(tags["d"]); d != "" && !slices.Contains(domains, d) {
			domains = append(domains, d)
		}
	}
	return domains, nil
}

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

	"github.com/mxsend/go-mxsend/internal/senderauth"
)

// checkFromDomain checks what receivers make of mail from a domain: its policy,
// and that the signature or the return path counts for it.
func (c *Client) checkFromDomain(ctx context.Context, names senderauth.Names, from string) []Finding {
	policy, finding := checkDMARC(ctx, names, from)
	findings := []Finding{finding}
	bySignature, signature := c.checkSignatureAlignment(ctx, names, policy)
	everyReturnPath := len(c.cfg.Check.ReturnPathDomains) > 0
	for _, domain := range c.cfg.Check.ReturnPathDomains {
		byReturnPath, l := checkReturnPathAlignment(ctx, names, policy, domain)
		if byReturnPath.Nowhere() && bySignature.Everywhere() {
			l.Severity = SeverityWarning
			l.Found += "; DMARC rests on the signature alone"
		}
		everyReturnPath = everyReturnPath && byReturnPath.Everywhere()
		findings = append(findings, l)
	}
	if everyReturnPath && signature.Severity == SeverityError {
		signature.Severity = SeverityWarning
		signature.Found += "; DMARC rests on the return path alone, and fails where mail is forwarded"
	}
	return append(findings, signature)
}

func checkReturnPathAlignment(ctx context.Context, names senderauth.Names, policy senderauth.Policy, domain string) (senderauth.Alignment, Finding) {
	return checkAligned(ctx, names, policy, "the return path in "+domain, policy.StrictSPF, "use a return path within "+policy.Author.Name, domain)
}

// checkAligned tells whether mail that is authenticated for domains is so for the
// one in From.
func checkAligned(ctx context.Context, names senderauth.Names, policy senderauth.Policy, what string, strict bool, advice string, domains ...string) (a senderauth.Alignment, l Finding) {
	l = Finding{Topic: TopicAlignment, Subject: policy.Author.Name}
	for _, name := range domains {
		domain := senderauth.Domain{Name: name}
		var err error
		if !strict && name != policy.Author.Name { // else names are compared, and no organisations
			domain, err = senderauth.LookUpDomain(ctx, names, name)
		}
		if err != nil {
			l.Severity = SeverityError
			l.Found, l.Advice = "whether "+what+" is aligned could not be looked up: "+oneLine(err), "check the domain's name servers, and try again"
			return senderauth.Alignment{}, l
		}
		a = a.Or(senderauth.Align(policy.Author, domain, strict))
	}
	l.gradeAlignment(a, policy.Author, what, strict, advice)
	return a, l
}

// gradeAlignment fills in what an alignment means.
func (l *Finding) gradeAlignment(a senderauth.Alignment, from senderauth.Domain, what string, strict bool, advice string) {
	mode := "relaxed"
	if strict {
		mode = "strict"
	}
	switch {
	case a.Everywhere():
		l.Found = fmt.Sprintf("%s is aligned (%s)", what, mode)
	case a.Nowhere():
		l.Severity = SeverityError
		l.Found, l.Advice = fmt.Sprintf("%s is not aligned (%s)", what, mode), advice
	case a.ByList:
		l.Severity = SeverityWarning
		l.Found = what + " is aligned for receivers that find the organisation by the list of public suffixes, but not for those that go by DMARC records (DMARCbis)"
		l.Advice = "publish a DMARC record at _dmarc." + from.Listed + ", or use " + from.Name + " itself"
	default:
		l.Severity = SeverityWarning
		l.Found = what + " is aligned for receivers that find the organisation by DMARC records (DMARCbis), but not for those that go by the list of public suffixes"
		l.Advice = "use " + from.Name + " itself"
	}
}

// checkSignatureAlignment signs a sample from the domain, which goes nowhere, and
// looks at the d= of its signatures.
func (c *Client) checkSignatureAlignment(ctx context.Context, names senderauth.Names, policy senderauth.Policy) (none senderauth.Alignment, l Finding) {
	from := policy.Author.Name
	l = Finding{Severity: SeverityError, Topic: TopicAlignment, Subject: from}
	if c.cfg.Signer == nil {
		l.Found, l.Advice = "there is no Config.Signer, so its signature cannot be aligned", "set Config.Signer, unless the relays sign"
		return none, l
	}
	domains, err := signingDomains(ctx, c.cfg.Signer, from)
	switch {
	case err != nil:
		l.Found, l.Advice = "mail from it is not signed: "+oneLine(err), "give Config.Signer a key for "+from
		return none, l
	case len(domains) == 0:
		l.Found, l.Advice = "Config.Signer adds no DKIM signature", "give it a key for "+from
		return none, l
	}
	return checkAligned(ctx, names, policy, "the signature d="+bounded(strings.Join(domains, ", d="), 200), policy.StrictDKIM,
		"sign mail from "+from+" with a key of that domain", domains...)
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
		tags, err := senderauth.ParseTags(value)
		if err != nil {
			return nil, fmt.Errorf("the signer's signature is malformed: %w", err)
		}
		if d := canonicalHost(tags["d"]); d != "" && !slices.Contains(domains, d) {
			domains = append(domains, d)
		}
	}
	return domains, nil
}

package mxsend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mxsend/go-mxsend/internal/senderauth"
)

// checkDMARC checks that a policy applies to mail from a domain.
func checkDMARC(ctx context.Context, names senderauth.Names, from string) (senderauth.Policy, Finding) {
	policy, err := senderauth.FindDMARC(ctx, names, from)
	return policy, dmarcFinding(policy, err)
}

// dmarcFinding tells which policy applies, and what is wrong with it.
func dmarcFinding(policy senderauth.Policy, err error) Finding {
	author := policy.Author
	l := Finding{Severity: SeverityError, Topic: TopicDMARC, Subject: author.Name}
	const example = `"v=DMARC1; p=none; rua=mailto:…"`
	// The record of the organisational domain is found by every receiver.
	places := "_dmarc." + author.Name
	if author.Listed != author.Name {
		places += ", or at _dmarc." + author.Listed + " for all domains below it"
	}
	var malformed *senderauth.MalformedDMARC
	switch {
	case errors.As(err, &malformed):
		l.Found, l.Advice = "the record is void: "+oneLine(err), "correct it, such as to "+example
		if malformed.Record != "" {
			l.Found += fmt.Sprintf(": %#.200q", maskAddresses(malformed.Record))
		}
		return l
	case err != nil:
		l.Found, l.Advice = "could not be looked up: "+oneLine(err), "check the domain's name servers, and try again"
		return l
	case policy.At == "" && policy.NearMiss != nil:
		l.Found = "has no DMARC record that counts, and large receivers refuse bulk mail from it: " + passedOver(policy.NearMiss)
		l.Advice = "correct it, such as to " + example + " at " + places
		return l
	case policy.At == "":
		l.Found = "has no DMARC record: large receivers refuse bulk mail from it"
		l.Advice = "publish " + example + " at " + places
		return l
	}
	l.Severity = SeverityOK
	applies := "p=" + policy.Policy
	if policy.At != author.Name && policy.Subdomains != "" {
		applies = "sp=" + policy.Subdomains
	}
	l.Found = fmt.Sprintf("_dmarc.%s has %s", policy.At, applies)
	var flaws, advice []string
	if !slices.Contains([]string{author.Name, author.Listed}, policy.At) {
		flaws = append(flaws, fmt.Sprintf("only receivers that look at every domain above (DMARCbis) find it; others look at %s and %s", author.Name, author.Listed))
		advice = append(advice, "publish it at "+places)
	}
	if policy.Stray != "" {
		flaws, advice = append(flaws, policy.Stray), append(advice, "remove them from the record")
	}
	if policy.NearMiss != nil {
		flaws, advice = append(flaws, passedOver(policy.NearMiss)), append(advice, "correct what is passed over, or remove it")
	}
	if len(flaws) > 0 {
		l.Severity = SeverityWarning
		l.Found += "; " + strings.Join(flaws, "; ")
		l.Advice = strings.Join(advice, "; ")
	}
	return l
}

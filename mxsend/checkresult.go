package mxsend

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// A CheckResult is what Client.Check found. The zero value is of a check that
// found nothing out, which is not OK. It marshals as JSON and prints as a table.
type CheckResult struct {
	// Findings come in the order of the way of mail: the domains with their relays,
	// the signer, the return paths, the addresses that receivers see.
	Findings []Finding `json:"findings"`
}

// A Finding is one thing that was checked, and what is so.
type Finding struct {
	Severity Severity `json:"severity"`
	Topic    Topic    `json:"topic"`
	// Subject is what was looked at: a domain, a relay with its address, an
	// outbound address, a DNS record's name.
	Subject string `json:"subject"`
	// Found says what is so. What others wrote in it is bounded, and mail
	// addresses are masked.
	Found string `json:"found"`
	// Advice says what to do; empty where there is nothing to do.
	Advice string `json:"advice,omitempty"`
	// Until is when Found ends by itself: a DNS answer's expiry, the end of a
	// certificate's validity. Zero: it has no such time.
	Until time.Time `json:"until,omitzero"`
}

// A Severity grades a Finding. In JSON it is its String.
type Severity uint8

const (
	SeverityOK      Severity = iota // as it should be
	SeverityWarning                 // mail goes out, but worse, later, or not for long
	SeverityError                   // mail is refused, lost, or does not go out, or nothing could be found out
)

// String returns "ok", "warning" or "error".
func (s Severity) String() string {
	return [...]string{"ok", "warning", "error"}[min(s, SeverityError)]
}

// MarshalText returns String.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes what MarshalText gives.
func (s *Severity) UnmarshalText(text []byte) error {
	for _, known := range [...]Severity{SeverityOK, SeverityWarning, SeverityError} {
		if string(text) == known.String() {
			*s = known
			return nil
		}
	}
	return fmt.Errorf("mxsend: severity %.20q is none of ok, warning and error", text)
}

// A Topic says what kind of thing a Finding is about, for those who filter.
type Topic string

// The topics, in the order of CheckResult.Findings.
const (
	TopicDNS        Topic = "dns"         // the relays that a mail domain names
	TopicWeights    Topic = "weights"     // Config.Weights
	TopicHello      Topic = "ehlo"        // the name in EHLO, Config.LocalName
	TopicRelay      Topic = "relay"       // an address of a relay answers: TCP, greeting, EHLO
	TopicTLS        Topic = "tls"         // its certificate
	TopicExtensions Topic = "extensions"  // what it offers in EHLO
	TopicAuth       Topic = "auth"        // Config.Auth is accepted
	TopicSigner     Topic = "signer"      // Config.Signer and its published records
	TopicReturnPath Topic = "return path" // bounces can come back
	TopicSPF        Topic = "spf"         // RFC 7208
	TopicPTR        Topic = "ptr"         // an outbound address has a name that has the address
	TopicDMARC      Topic = "dmarc"       // RFC 7489
	TopicAlignment  Topic = "alignment"   // signature and return path belong to the domain in From
	TopicCheck      Topic = "check"       // the check itself
)

// OK says whether there are findings, and no error among them. Warnings are OK.
func (p CheckResult) OK() bool { return len(p.Findings) > 0 && len(p.Errors()) == 0 }

// Errors returns the findings of SeverityError.
func (p CheckResult) Errors() []Finding { return p.graded(SeverityError) }

// Warnings returns the findings of SeverityWarning.
func (p CheckResult) Warnings() []Finding { return p.graded(SeverityWarning) }

func (p CheckResult) graded(s Severity) (findings []Finding) {
	for _, l := range p.Findings {
		if l.Severity == s {
			findings = append(findings, l)
		}
	}
	return findings
}

// String returns the findings as a table, for people: severity, topic, subject and
// what was found, and below it, behind an arrow, what to do.
func (p CheckResult) String() string {
	topic, subject := 0, 0
	for _, l := range p.Findings {
		topic = max(topic, utf8.RuneCountInString(string(l.Topic)))
		subject = max(subject, utf8.RuneCountInString(l.Subject))
	}
	const severity = len("warning")
	var b strings.Builder
	for _, l := range p.Findings {
		fmt.Fprintf(&b, "%-*s  %-*s  %-*s  %s\n", severity, l.Severity, topic, l.Topic, subject, l.Subject, l.Found)
		if l.Advice != "" {
			fmt.Fprintf(&b, "%*s  → %s\n", severity+2+topic+2+subject, "", l.Advice)
		}
	}
	return b.String()
}

// String returns the finding on one line: "error: tls p1.example.com 192.0.2.1:25:
// …; what to do".
func (l Finding) String() string {
	s := l.Severity.String() + ": " + string(l.Topic) + " " + l.Subject + ": " + l.Found
	if l.Advice != "" {
		s += "; " + l.Advice
	}
	return s
}

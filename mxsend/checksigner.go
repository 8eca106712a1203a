package mxsend

import (
	"context"

	"github.com/mxsend/go-mxsend/internal/senderauth"
)

// A RecordChecker is a Signer that can compare its keys with what is published
// for them; *dkim.Signer and *dkim.DomainSigner are. Client.Check calls it.
//
// CheckRecords calls report for each key, once or more: severity is the String of
// a Severity ("ok", "warning" or "error"), subject the name of the record, text
// what is so and what to do. lookupTXT returns the TXT records of a name, the
// strings of each joined, and none without an error where there are none. The
// error is that of ctx.
type RecordChecker interface {
	CheckRecords(ctx context.Context, lookupTXT func(context.Context, string) ([]string, error), report func(severity, subject, text string)) error
}

// checkSigner checks the published records of Config.Signer.
func (c *Client) checkSigner(ctx context.Context, names senderauth.Names) []Finding {
	line := func(s Severity, subject, found, advice string) Finding {
		return Finding{Severity: s, Topic: TopicSigner, Subject: subject, Found: found, Advice: advice}
	}
	if c.cfg.Signer == nil {
		return []Finding{line(SeverityOK, "Config.Signer", "none is set: content goes out as it is, unless Message.Signer signs it", "")}
	}
	checker, ok := c.cfg.Signer.(RecordChecker)
	if !ok {
		return []Finding{line(SeverityWarning, "Config.Signer", "its published records are not checked: it has no method CheckRecords", "use dkim.Signer, or see mxsend.RecordChecker")}
	}
	lookup := func(ctx context.Context, name string) ([]string, error) {
		return senderauth.LookupTXT(ctx, names, name)
	}
	var lines []Finding
	err := checker.CheckRecords(ctx, lookup, func(severity, subject, text string) {
		l := line(SeverityError, subject, text, "")
		_ = l.Severity.UnmarshalText([]byte(severity)) // what is none of them stays an error
		lines = append(lines, l)
	})
	switch {
	case err != nil:
		lines = append(lines, line(SeverityError, "Config.Signer", "the check of its records failed: "+oneLine(err), ""))
	case len(lines) == 0:
		lines = append(lines, line(SeverityWarning, "Config.Signer", "it has no record to check", "give it a key"))
	}
	return lines
}

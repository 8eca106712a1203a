package dkim

import (
	"context"
	"slices"
	"strings"
)

// CheckRecords does what [Signer.Check] does, and calls report for each finding: severity is "ok",
// "warning" or "error", subject the name of the record, or the signing domain where a finding is about
// all, and text that of the finding. The error is that of ctx.
func (s *Signer) CheckRecords(ctx context.Context, lookupTXT func(context.Context, string) ([]string, error), report func(severity, subject, text string)) error {
	findings, err := s.Check(ctx, lookupTXT)
	for _, f := range findings {
		subject := s.domain
		if f.Selector != "" {
			subject = f.Selector + "._domainkey." + s.domain
		}
		report(f.Severity.String(), subject, f.Text)
	}
	return err
}

// CheckRecords does what [Signer.CheckRecords] does for every signer of d, by domain.
func (d *DomainSigner) CheckRecords(ctx context.Context, lookupTXT func(context.Context, string) ([]string, error), report func(severity, subject, text string)) error {
	var all []*Signer
	for _, signers := range d.signers {
		for _, s := range signers {
			if !slices.Contains(all, s) { // one whose domain has two forms is there twice
				all = append(all, s)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *Signer) int { return strings.Compare(a.String(), b.String()) })
	for _, s := range all {
		if err := s.CheckRecords(ctx, lookupTXT, report); err != nil {
			return err
		}
	}
	return nil
}

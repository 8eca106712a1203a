package dkim

import "context"

// CheckRecords does what [Signer.Check] does, and calls report for each finding: severity is "ok",
// "warning" or "error", subject the name of the record, or the signing domain where a finding is about
// all, and text that of the finding. With it a Signer is what mxsend calls a RecordChecker. The error
// is that of ctx.
func (s *Signer) CheckRecords(ctx context.Context, lookupTXT func(context.Context, string) ([]string, error), report func(severity, subject, text string)) error {
	findings, err := s.Check(ctx, lookupTXT)
	reportAll(findings, report)
	return err
}

// CheckRecords does what [Signer.CheckRecords] does, with the findings of [DomainSigner.Check].
func (d *DomainSigner) CheckRecords(ctx context.Context, lookupTXT func(context.Context, string) ([]string, error), report func(severity, subject, text string)) error {
	findings, err := d.Check(ctx, lookupTXT)
	reportAll(findings, report)
	return err
}

func reportAll(findings []Finding, report func(severity, subject, text string)) {
	for _, f := range findings {
		subject := f.Domain
		if f.Selector != "" {
			subject = f.Selector + "._domainkey." + f.Domain
		}
		report(f.Severity.String(), subject, f.Text)
	}
}

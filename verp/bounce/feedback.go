package bounce

import "strings"

// feedback fills r from a message/feedback-report part (RFC 5965 §3) and
// reports whether there is one.
func (m *message) feedback(r *Report) bool {
	for _, p := range m.parts {
		if p.typ != "message/feedback-report" {
			continue
		}
		h, _, _ := splitHeader(strings.TrimLeft(p.body, "\n"))
		r.FeedbackType = strings.ToLower(h.get("Feedback-Type"))
		if r.FeedbackType == "" {
			r.FeedbackType = "other"
		}
		r.ReportingMTA = typedValue(h.get("Reporting-MTA"))
		r.EnvelopeID = h.get("Original-Envelope-Id")
		r.Original.ReturnPath = firstAddress(h.get("Original-Mail-From"))
		for _, f := range h {
			if strings.EqualFold(f.name, "Original-Rcpt-To") && len(r.Recipients) < maxRecipients {
				if a := firstAddress(unfold(f.value)); a != "" {
					r.Recipients = append(r.Recipients, Recipient{Address: a, Category: None, Evidence: "feedback " + r.FeedbackType})
				}
			}
		}
		// RFC 6430: not-spam takes a complaint back; auth-failure (RFC 6591) is
		// about forgeries, not about a recipient.
		if r.FeedbackType != "not-spam" && r.FeedbackType != "auth-failure" {
			r.Kind = Complaint
		}
		return true
	}
	return false
}

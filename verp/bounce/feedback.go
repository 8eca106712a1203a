package bounce

import "strings"

// feedback fills r from a message/feedback-report part (RFC 5965 §3) and
// reports whether there is one.
func (m *message) feedback(r *Report) bool {
	for _, p := range m.parts {
		if p.typ != "message/feedback-report" && p.typ != "text/feedback-report" {
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
			if strings.EqualFold(f.name, "Original-Rcpt-To") || strings.EqualFold(f.name, "Removal-Recipient") {
				r.addComplainant(unfold(f.value))
			}
		}
		if len(r.Recipients) == 0 {
			r.addComplainant(m.complainant())
		}
		if len(r.Recipients) == 0 {
			r.addComplainant(m.onlyTo())
		}
		// RFC 6430: not-spam takes a complaint back; auth-failure (RFC 6591) is
		// about forgeries, not about a recipient.
		if r.FeedbackType != "not-spam" && r.FeedbackType != "auth-failure" {
			r.Kind = Complaint
		}
		return true
	}
	return m.unlabelledComplaint(r)
}

// unlabelledComplaint knows complaints that Outlook.com sends without a
// feedback report.
func (m *message) unlabelledComplaint(r *Report) bool {
	a := m.complainant()
	if a == "" {
		return false
	}
	r.Kind, r.FeedbackType = Complaint, "abuse"
	r.addComplainant(a)
	return true
}

// complainant returns who complained where the provider notes it in the header
// of the enclosed mail, as Outlook.com does.
func (m *message) complainant() string {
	for _, p := range m.parts {
		if isEnclosed(p.typ) && strings.Contains(p.body, "HmXmr") {
			if v := enclosedHeader(p.body).get("X-HmXmrOriginalRecipient"); v != "" {
				return v
			}
		}
	}
	return ""
}

// addComplainant adds an address that is not there yet and not removed.
func (r *Report) addComplainant(value string) {
	a := firstAddress(value)
	if a == "" || len(r.Recipients) >= maxRecipients {
		return
	}
	for _, x := range r.Recipients {
		if sameAddress(x.Address, a) {
			return
		}
	}
	r.Recipients = append(r.Recipients, Recipient{Address: a, Category: None, Evidence: "feedback " + r.FeedbackType})
}

// onlyTo returns the address in the enclosed mail's To, if it is the only one.
func (m *message) onlyTo() string {
	for _, p := range m.parts {
		if !isEnclosed(p.typ) {
			continue
		}
		to := enclosedHeader(p.body).get("To")
		a, end := nextAddress(to, 0)
		if another, _ := nextAddress(to, end); another == "" || sameAddress(a, another) {
			return a
		}
		return ""
	}
	return ""
}

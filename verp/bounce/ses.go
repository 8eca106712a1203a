package bounce

import (
	"encoding/json"
	"strings"
)

// sesNotification is what Amazon SES publishes about a mail; its SNS service
// sends it on by mail, as JSON in the text.
type sesNotification struct {
	NotificationType string `json:"notificationType"`
	EventType        string `json:"eventType"`
	Mail             struct {
		MessageID     string   `json:"messageId"`
		Source        string   `json:"source"`
		Destination   []string `json:"destination"`
		CommonHeaders struct {
			MessageID string `json:"messageId"`
			Subject   string `json:"subject"`
		} `json:"commonHeaders"`
	} `json:"mail"`
	Bounce struct {
		BounceType        string `json:"bounceType"`
		BounceSubType     string `json:"bounceSubType"`
		ReportingMTA      string `json:"reportingMTA"`
		BouncedRecipients []struct {
			EmailAddress   string `json:"emailAddress"`
			Action         string `json:"action"`
			Status         string `json:"status"`
			DiagnosticCode string `json:"diagnosticCode"`
		} `json:"bouncedRecipients"`
	} `json:"bounce"`
	Complaint struct {
		ComplainedRecipients []struct {
			EmailAddress string `json:"emailAddress"`
		} `json:"complainedRecipients"`
		FeedbackType string `json:"complaintFeedbackType"`
	} `json:"complaint"`
	Delivery struct {
		Recipients   []string `json:"recipients"`
		SMTPResponse string   `json:"smtpResponse"`
		ReportingMTA string   `json:"reportingMTA"`
	} `json:"delivery"`
	DeliveryDelay struct {
		DelayType         string `json:"delayType"`
		DelayedRecipients []struct {
			EmailAddress   string `json:"emailAddress"`
			Status         string `json:"status"`
			DiagnosticCode string `json:"diagnosticCode"`
		} `json:"delayedRecipients"`
	} `json:"deliveryDelay"`
}

// ses fills r from such a notification and reports whether it is one.
func (m *message) ses(r *Report) bool {
	for _, p := range m.parts {
		body := strings.TrimLeft(p.body, " \n\t")
		if p.typ != "text/plain" || !strings.HasPrefix(body, "{") || !strings.Contains(body, `"mail"`) {
			continue
		}
		var n sesNotification
		if json.NewDecoder(strings.NewReader(body)).Decode(&n) != nil {
			// A gateway has broken the line: no JSON string contains an end of line.
			if json.NewDecoder(strings.NewReader(strings.ReplaceAll(body, "\n", ""))).Decode(&n) != nil {
				continue
			}
		}
		return n.fill(r)
	}
	return false
}

func (n *sesNotification) fill(r *Report) bool {
	r.Original.ReturnPath, r.Original.Subject = n.Mail.Source, n.Mail.CommonHeaders.Subject
	r.Original.To = strings.Join(n.Mail.Destination[:min(len(n.Mail.Destination), maxRecipients)], ", ")
	if r.MessageID = n.Mail.CommonHeaders.MessageID; r.MessageID == "" && n.Mail.MessageID != "" {
		r.MessageID = "<" + n.Mail.MessageID + ">"
	}
	add := func(address, action, status, diagnostic, comment string) {
		a := firstAddress(address)
		if a == "" {
			return
		}
		if len(r.Recipients) >= maxRecipients {
			r.Truncated = true
			return
		}
		rcpt := Recipient{Address: a, Action: normalAction(action), Status: findStatus(status), Diagnostic: typedDiagnostic(diagnostic)}
		finish(&rcpt, facts{comment: comment})
		r.Recipients = append(r.Recipients, rcpt)
	}
	switch n.NotificationType + n.EventType {
	case "Bounce":
		r.ReportingMTA = typedValue(n.Bounce.ReportingMTA)
		for _, b := range n.Bounce.BouncedRecipients {
			add(b.EmailAddress, or(b.Action, actionFailed), b.Status, b.DiagnosticCode, sesComments[n.Bounce.BounceSubType])
		}
	case "Delivery":
		r.ReportingMTA = typedValue(n.Delivery.ReportingMTA)
		for _, a := range n.Delivery.Recipients {
			add(a, actionDelivered, n.Delivery.SMTPResponse, n.Delivery.SMTPResponse, "")
		}
	case "DeliveryDelay":
		for _, d := range n.DeliveryDelay.DelayedRecipients {
			add(d.EmailAddress, actionDelayed, d.Status, d.DiagnosticCode, "")
		}
	case "Complaint":
		r.FeedbackType = strings.ToLower(or(n.Complaint.FeedbackType, "abuse"))
		for _, c := range n.Complaint.ComplainedRecipients {
			if a := firstAddress(c.EmailAddress); a != "" && len(r.Recipients) < maxRecipients {
				r.Recipients = append(r.Recipients, Recipient{Address: a, Category: None, Evidence: "feedback " + r.FeedbackType})
			}
		}
		if r.FeedbackType != "not-spam" {
			r.Kind = Complaint
		}
		return true
	default:
		return false
	}
	r.conclude()
	return len(r.Recipients) > 0
}

// sesComments are words for SES's bounceSubType, for the text rules.
var sesComments = map[string]string{
	"NoEmail": "user unknown", "Suppressed": "address is on a suppression list: user unknown", "OnAccountSuppressionList": "address is on a suppression list: user unknown",
	"MailboxFull": "mailbox full", "MessageTooLarge": "message too large", "AttachmentRejected": "attachment rejected", "ContentRejected": "content rejected",
}

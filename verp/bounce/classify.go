package bounce

import "strings"

// finish derives from what was read of a recipient what was not said: code,
// status, action, category. context is what a notice says besides.
func finish(r *Recipient, context string) {
	r.Diagnostic = bounded(r.Diagnostic)
	r.Code = findCode(r.Diagnostic)
	if s := findStatus(r.Diagnostic); s != "" && (r.Status == "" || strings.HasSuffix(r.Status, ".0.0")) {
		r.Status = s
	}
	r.Category, r.Evidence = categorize(r, context)
	if r.Action == "" {
		r.Action = actionFailed
	}
	r.Permanent = r.Action == actionFailed && (strings.HasPrefix(r.Status, "5") || r.Status == "" && r.Code >= 500)
}

// bounded cuts a diagnostic to its limit, at a character's end.
func bounded(s string) string {
	if len(s) <= maxDiagnostic {
		return s
	}
	return strings.ToValidUTF8(s[:maxDiagnostic], "")
}

func categorize(r *Recipient, _ string) (Category, string) {
	switch {
	case r.Action == actionDelivered || r.Action == actionRelayed || r.Action == actionExpanded:
		return None, "action " + r.Action
	case strings.HasPrefix(r.Status, "4") && r.Action == actionFailed:
		return ExpiredInQueue, "status " + r.Status + " with action failed"
	}
	if len(r.Status) > 2 {
		if c, ok := byStatus[r.Status[2:]]; ok {
			return c, "status " + r.Status
		}
		if strings.HasPrefix(r.Status[2:], "7.") {
			return Policy, "status " + r.Status
		}
	}
	return Undetermined, ""
}

// byStatus: RFC 3463 §3, the class left out.
var byStatus = map[string]Category{
	"1.1": MailboxUnknown, "1.2": HostUnknown, "1.3": MailboxUnknown, "1.6": Moved, "1.10": HostUnknown,
	"2.1": Disabled, "2.2": MailboxFull, "2.3": Size, "3.4": Size, "4.4": HostUnknown, "4.7": ExpiredInQueue,
	"4.1": Network, "4.2": Network, "4.3": Network, "4.6": System,
}

// markOwnRelays changes the category of what the sender's own relays refused.
func (p Parser) markOwnRelays(report *Report) {
	for i := range report.Recipients {
		r := &report.Recipients[i]
		if r.Category == None || r.RemoteMTA == "" {
			continue
		}
		for _, own := range p.OwnRelays {
			if isHostOf(r.RemoteMTA, own) {
				r.Category, r.Evidence, r.Permanent = OwnRelay, "remote MTA "+r.RemoteMTA, false
				break
			}
		}
	}
}

// isHostOf reports whether host is the relay own, or lies below it where own
// starts with a dot.
func isHostOf(host, own string) bool {
	host, own = strings.TrimSuffix(host, "."), strings.TrimSuffix(own, ".")
	if strings.HasPrefix(own, ".") {
		return len(host) > len(own) && strings.EqualFold(host[len(host)-len(own):], own)
	}
	return own != "" && strings.EqualFold(host, own)
}

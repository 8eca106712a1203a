package bounce

import "strings"

// isAutoReply reports whether a program wrote the message in answer to another.
func isAutoReply(h header) bool {
	// RFC 3834 §5: anything but "no" was not written by a person.
	if v := h.get("Auto-Submitted"); v != "" && !strings.EqualFold(strings.TrimSpace(v), "no") {
		return true
	}
	if h.has("X-Autoreply") || h.has("X-Autorespond") || h.has("X-AutoReply-From") {
		return true
	}
	if strings.EqualFold(h.get("Precedence"), "auto_reply") || h.has("X-Auto-Response-Suppress") && h.has("In-Reply-To") {
		return true
	}
	subject := foldText(h.decoded("Subject"))
	for _, s := range autoReplySubjects {
		if strings.HasPrefix(subject, s) {
			return true
		}
	}
	return h.has("Return-Path") && strings.Trim(h.get("Return-Path"), "<> ") == "" && containsAny(subject, autoReplySubjects)
}

// isReceipt reports whether the message is a disposition notification
// (RFC 8098): the mail was delivered, and shown or deleted.
func (m *message) isReceipt() bool {
	for _, p := range m.parts {
		if p.typ == "message/disposition-notification" {
			return true
		}
	}
	return false
}

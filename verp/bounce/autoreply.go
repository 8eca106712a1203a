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
	return strings.EqualFold(h.get("Precedence"), "auto_reply")
}

package bounce

import "strings"

// Actions of RFC 3464 §2.3.3.
const (
	actionFailed    = "failed"
	actionDelayed   = "delayed"
	actionDelivered = "delivered"
	actionRelayed   = "relayed"
	actionExpanded  = "expanded"
)

// deliveryStatus fills r from message/delivery-status parts and reports
// whether there was any recipient in them.
func (m *message) deliveryStatus(r *Report) bool {
	found := false
	for _, p := range m.parts {
		if strings.HasSuffix(p.typ, "delivery-status") {
			found = readStatusFields(r, p.body) || found
		}
	}
	if !found {
		return false
	}
	if !anyUsable(r.Recipients) { // a pipe, or a domain only: the notice may name the address
		local := r.Recipients
		r.Recipients = nil
		if m.notice(r) {
			return true
		}
		r.Recipients = local
	}
	m.explain(r)
	r.conclude()
	return true
}

// explain finishes the recipients of a DSN with what its text adds: the command
// that was refused, and a reason where the fields have none.
func (m *message) explain(r *Report) {
	text, _ := m.noticeText(false)
	about := make(map[string]*candidate)
	for _, c := range scanCandidates(text) {
		about[strings.ToLower(c.address)] = c
	}
	for i := range r.Recipients {
		rcpt := &r.Recipients[i]
		f := facts{comment: rcpt.Evidence}
		c := about[strings.ToLower(rcpt.Address)]
		if c == nil {
			c = about[strings.ToLower(rcpt.Original)]
		}
		if c != nil {
			f.stage = c.stage()
			if rcpt.Diagnostic == "" {
				rcpt.Diagnostic = c.explains()
			}
		}
		if len(r.Recipients) == 1 {
			f.context = text
		}
		finish(rcpt, f)
	}
}

// readStatusFields reads the groups of fields of a delivery-status part
// (RFC 3464 §2). Groups should be separated by an empty line; some systems
// leave it out, others put one inside a group, so that a recipient's fields
// end where a second one of the same name starts.
func readStatusFields(r *Report, body string) bool {
	var cur Recipient
	var seen statusFields
	before := len(r.Recipients)
	flush := func() {
		if !isUsable(cur.Address) && (cur.Address == "" || isUsable(cur.Original)) {
			cur.Address, cur.Original = cur.Original, ""
		}
		if cur.Original == cur.Address {
			cur.Original = ""
		}
		if cur.Address != "" && (seen.final || seen.original) {
			if len(r.Recipients) < maxRecipients {
				r.Recipients = append(r.Recipients, cur)
			} else {
				r.Truncated = true
			}
		}
		cur, seen = Recipient{}, statusFields{}
	}
	rest := strings.TrimLeft(body, "\n")
	for rest != "" && !r.Truncated {
		h, next, _ := splitHeader(rest)
		if len(h) == 0 && len(next) == len(rest) { // a line that is no field
			_, n := line(rest, 0)
			next = rest[n:]
		}
		rest = strings.TrimLeft(next, "\n")
		for _, f := range h {
			if seen.starts(f.name) {
				flush()
			}
			readStatusField(r, &cur, &seen, f)
		}
	}
	flush()
	return len(r.Recipients) > before
}

// statusFields notes which fields of the current recipient were read.
type statusFields struct{ final, original, action, status bool }

// starts reports whether a field of that name must belong to the next recipient.
func (s *statusFields) starts(name string) bool {
	switch strings.ToLower(name) {
	case "final-recipient":
		return s.final || s.action
	case "original-recipient":
		return s.original || s.action
	case "action":
		return s.action
	case "status":
		return s.status
	}
	return false
}

// readStatusField reads one field (RFC 3464 §2.2 and §2.3).
func readStatusField(r *Report, cur *Recipient, seen *statusFields, f field) {
	value := unfold(f.value)
	switch strings.ToLower(f.name) {
	case "reporting-mta":
		r.ReportingMTA = typedValue(value)
	case "original-envelope-id":
		r.EnvelopeID = value
	case "final-recipient":
		cur.Address, seen.final = typedAddress(value), true
	case "original-recipient":
		cur.Original, seen.original = typedAddress(value), true
	case "action":
		cur.Action, seen.action = normalAction(value), true
	case "status":
		cur.Status, seen.status = findStatus(value), true
		if _, comment, ok := strings.Cut(value, "("); ok { // RFC 3464 §2.3.4 allows one
			cur.Evidence = strings.TrimSuffix(comment, ")")
		}
	case "x-powermta-bouncecategory":
		if cur.Evidence == "" {
			cur.Evidence = strings.ReplaceAll(value, "-", " ")
		}
	case "remote-mta":
		cur.RemoteMTA = typedValue(value)
	case "diagnostic-code":
		cur.Diagnostic = typedDiagnostic(value)
	}
}

// normalAction returns the action in lower case and without comments. "expired"
// is what some systems write for a mail given up after its time.
func normalAction(v string) string {
	v = strings.ToLower(strings.TrimSpace(v))
	if i := strings.IndexAny(v, " \t(;/"); i > 0 {
		v = v[:i]
	}
	switch v {
	case "failure", "fail", "undeliverable":
		return actionFailed
	case "delay", "deferred":
		return actionDelayed
	case "deliverable", "success":
		return actionDelivered
	case "expand":
		return actionExpanded
	}
	return v
}

// typedValue removes the type of "dns; mail.example.com" and any comment.
func typedValue(v string) string {
	if _, rest, ok := strings.Cut(v, ";"); ok {
		v = strings.TrimSpace(rest)
	}
	if i := strings.IndexAny(v, " \t("); i > 0 {
		v = v[:i]
	}
	return strings.Trim(v, "<>")
}

// typedAddress reads "rfc822; jane@example.com" and "utf-8; …" (RFC 6533 §3).
func typedAddress(v string) string {
	typ, rest, ok := strings.Cut(v, ";")
	if !ok {
		typ, rest = "", v
	}
	rest = strings.TrimSpace(rest)
	if strings.EqualFold(strings.TrimSpace(typ), "utf-8") || strings.Contains(rest, `\x{`) {
		rest = decodeUTF8Address(rest)
	}
	if a := firstAddress(rest); a != "" {
		return a
	}
	return strings.Trim(rest, "<> ")
}

// typedDiagnostic removes the type of "smtp; 550 5.1.1 …".
func typedDiagnostic(v string) string {
	typ, rest, ok := strings.Cut(v, ";")
	if ok && len(typ) <= 20 && strings.IndexByte(strings.TrimSpace(typ), ' ') < 0 {
		return strings.TrimSpace(rest)
	}
	return v
}

// decodeUTF8Address undoes utf-8-addr-xtext and utf-8-addr-unitext
// (RFC 6533 §3): \x{1F600}.
func decodeUTF8Address(s string) string {
	if !strings.Contains(s, `\x{`) {
		return s
	}
	var b strings.Builder
	for s != "" {
		i := strings.Index(s, `\x{`)
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		s = s[i+3:]
		j, r := 0, rune(0)
		for j < len(s) && j < 6 && unhex(s[j]) >= 0 {
			r = r<<4 | rune(unhex(s[j]))
			j++
		}
		if j == 0 || j >= len(s) || s[j] != '}' {
			b.WriteString(`\x{`)
			continue
		}
		b.WriteRune(r)
		s = s[j+1:]
	}
	b.WriteString(s)
	return b.String()
}

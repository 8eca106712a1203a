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
	if !anyRoutable(r.Recipients) { // a pipe, or a domain only: the notice may name the address
		local := r.Recipients
		r.Recipients = nil
		if m.notice(r) && anyRoutable(r.Recipients) {
			return true
		}
		r.Recipients, r.Kind = local, NotABounce
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
	others := 0 // whom the text is about, besides the fields' recipients
	for _, c := range scanCandidates(text) {
		about[strings.ToLower(c.address)] = c
		if c.kind == mentionAbout {
			others++
		}
	}
	for i := range r.Recipients {
		rcpt := &r.Recipients[i]
		if rcpt.Action == "" { // RFC 3464 §2.3.3 demands one
			rcpt.Action = noticeAction(m.header.decoded("Subject"), text)
		}
		f := facts{comment: rcpt.Evidence}
		c := about[strings.ToLower(rcpt.Address)]
		if o := about[strings.ToLower(rcpt.Original)]; c == nil || len(c.segments) == 0 && o != nil {
			c = o
		}
		if c != nil {
			f.stage = c.stage()
			if rcpt.Diagnostic == "" {
				rcpt.Diagnostic = explanation(c.segments, isSpecific(rcpt.Status))
			}
			if c.kind == mentionAbout {
				others--
			}
		}
		if len(r.Recipients) == 1 && others <= 0 {
			f.context = text
		}
		finish(rcpt, f)
	}
}

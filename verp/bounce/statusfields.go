package bounce

import "strings"

// readStatusFields reads the fields of a delivery-status part (RFC 3464 §2) and
// reports whether they tell about any recipient, even one without an address.
//
// An empty line ends a recipient's group, and the order within it is free: Exim
// writes Action before Final-Recipient. Some systems leave the empty line out,
// so that a repeated field starts the next recipient; others put one inside a
// group, so that a group without an address completes its neighbour.
func readStatusFields(r *Report, body string) bool {
	before := len(r.Recipients)
	var cur, loose statusGroup // loose: without an address, and none before it to complete
	flush := func() {
		if cur.isRecipient() {
			r.addStatus(cur)
		}
		cur = statusGroup{}
	}
	var fields []field // reused
	for groups := 0; body != "" && !r.Truncated; groups++ {
		if r.Truncated = groups >= maxGroups; r.Truncated {
			break
		}
		var block []field
		block, body = statusBlock(fields[:0], body)
		fields = block
		for len(block) > 0 {
			var g statusGroup
			g, block = takeGroup(r, block)
			switch {
			case g.seen == 0: // about the mail as a whole
			case cur.seen != 0 && cur.completedBy(g):
				cur.merge(g)
			case !g.hasAddress():
				flush()
				loose = g
			default:
				flush()
				if loose.seen != 0 && g.completedBy(loose) {
					g.merge(loose)
				}
				cur, loose = g, statusGroup{}
			}
		}
	}
	flush()
	if len(r.Recipients) == before && loose.isRecipient() {
		r.addStatus(loose)
	}
	return len(r.Recipients) > before
}

// addStatus adds what a group says, with the address that can be used.
func (r *Report) addStatus(g statusGroup) {
	if len(r.Recipients) >= maxRecipients {
		r.Truncated = true
		return
	}
	x := g.Recipient
	if isRoutable(x.Original) && !isRoutable(x.Address) || x.Address == "" {
		x.Address, x.Original = x.Original, ""
	}
	if x.Original == x.Address {
		x.Original = ""
	}
	r.Recipients = append(r.Recipients, x)
}

// statusBlock appends the fields up to the next empty line to block. Lines that
// are no field are passed over.
func statusBlock(block []field, text string) (_ []field, rest string) {
	start := -1 // of the last field's value
	for pos := 0; pos < len(text); {
		l, next := line(text, pos)
		if strings.TrimSpace(l) == "" {
			if len(block) > 0 {
				return block, text[next:]
			}
		} else if l[0] == ' ' || l[0] == '\t' {
			if start >= 0 {
				block[len(block)-1].value = text[start : pos+len(l)]
			}
		} else if name, value, ok := splitField(l); ok {
			block = append(block, field{name, value})
			start = pos + len(l) - len(value)
		} else {
			start = -1
		}
		pos = next
	}
	return block, ""
}

// A statusGroup is one recipient's fields, as far as they were read.
type statusGroup struct {
	Recipient
	seen statusSeen
}

type statusSeen uint8

const (
	seenFinal statusSeen = 1 << iota
	seenOriginal
	seenAction
	seenStatus
	seenDiagnostic
	seenRemote
	seenCategory
)

func (g *statusGroup) hasAddress() bool { return g.seen&(seenFinal|seenOriginal) != 0 }

// isRecipient: a diagnostic alone tells about nobody.
func (g *statusGroup) isRecipient() bool {
	return g.seen&(seenFinal|seenOriginal|seenAction|seenStatus) != 0
}

// completedBy reports whether next, behind an empty line, belongs to the same
// recipient: it has no field twice, and one of the two has no address, or one
// has nothing else.
func (g *statusGroup) completedBy(next statusGroup) bool {
	const addresses = seenFinal | seenOriginal
	if g.seen&next.seen != 0 {
		return false
	}
	return !g.hasAddress() || !next.hasAddress() || g.seen&^addresses == 0 || next.seen&^addresses == 0
}

func (g *statusGroup) merge(o statusGroup) {
	g.seen |= o.seen
	r := &g.Recipient
	r.Address, r.Original = or(r.Address, o.Address), or(r.Original, o.Original)
	r.Action, r.Status, r.Evidence = or(r.Action, o.Action), or(r.Status, o.Status), or(r.Evidence, o.Evidence)
	r.RemoteMTA, r.Diagnostic = or(r.RemoteMTA, o.RemoteMTA), or(r.Diagnostic, o.Diagnostic)
}

// takeGroup reads fields up to one that was there before.
func takeGroup(r *Report, block []field) (g statusGroup, rest []field) {
	for i, f := range block {
		kind := statusKind(f.name)
		if kind == seenFinal && g.seen&kind != 0 && g.seen&^(seenFinal|seenOriginal) == 0 && sameAddress(g.Address, r.typedAddress(unfold(f.value))) {
			continue // the same one again
		}
		if g.seen&kind != 0 || startsNext(g.seen, block[i:]) {
			return g, block[i:]
		}
		g.seen |= kind
		readStatusField(r, &g.Recipient, f)
	}
	return g, nil
}

// startsNext: without an empty line between them, an Original-Recipient right
// before another Final-Recipient is the next recipient's.
func startsNext(seen statusSeen, block []field) bool {
	return seen&seenFinal != 0 && len(block) > 1 && statusKind(block[0].name) == seenOriginal &&
		statusKind(block[1].name) == seenFinal
}

func statusKind(name string) statusSeen {
	for _, k := range statusKinds {
		if len(k.name) == len(name) && strings.EqualFold(k.name, name) {
			return k.seen
		}
	}
	return 0
}

var statusKinds = [...]struct {
	name string
	seen statusSeen
}{
	{"final-recipient", seenFinal}, {"original-recipient", seenOriginal}, {"action", seenAction}, {"status", seenStatus},
	{"diagnostic-code", seenDiagnostic}, {"remote-mta", seenRemote}, {"x-powermta-bouncecategory", seenCategory},
}

// readStatusField reads one field (RFC 3464 §2.2 and §2.3).
func readStatusField(r *Report, cur *Recipient, f field) {
	value := unfold(f.value)
	switch strings.ToLower(f.name) {
	case "reporting-mta":
		r.ReportingMTA = typedValue(value)
	case "original-envelope-id":
		r.EnvelopeID = value
	case "final-recipient":
		cur.Address = r.typedAddress(value)
	case "original-recipient":
		cur.Original = r.typedAddress(value)
	case "action":
		cur.Action = normalAction(value)
	case "status":
		cur.Status = findStatus(value)
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

// normalAction returns the action in lower case and without comments.
func normalAction(v string) string {
	v = strings.ToLower(strings.TrimSpace(v))
	if i := strings.IndexAny(v, " \t(;/"); i > 0 {
		v = v[:i]
	}
	switch v {
	case "failure", "fail", "undeliverable", "expired", "bounced", "rejected":
		return actionFailed
	case "delay", "deferred":
		return actionDelayed
	case "deliverable", "success", "deliver":
		return actionDelivered
	case "relay":
		return actionRelayed
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
// Without an address it returns what is there; an address longer than allowed
// is left out, because a part of it would be another address.
func (r *Report) typedAddress(v string) string {
	typ, rest, ok := strings.Cut(v, ";")
	if !ok {
		typ, rest = "", v
	}
	rest = strings.TrimSpace(rest)
	if strings.EqualFold(strings.TrimSpace(typ), "utf-8") || strings.Contains(rest, `\x{`) {
		rest = decodeUTF8Address(rest)
	}
	if a := firstAddress(withoutRoute(rest)); a != "" {
		return a
	}
	rest = strings.Trim(rest, "<> ")
	if len(rest) > maxAddress {
		r.Truncated = true
		return ""
	}
	return rest
}

// withoutRoute removes a source route (RFC 5321 §4.1.1.3): @a,@b:jane@c.
func withoutRoute(address string) string {
	trimmed := strings.TrimLeft(address, "< ")
	if strings.HasPrefix(trimmed, "@") {
		if _, rest, ok := strings.Cut(trimmed, ":"); ok {
			return rest
		}
	}
	return address
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

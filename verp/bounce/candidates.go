package bounce

import "strings"

// candidate is a recipient that a notice names, with what it says about it.
type candidate struct {
	address, original string
	segments          []string // the lines after it, up to another candidate
	strong            bool     // the line is about this address

	explained, staged *string // once known
}

// explains returns what the segments give as the reason.
func (c *candidate) explains() string {
	if c.explained == nil {
		s := explanation(c.segments)
		c.explained = &s
	}
	return *c.explained
}

// stage returns the SMTP command that the segments name.
func (c *candidate) stage() string {
	if c.staged == nil {
		stage := ""
		for _, s := range c.segments {
			if stage = stageOf(s); stage != "" {
				break
			}
		}
		c.staged = &stage
	}
	return *c.staged
}

// noticeRecipients finds the recipients that a notice is about.
func (m *message) noticeRecipients(text string, r *Report) []*candidate {
	named := m.failedRecipients()
	all := scanCandidates(text)
	if len(named) > 0 {
		return matchNamed(named, all)
	}
	sender := firstAddress(m.header.get("To"))
	self := firstAddress(m.header.get("From"))
	kept := keep(all, func(c *candidate) bool {
		return c.strong && !sameAddress(c.address, sender) && !sameAddress(c.address, self) && !isHumanAddress(c.address)
	})
	if len(kept) == 0 {
		kept = keep(all, func(c *candidate) bool {
			return !sameAddress(c.address, sender) && !sameAddress(c.address, self) && !isHumanAddress(c.address) && strings.Contains(strings.ToLower(r.Original.To), strings.ToLower(c.address))
		})
	}
	if len(kept) == 0 {
		kept = keep(all, func(c *candidate) bool {
			return !sameAddress(c.address, sender) && !sameAddress(c.address, self) && !isHumanAddress(c.address)
		})
	}
	if len(kept) == 0 { // sent to oneself
		kept = keep(all, func(c *candidate) bool { return c.strong && sameAddress(c.address, sender) })
	}
	if len(kept) == 0 {
		if a, end := nextAddress(r.Original.To, 0); a != "" {
			if b, _ := nextAddress(r.Original.To, end); b == "" {
				kept = []*candidate{{address: a, segments: []string{text}}}
			}
		}
	}
	return kept
}

func keep(all []*candidate, want func(*candidate) bool) []*candidate {
	var kept []*candidate
	for _, c := range all {
		if want(c) {
			kept = append(kept, c)
		}
	}
	return kept
}

// failedRecipients reads X-Failed-Recipients, which Exim and Google write.
func (m *message) failedRecipients() []string {
	var out []string
	for _, f := range m.header {
		if !strings.EqualFold(f.name, "X-Failed-Recipients") {
			continue
		}
		for pos := 0; len(out) < maxRecipients; {
			var a string
			if a, pos = nextAddress(f.value, pos); a == "" {
				break
			}
			out = append(out, a)
		}
	}
	return out
}

// matchNamed gives each named recipient what the text says about it.
func matchNamed(named []string, all []*candidate) []*candidate {
	byAddress := make(map[string]*candidate, len(all))
	for _, c := range all {
		byAddress[strings.ToLower(c.address)] = c
		if c.original != "" {
			byAddress[strings.ToLower(c.original)] = c
		}
	}
	var out []*candidate
	seen := make(map[string]bool, len(named))
	for _, a := range named {
		key := strings.ToLower(a)
		if seen[key] {
			continue
		}
		seen[key] = true
		c := &candidate{address: a}
		if found := byAddress[key]; found != nil {
			c.segments = found.segments
		}
		out = append(out, c)
	}
	return out
}

// scanCandidates reads the text line by line. An address that a line is about
// owns the lines up to the next one.
func scanCandidates(text string) []*candidate {
	var all []*candidate
	index := make(map[string]*candidate)
	var current *candidate
	from := 0 // start of current's segment
	end := func(pos int) {
		if current != nil && len(current.segments) < maxSegments {
			current.segments = append(current.segments, text[from:min(pos, from+maxSegment)])
		}
	}
	for pos := 0; pos < len(text); {
		l, next := line(text, pos)
		a, after, strong := lineAddress(l)
		if a != "" && len(all) < maxRecipients {
			key := strings.ToLower(a)
			c := index[key]
			if c == nil {
				c = &candidate{address: a}
				index[key] = c
				all = append(all, c)
			}
			c.strong = c.strong || strong
			if strong && c != current {
				end(pos)
				current, from = c, pos+after
			} else if !strong && len(c.segments) == 0 && current == nil {
				c.segments = append(c.segments, text[pos:min(len(text), pos+maxSegment)])
			}
		}
		pos = next
	}
	end(len(text))
	return all
}

// lineAddress finds the address in a line, the index behind it or, where a
// reply comes before the address, 0, and whether the line is about it.
func lineAddress(l string) (a string, after int, strong bool) {
	if len(l) > 2000 || strings.IndexByte(l, '@') < 0 {
		return "", 0, false
	}
	a, after = nextAddress(l, 0)
	if a == "" {
		return "", 0, false
	}
	before := l[:after-len(a)]
	if i := strings.LastIndexAny(before, " \t<\"(,"); strings.Contains(before[i+1:], "://") || strings.HasSuffix(before, "mailto:") || strings.HasSuffix(before, "=") {
		return "", 0, false // part of a link
	}
	lead := strings.ToLower(strings.Trim(before, " \t<\"'*>-.:[("))
	for after < len(l) && strings.IndexByte(">\"':;, \t)]", l[after]) >= 0 {
		after++
	}
	switch {
	case lead == "":
		return a, after, true
	case isSenderLabel(lead):
		return "", 0, false
	case isRecipientLabel(lead):
		return a, after, true
	case findCode(lead) != 0 && len(lead) < 40: // 550 5.1.1 <jane@example.net>... User unknown
		return a, 0, true
	case strings.HasSuffix(strings.TrimRight(before, "<\" "), ":") && len(lead) < 60:
		return a, 0, true // Unknown user: jane@example.net
	}
	return a, 0, false
}

func isSenderLabel(lead string) bool {
	for _, s := range [...]string{"from", "sender", "reply-to", "mail from", "return-path", "errors-to", "x-sender", "contact", "message-id", "references", "in-reply-to", "email", "write to", "send mail to", "reply to", "id", "cc", "x-postfix-sender", "x-sendgrid-sender", "mailto"} {
		if lead == s || strings.HasSuffix(lead, " "+s) && len(lead) < 60 {
			return true
		}
	}
	return false
}

func isRecipientLabel(lead string) bool {
	for _, s := range [...]string{"to", "rcpt to", "recipient", "recipients", "recipient address", "addressed to", "user", "address", "mailbox", "final-recipient", "original-recipient", "delivered to", "undeliverable to", "intended recipient", "failed recipient", "destination", "rcpt", "recipient(s", "rfc822;", "final-recipient: rfc822;", "宛先", "empfänger", "destinataire"} {
		if lead == s || strings.HasSuffix(lead, " "+s) && len(lead) < 40 {
			return true
		}
	}
	return false
}

func isHumanAddress(a string) bool {
	local, _, _ := strings.Cut(strings.ToLower(a), "@")
	for _, h := range humans {
		if local == h {
			return true
		}
	}
	return false
}

func sameAddress(a, b string) bool { return a != "" && strings.EqualFold(a, b) }

// recipient turns a candidate into a Recipient. alone: the notice is about no
// other, so that all its text may tell about this one.
func (c *candidate) recipient(text, action string, alone bool) Recipient {
	r := Recipient{Address: c.address, Original: c.original, Action: action}
	r.Diagnostic = c.explains()
	f := facts{stage: c.stage()}
	if alone {
		f.context = text
		if findCode(r.Diagnostic) == 0 {
			r.Code = findCode(text)
		}
		if findStatus(r.Diagnostic) == "" {
			r.Status = findStatus(text)
		}
	}
	r.RemoteMTA = remoteHost(r.Diagnostic)
	finish(&r, f)
	return r
}

// explanation takes paragraphs of the segments until one explains something.
func explanation(segments []string) string {
	var b strings.Builder
	for _, s := range segments {
		for p := range strings.SplitSeq(s, "\n\n") {
			p = strings.Join(strings.Fields(p), " ")
			if p == "" {
				continue
			}
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(p)
			if b.Len() > maxDiagnostic {
				return b.String()
			}
			if c, _ := matchText(p, false); c != Undetermined || findCode(p) != 0 || findStatus(p) != "" {
				return b.String()
			}
		}
	}
	return b.String()
}

// remoteHost finds the system that is said to have answered.
func remoteHost(diagnostic string) string {
	for _, mark := range [...]string{"host ", "Connected to ", "talking to ", "host: ", "server ", "connect to "} {
		i := strings.Index(diagnostic, mark)
		if i < 0 {
			continue
		}
		rest := diagnostic[i+len(mark):]
		j := 0
		for j < len(rest) && (isWordByte(rest[j]) || rest[j] == '.' || rest[j] == '-') {
			j++
		}
		if h := strings.Trim(rest[:j], ".-"); strings.IndexByte(h, '.') > 0 {
			return h
		}
	}
	return ""
}

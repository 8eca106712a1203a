package bounce

import "strings"

// candidate is a recipient that a notice names, with what it says about it.
type candidate struct {
	address  string
	kind     mentionKind // the best of its mentions
	exact    bool        // a line names it together with the answer
	lead     string      // what precedes the address where the line is about it
	segments []string    // the lines after it, up to another candidate
	at       int         // where its first line starts
}

// stage returns the SMTP command that the notice names for this recipient.
func (c *candidate) stage() string {
	for _, s := range c.segments {
		if stage := stageOf(s); stage != "" {
			return stage
		}
	}
	return stageOf(c.lead)
}

// isAnswered reports whether the notice gives an answer for this recipient by
// its own: it starts a line, and a reply or reason is with it.
func (c *candidate) isAnswered() bool {
	if c.kind != mentionAbout || !c.exact && c.lead != "" {
		return false
	}
	for _, s := range c.segments {
		if findCode(s) != 0 || findFailure(s) != "" || matchText(s, false).category != Undetermined {
			return true
		}
	}
	return c.exact
}

// noticeRecipients finds the recipients that a notice is about: those of lines
// that are about them, or else whom the mail was sent to where the notice
// repeats that. The sender is one only where a line gives the answer for it.
func (m *message) noticeRecipients(all []*candidate, r *Report) []*candidate {
	if named := m.failedRecipients(); len(named) > 0 {
		return matchNamed(named, all)
	}
	isSender := func(a string) bool { return sameAddress(a, firstAddress(m.header.get("To"))) }
	isSelf := func(a string) bool { return sameAddress(a, firstAddress(m.header.get("From"))) }
	to := strings.ToLower(r.Original.To)
	for _, want := range [...]func(*candidate) bool{
		func(c *candidate) bool { return c.kind == mentionAbout && !isSender(c.address) && !isSelf(c.address) },
		func(c *candidate) bool {
			return c.kind != mentionNone && !isSender(c.address) && !isSelf(c.address) && strings.Contains(to, strings.ToLower(c.address))
		},
		func(c *candidate) bool { return c.kind == mentionSummary && !isSender(c.address) && !isSelf(c.address) },
		func(c *candidate) bool { return isSender(c.address) && c.isAnswered() }, // sent to oneself
		func(c *candidate) bool { return c.kind == mentionAbout && isSelf(c.address) && !isSender(c.address) },
	} {
		if kept := keep(all, want); len(kept) > 0 {
			return withoutAccepted(kept)
		}
	}
	a, end := nextAddress(r.Original.To, 0)
	if b, _ := nextAddress(r.Original.To, end); a != "" && b == "" && !isSender(a) {
		return []*candidate{{address: a}}
	}
	return nil
}

// withoutAccepted leaves out whom a transcript shows as accepted, where it shows
// another as refused.
func withoutAccepted(all []*candidate) []*candidate {
	refused := keep(all, func(c *candidate) bool { return !isAccepted(c) })
	if len(refused) == 0 {
		return all
	}
	return refused
}

// isAccepted reports whether all that is said about a RCPT TO is a 250.
func isAccepted(c *candidate) bool {
	if len(c.segments) != 1 || !strings.HasSuffix(c.lead, "rcpt to") || findCode(c.segments[0]) != 0 {
		return false
	}
	reply, _ := line(strings.TrimLeft(c.segments[0], "\n"), 0)
	for w := range strings.FieldsSeq(reply) {
		if w == "250" {
			return true
		}
	}
	return false
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
			c.segments, c.lead = found.segments, found.lead
		}
		out = append(out, c)
	}
	return out
}

// scanCandidates reads the text line by line. An address that a line is about
// owns the lines up to the next one; addresses that follow each other with
// nothing between them own them together.
func scanCandidates(text string) []*candidate {
	s := scanner{text: text, index: make(map[string]*candidate)}
	before, heading := "", ""
	for pos := 0; pos < len(text); {
		l, next := line(text, pos)
		if len(s.all) > 0 && isOriginalMark(l) {
			s.end(pos)
			break
		}
		found := mentionsIn(l, before, heading)
		for i, m := range found {
			if m.kind != mentionNone {
				s.add(m, pos, pos-len(before)-1, i > 0)
			}
		}
		if len(found) == 0 && strings.TrimSpace(l) != "" {
			heading = l
		}
		before, pos = l, next
	}
	s.end(len(text))
	return s.all
}

// isOriginalMark reports whether a line announces the original mail.
func isOriginalMark(l string) bool {
	if len(l) < 10 || len(l) >= 120 || !strings.Contains(l, "essage") && !strings.Contains(l, "ESSAGE") && !strings.Contains(l, "follow") && !strings.Contains(l, "elow this") {
		return false
	}
	return strings.IndexByte(l, '@') < 0 && containsAny(strings.ToLower(l), originalMarks) && findCode(l) == 0
}

type scanner struct {
	text    string
	all     []*candidate
	index   map[string]*candidate // by address in lower case
	current []*candidate          // who own the lines from from on
	from    int
}

// end ends the current segment at pos.
func (s *scanner) end(pos int) {
	for _, c := range s.current {
		if from := s.from; from < pos && len(c.segments) < maxSegments {
			c.segments = append(c.segments, s.text[from:min(pos, from+maxSegment)])
		}
	}
	s.current = nil
}

// add notes a mention in the line at pos; before is where the line before
// starts. listed: it is not the first of its line.
func (s *scanner) add(m mention, pos, before int, listed bool) {
	key := strings.ToLower(m.address)
	c := s.index[key]
	if c == nil {
		if len(s.all) >= maxRecipients {
			return
		}
		c = &candidate{address: m.address, at: pos}
		s.index[key] = c
		s.all = append(s.all, c)
	}
	c.kind, c.exact = max(c.kind, m.kind), c.exact || m.exact
	from := pos + m.tail
	if m.joined && m.tail == 0 {
		from = max(before, 0)
	}
	switch {
	case m.kind != mentionAbout:
		if len(c.segments) == 0 && s.current == nil {
			c.segments = append(c.segments, s.text[pos:min(len(s.text), pos+maxSegment)])
		}
		return
	case m.expanded && len(s.current) == 1 && s.current[0] != c:
		s.expand(c)
		s.from = pos + m.tail
		return
	case len(s.current) == 1 && s.current[0] == c:
	case listed, len(s.current) > 0 && m.bare && strings.Trim(s.text[min(s.from, pos):pos], " \t\n>,;\"'()") == "":
		s.current = append(s.current, c)
		s.from = max(s.from, from)
	default:
		s.end(pos)
		s.current, s.from = []*candidate{c}, from
	}
	if c.lead == "" || strings.Contains(m.lead, "rcpt") {
		c.lead = m.lead
	}
}

// expand lets c, the address that was mailed, stand for the current one that it
// was expanded to.
func (s *scanner) expand(c *candidate) {
	to := s.current[0]
	if len(to.segments) == 0 {
		to.kind = mentionNone
	}
	s.current = []*candidate{c}
}

func sameAddress(a, b string) bool { return a != "" && strings.EqualFold(a, b) }

// recipient turns a candidate into a Recipient. text is what the notice says of
// all recipients; alone: it is about no other, so that this is all its text.
func (c *candidate) recipient(text, action string, alone bool) Recipient {
	r := Recipient{Address: c.address, Action: action}
	r.Diagnostic = explanation(c.segments, false)
	f := facts{stage: c.stage(), context: text}
	if alone {
		if findCode(r.Diagnostic) == 0 {
			r.Code = findCode(text)
		}
		if findFailure(r.Diagnostic) == "" {
			r.Status = findFailure(text)
		}
		if f.stage == "" && r.Code != 0 && findCode(r.Diagnostic) == 0 {
			f.stage = stageOf(text)
		}
	}
	r.RemoteMTA = remoteHost(r.Diagnostic)
	finish(&r, f)
	return r
}

// explanation takes paragraphs of the segments until one explains something.
// replies: behind the first paragraph, only a reply does.
func explanation(segments []string, replies bool) string {
	var b strings.Builder
	if replies := remoteReplies(segments); replies != "" {
		return replies
	}
	first := true
	enough := 0 // what explains a little, where nothing better follows
	for _, s := range segments {
		for p := range strings.SplitSeq(s, "\n\n") {
			p = strings.Join(strings.Fields(p), " ")
			isReply := findCode(p) != 0 || findStatus(p) != ""
			if p == "" || replies && !first && !isReply {
				first = false
				continue
			}
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(p)
			if b.Len() > maxDiagnostic {
				return b.String()
			}
			m := matchText(p, false)
			if isReply || m.category != Undetermined && m.grade < loose {
				return b.String()
			}
			if m.category != Undetermined && enough == 0 {
				enough = b.Len()
			}
			first = false
		}
	}
	if enough > 0 {
		return b.String()[:enough]
	}
	return b.String()
}

// remoteReplies returns what a transcript shows of the other side's refusal, in
// lines that start with "<<<". What Sendmail adds below is its own view: "User
// unknown" for whatever is refused at RCPT.
func remoteReplies(segments []string) string {
	var b strings.Builder
	for _, s := range segments {
		for pos := strings.Index(s, "<<< "); pos >= 0 && pos < len(s); {
			l, next := line(s, pos)
			reply, ok := strings.CutPrefix(strings.TrimSpace(l), "<<< ")
			if ok && findCode(reply[:min(len(reply), 4)]) != 0 && b.Len() < maxDiagnostic {
				if b.Len() > 0 {
					b.WriteByte(' ')
				}
				b.WriteString(reply)
			} else if b.Len() > 0 {
				return b.String()
			}
			pos = next
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

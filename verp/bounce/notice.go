package bounce

import "strings"

// notice fills r from a report that is no DSN, or from a DSN without a usable
// recipient, and reports whether it could.
func (m *message) notice(r *Report) bool {
	text, enclosed := m.noticeText(true)
	if !m.isNotice(text) {
		return false
	}
	if enclosed != nil {
		fillOriginal(r, enclosed)
	} else {
		m.original(r)
	}
	if i := inlineStatus(text); i >= 0 && readStatusFields(r, text[i:]) && anyUsable(r.Recipients) {
		for i := range r.Recipients {
			finish(&r.Recipients[i], facts{context: text})
		}
		r.conclude()
		return true
	}
	r.Recipients = nil
	found := m.noticeRecipients(text, r)
	if len(found) == 0 {
		return false
	}
	action := noticeAction(m.header.decoded("Subject"), text)
	for _, f := range found {
		r.Recipients = append(r.Recipients, f.recipient(text, action, len(found) == 1))
	}
	r.conclude()
	return true
}

// noticeText returns what the notice says in its own words: its text parts up
// to the original mail, with those of a DSN too if fields is set. Where the
// original is part of the text, its header is returned.
func (m *message) noticeText(fields bool) (text string, enclosed header) {
	var b strings.Builder
	html := ""
	for _, p := range m.parts {
		if isEnclosed(p.typ) && b.Len() > 0 {
			break
		}
		switch {
		case p.typ == "text/plain" || p.typ == "text/x-plain" || p.typ == "text" || fields && strings.HasSuffix(p.typ, "delivery-status"):
			b.WriteString(p.body[:min(len(p.body), maxText-min(b.Len(), maxText))])
			b.WriteByte('\n')
		case p.typ == "text/html" && html == "":
			html = p.body
		}
	}
	text = b.String()
	if strings.TrimSpace(text) == "" && html != "" {
		text = stripHTML(html[:min(len(html), maxText)])
	}
	if i := originalStart(text); i >= 0 {
		return text[:i], enclosedHeader(text[i:])
	}
	return text, nil
}

// originalStart finds where the original mail starts in the text of a notice:
// at three or more lines of a mail's header.
func originalStart(text string) int {
	run, start := 0, -1
	for pos := 0; pos < len(text); {
		l, next := line(text, pos)
		switch {
		case l == "" && run < 2:
			run, start = 0, -1
		case isOriginalField(l):
			if run == 0 {
				start = pos
			}
			run++
			if run >= 3 || run == 2 && strings.HasPrefix(l, "Received:") {
				return start
			}
		case run > 0 && l != "" && (l[0] == ' ' || l[0] == '\t'): // folded
		case run > 0 && isAnyField(l):
		default:
			run, start = 0, -1
		}
		pos = next
	}
	return -1
}

// isOriginalField reports whether a line is a field of a mail's header. A
// notice that repeats some fields indents them, and repeats only a few.
func isOriginalField(l string) bool {
	name, _, ok := splitField(l)
	if !ok {
		return false
	}
	switch strings.ToLower(name) {
	case "received", "return-path", "message-id", "mime-version", "content-type", "content-transfer-encoding",
		"from", "to", "subject", "date", "cc", "reply-to", "sender", "dkim-signature", "x-mailer", "delivered-to",
		"domainkey-signature", "list-unsubscribe", "list-id", "in-reply-to", "references", "x-originating-ip",
		"authentication-results", "received-spf", "thread-index", "user-agent", "organization", "x-priority":
		return true
	}
	return false
}

func isAnyField(l string) bool {
	name, _, ok := splitField(l)
	return ok && strings.IndexByte(name, '-') > 0
}

// inlineStatus finds the fields of a DSN within text, or returns -1.
func inlineStatus(text string) int {
	first, recipient := -1, false
	for pos := 0; pos < len(text); {
		l, next := line(text, pos)
		if name, _, ok := splitField(l); ok {
			switch strings.ToLower(name) {
			case "final-recipient", "original-recipient":
				recipient = true
				fallthrough
			case "reporting-mta", "action":
				if first < 0 {
					first = pos
				}
			}
		}
		pos = next
	}
	if !recipient {
		return -1
	}
	return first
}

// anyUsable reports whether some recipient has an address.
func anyUsable(rs []Recipient) bool {
	for _, r := range rs {
		if isUsable(r.Address) {
			return true
		}
	}
	return false
}

func isUsable(address string) bool { return strings.IndexByte(address, '@') > 0 }

// isNotice reports whether the message is about a delivery: two of its sender,
// its subject and its text must say so.
func (m *message) isNotice(text string) bool {
	if m.header.has("X-Failed-Recipients") || strings.Contains(m.header.get("Content-Type"), "delivery-status") {
		return true
	}
	for _, p := range m.parts {
		if strings.HasSuffix(p.typ, "delivery-status") {
			return true
		}
	}
	subject := foldText(m.header.decoded("Subject"))
	if isAutoReply(m.header) && isAbsence(subject) {
		return false
	}
	daemon := m.fromDaemon()
	if !daemon && startsWithAny(subject, answers) {
		return false // somebody asks about a notice
	}
	folded := foldText(text[:min(len(text), 8<<10)])
	if containsAny(folded, strongPhrases) {
		return true
	}
	signs := 0
	if daemon {
		signs++
	}
	if containsAny(subject, noticeSubjects) {
		signs++
	}
	if containsAny(folded, noticePhrases) {
		signs++
	}
	return signs >= 2
}

// fromDaemon reports whether a mail system sent the message.
func (m *message) fromDaemon() bool {
	if rp := strings.TrimSpace(m.header.get("Return-Path")); rp == "<>" || m.header.has("Return-Path") && rp == "" {
		return true
	}
	for _, name := range [...]string{"From", "Sender", "Return-Path"} {
		v := strings.ToLower(m.header.get(name))
		for _, s := range daemons {
			if strings.Contains(v, s) {
				return true
			}
		}
	}
	return strings.TrimSpace(m.header.get("From")) == "<>"
}

// noticeAction tells a warning from a failure. What says that the mail is
// given up counts first; a notice that says neither is about a failure.
func noticeAction(subject, text string) string {
	folded := foldText(subject + "\n" + text[:min(len(text), 8<<10)])
	switch {
	case containsAny(folded, finalPhrases):
		return actionFailed
	case containsAny(folded, delayPhrases):
		return actionDelayed
	case containsAny(folded, deliveredPhrases):
		return actionDelivered
	}
	return actionFailed
}

func startsWithAny(text string, starts []string) bool {
	for _, s := range starts {
		if strings.HasPrefix(text, s) {
			return true
		}
	}
	return false
}

func containsAny(text string, phrases []string) bool {
	for _, p := range phrases {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}

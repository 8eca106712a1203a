package bounce

import (
	"bytes"
	"strings"
	"sync"
)

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
	if i := inlineStatus(text); i >= 0 && readStatusFields(r, text[i:]) && anyRoutable(r.Recipients) {
		for i := range r.Recipients {
			finish(&r.Recipients[i], facts{context: text, comment: r.Recipients[i].Evidence})
		}
		r.conclude()
		return true
	}
	r.Recipients = nil
	action := noticeAction(m.header.decoded("Subject"), text)
	all := scanCandidates(text)
	found := m.noticeRecipients(all, r)
	about := keep(all, func(c *candidate) bool { return c.kind == mentionAbout })
	alone := len(found) == 1 && len(about) <= 1
	context := text // what is said of all of them
	if !alone {
		context = ""
		if len(about) > 0 {
			context = text[:about[0].at]
		}
	}
	for _, f := range found {
		r.Recipients = append(r.Recipients, f.recipient(context, action, alone))
	}
	// Without an address, a mail system must have said it.
	if len(found) == 0 && !isDaemon(m.header) && !m.hasStatus() {
		return false
	}
	r.Kind = kindOf(action)
	return true
}

// isFooter reports whether a line starts what has nothing to do with the notice.
func isFooter(l string) bool {
	if len(l) > 200 || len(l) < 3 {
		return false
	}
	if strings.HasPrefix(l, "-- ") && strings.TrimSpace(l[2:]) == "" {
		return true
	}
	var buf [48]byte
	start := buf[:copy(buf[:], strings.TrimLeft(l, "*_ \t"))]
	for i := range start {
		start[i] = lowerASCII(start[i])
	}
	first := start
	if i := bytes.IndexByte(start, ' '); i > 0 {
		first = start[:i]
	}
	for _, f := range footers[string(first)] {
		if bytes.HasPrefix(start, []byte(f)) {
			return true
		}
	}
	return false
}

func lowerASCII(ch byte) byte {
	if 'A' <= ch && ch <= 'Z' {
		return ch + 'a' - 'A'
	}
	return ch
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
			b.WriteString(withoutFooter(p.body[:min(len(p.body), maxText-min(b.Len(), maxText))]))
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

// withoutFooter cuts a text where its footer starts. What is like one before any
// address is a banner.
func withoutFooter(text string) string {
	for pos := max(strings.IndexByte(text, '@'), 0); pos < len(text); {
		l, next := line(text, pos)
		if pos > 0 && text[pos-1] == '\n' && isFooter(l) {
			return text[:pos]
		}
		pos = next
	}
	return text
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

// anyRoutable reports whether some recipient has an address that mail can be
// sent to.
func anyRoutable(rs []Recipient) bool {
	for _, r := range rs {
		if isRoutable(r.Address) {
			return true
		}
	}
	return false
}

// isRoutable reports whether an address has a domain with a dot, or a literal
// one (RFC 5321 §4.1.3).
func isRoutable(address string) bool {
	i := strings.LastIndexByte(address, '@')
	return i > 0 && (strings.IndexByte(address[i:], '.') > 0 || strings.HasPrefix(address[i:], "@["))
}

// isNotice reports whether the message is about a delivery: two of its sender,
// its subject, its text and what the text says of a recipient must say so.
func (m *message) isNotice(text string) bool {
	if m.header.has("X-Failed-Recipients") || strings.Contains(m.header.get("Content-Type"), "delivery-status") {
		return true
	}
	if m.hasStatus() {
		return true
	}
	subject := foldText(m.header.decoded("Subject"))
	if isAutoReply(m.header) && isAbsence(subject) {
		return false
	}
	daemon := fromDaemon(m.header)
	head := text[:min(len(text), 8<<10)]
	transcript := isTranscript(head)
	if !daemon && startsWithAny(subject, answers) && !transcript {
		return false // somebody asks about a notice
	}
	folded := foldText(head)
	var said [noticeLists]bool
	noticeIndex().each(folded, func(list, _ int) { said[list] = true })
	if said[listStrong] {
		return true
	}
	signs := 0
	if daemon {
		signs++
	}
	if transcript {
		signs++
	}
	if containsAny(subject, noticeSubjects) {
		signs++
	}
	if said[listNotice] {
		signs++
	}
	if signs == 1 && isDaemon(m.header) {
		switch matchText(head, true).category {
		case MailboxUnknown, HostUnknown, MailboxFull, Disabled:
			signs++
		}
	}
	return signs >= 2
}

// hasStatus reports whether there is a delivery-status part.
func (m *message) hasStatus() bool {
	for _, p := range m.parts {
		if strings.HasSuffix(p.typ, "delivery-status") {
			return true
		}
	}
	return false
}

// isTranscript reports whether a text shows a command and a reply that refuses,
// and is no answer that quotes them.
func isTranscript(text string) bool {
	return indexFold(text, "rcpt to") >= 0 && findCode(text) != 0 && !strings.HasPrefix(text, "> ") && !strings.Contains(text, "\n> ")
}

// fromDaemon reports whether a mail system sent a message, by its header: it has
// a mail system's name, or came with a null return path, as automatic replies of
// people do, too.
func fromDaemon(h header) bool {
	return h.has("Return-Path") && strings.Trim(h.get("Return-Path"), "<> ") == "" || isDaemon(h)
}

// isDaemon reports whether the sender's name is that of a mail system.
func isDaemon(h header) bool {
	for _, name := range [...]string{"From", "Sender", "Return-Path"} {
		if containsAny(withoutMarks(h.get(name)), daemons) {
			return true
		}
	}
	return strings.TrimSpace(h.get("From")) == "<>"
}

// withoutMarks lowers a sender's name and leaves out what is written one way or
// the other: MAILER-DAEMON, mailer_daemon, Mailer Daemon.
func withoutMarks(s string) string {
	out := make([]byte, 0, 64)
	for i := 0; i < len(s) && len(out) < 256; i++ {
		if ch := lowerASCII(s[i]); strings.IndexByte(" -_.", ch) < 0 {
			out = append(out, ch)
		}
	}
	return string(out)
}

// noticeAction tells a warning from a failure. What only warnings say counts
// first, then what says that the mail is given up; a notice that says neither
// is about a failure.
func noticeAction(subject, text string) string {
	folded := foldText("subject: " + subject + "\n" + text[:min(len(text), 8<<10)])
	var claimed [actionLists]bool
	actionIndex().each(folded, func(list, pos int) {
		claimed[list] = claimed[list] || !isConditional(folded[:pos])
	})
	switch {
	case claimed[listGivenUp]:
		return actionFailed
	case claimed[listWarning]:
		return actionDelayed
	case claimed[listFinal]:
		return actionFailed
	case claimed[listDelay]:
		return actionDelayed
	case claimed[listDelivered]:
		return actionDelivered
	}
	return actionFailed
}

// Lists of phrases that tell the action.
const (
	listGivenUp = iota
	listWarning
	listFinal
	listDelay
	listDelivered
	actionLists
)

var actionIndex = sync.OnceValue(func() *phraseIndex {
	return newPhraseIndex(givenUpPhrases, warningPhrases, finalPhrases, delayPhrases, deliveredPhrases)
})

// Lists of phrases that tell a notice.
const (
	listStrong = iota
	listNotice
	noticeLists
)

var noticeIndex = sync.OnceValue(func() *phraseIndex { return newPhraseIndex(strongPhrases, plainPhrases) })

// isConditional reports whether the last words of the sentence before a phrase
// make it a condition or a prospect.
func isConditional(before string) bool {
	before = before[max(0, len(before)-80):]
	for {
		i := strings.IndexAny(before, ".!?:")
		if i < 0 {
			break
		}
		before = before[i+1:]
	}
	words := strings.Fields(before)
	for _, w := range words[max(0, len(words)-8):] {
		switch w {
		case "if", "until", "unless", "before", "would", "should", "case", "once", "after", "may", "falls", "bis", "si", "otherwise":
			return true
		}
	}
	return len(words) > 1 && (words[len(words)-2] == "will" && words[len(words)-1] == "be" || words[len(words)-1] == "will" || words[len(words)-1] == "not")
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

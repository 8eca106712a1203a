package bounce

import "strings"

// facts is what a report says about one recipient besides its Recipient.
type facts struct {
	stage   string // the SMTP command that was refused: MAIL, RCPT, DATA or ""
	comment string // what the reporting system adds in its own words
	context string // the notice as a whole
}

// finish derives what was not said: code, status, action, category.
func finish(r *Recipient, f facts) {
	r.Diagnostic = bounded(strings.ToValidUTF8(strings.Join(strings.Fields(r.Diagnostic), " "), "?"))
	if r.Action == "" || kindOf(r.Action) == NotABounce {
		r.Action = actionFailed
	}
	if isSuccess(r.Action) {
		r.Category, r.Evidence = None, "action "+r.Action
		if r.Status = or(r.Status, findStatus(r.Diagnostic)); r.Status == "" || r.Status[0] != '2' {
			r.Status = statusOfCategory(None, '2')
		}
		return
	}
	if r.Code == 0 {
		r.Code = findCode(r.Diagnostic)
	}
	if strings.HasPrefix(r.Status, "2") { // of a success on the way: no status of a failure
		r.Status = ""
	}
	quoted := findFailure(r.Diagnostic)
	own := r.Status
	r.Status = betterStatus(own, quoted)
	if f.stage == "" {
		f.stage = stageOf(r.Diagnostic)
	}
	r.Category, r.Evidence = categorize(r, f, own == "" || quoted != "")
	if r.Action == actionDelayed {
		r.Category = whileDelayed(r.Category)
	}
	if r.Status == "" {
		class := byte('5')
		if r.Code >= 400 && r.Code < 500 || r.Action == actionDelayed {
			class = '4'
		}
		r.Status = statusOfCategory(r.Category, class)
	}
	r.Permanent = r.Action == actionFailed && classOf(r) == '5' && r.Category != ExpiredInQueue
}

func isSuccess(action string) bool {
	return action == actionDelivered || action == actionRelayed || action == actionExpanded
}

// whileDelayed is the category of a mail that is still under way: nothing has
// expired, and no address is given up for a temporary answer.
func whileDelayed(c Category) Category {
	switch {
	case c == ExpiredInQueue || c == HostUnknown:
		return Network
	case c.Hard():
		return System
	}
	return c
}

// classOf is the class of a failure: that of the status, or of the reply where
// the status is only general. Exim writes 5.0.0 over a 451, too.
func classOf(r *Recipient) byte {
	if (r.Status == "" || strings.HasSuffix(r.Status, ".0.0")) && r.Code != 0 {
		return byte('0' + r.Code/100)
	}
	if r.Status == "" {
		return '5'
	}
	return r.Status[0]
}

// isSpecific reports whether a status says what happened.
func isSpecific(status string) bool { return status != "" && !strings.HasSuffix(status, ".0") }

// isTelling reports whether a status leaves no doubt what was refused: the
// address, the mailbox's state, or the mail for policy.
func isTelling(status string) bool {
	return len(status) > 4 && (status[1:4] == ".1." && status[4:] != "0" || status[1:4] == ".7.") || strings.HasSuffix(status, ".2.1")
}

// isDoubtful reports whether filters use the words too. What names the account
// as missing is taken at its word.
func isDoubtful(pattern string) bool {
	return strings.Contains(pattern, "unknown")
}

// betterStatus chooses between the reporting system's status and that of the
// reply it quotes. The first is the system's own, and often only 5.0.0, 4.4.7
// for a mail that waited for something else, or Sendmail's 5.1.1 for every RCPT
// that was refused.
func betterStatus(own, quoted string) string {
	switch {
	case quoted == "" || own == quoted:
		return own
	case own == "":
		return quoted
	case strings.HasSuffix(own, ".0.0"), strings.HasSuffix(own, ".4.7"):
		return quoted
	case strings.HasSuffix(own, ".1.1") && own[0] == quoted[0] && isSpecific(quoted):
		return quoted
	case !isSpecific(own) && isSpecific(quoted):
		return quoted
	}
	return own
}

// stageOf finds the command a reply answers, as Postfix, qmail, Exim and
// others note it.
func stageOf(text string) string {
	t := strings.ToUpper(text)
	if !containsAny(t, stageWords) {
		return ""
	}
	if strings.Contains(t, "... USER UNKNOWN") {
		// What Sendmail says itself of a 550 at RCPT. It pipelines: what it shows
		// below DATA may answer RCPT.
		return "RCPT"
	}
	for _, s := range [...]struct{ words, stage string }{
		{"END OF DATA", "DATA"}, {"DATA COMMAND", "DATA"}, {">>> DATA", "DATA"}, {"IN:  DATA", "DATA"}, {"IN: DATA", "DATA"}, {"SMTP COMMAND\nDATA", "DATA"}, {"[DATA]", "DATA"}, {"AFTER DATA", "DATA"}, {"TEXT COMMAND", "DATA"},
		{"AFTER I SENT THE MESSAGE", "DATA"},
		{"RCPT TO", "RCPT"}, {"[RCPT_TO]", "RCPT"}, {"RCPT COMMAND", "RCPT"}, {"NOT LIKE RECIPIENT", "RCPT"}, {"REJECTED RECIPIENT", "RCPT"}, {"[RCPT]", "RCPT"},
		{"MAIL FROM", "MAIL"}, {"[MAIL_FROM]", "MAIL"}, {"MAIL COMMAND", "MAIL"}, {"NOT LIKE SENDER", "MAIL"},
	} {
		if strings.Contains(t, s.words) {
			return s.stage
		}
	}
	return ""
}

// stageWords: one of them is in whatever stageOf looks for.
var stageWords = []string{"DATA", "RCPT", "MAIL", "TEXT COMMAND", "NOT LIKE", "REJECTED RECIPIENT", "I SENT THE MESSAGE", "... USER UNKNOWN"}

// bounded cuts a diagnostic to its limit, at a character's end.
func bounded(s string) string {
	if len(s) <= maxDiagnostic {
		return s
	}
	return strings.ToValidUTF8(s[:maxDiagnostic], "")
}

// categorize decides in this order: what came from the sender's side; a
// temporary error at the end of the queue's time; the status code, unless the
// words contradict a hard verdict or are more exact; the words; the reply code.
// replied: the status is the quoted reply's, or there is no other. The second
// result is the evidence.
func categorize(r *Recipient, f facts, replied bool) (Category, string) {
	m := matchText(r.Diagnostic, false)
	c := matchText(f.comment, false)
	byStatus, telling := categoryOfStatus(r.Status)
	if telling && byStatus == c.category {
		return byStatus, "status " + r.Status // and its comment agree
	}
	if m.category == Undetermined || c.category != Undetermined && c.grade < m.grade {
		m = c // the more exact one
	}
	quoted := m.category != Undetermined            // in the reply itself, not in the notice around it
	if !quoted && !(telling && classOf(r) == '5') { // the notice does not overrule a code
		m = matchText(f.context, true)
	}
	if r.Action == actionDelayed && m.category == ExpiredInQueue {
		m.category = m.waiting
	}
	words, evidence := m.category, m.words
	// A reply to MAIL FROM is about the sender, whatever it says.
	if f.stage == "MAIL" && (words.Hard() || words == Undetermined) {
		return Policy, "refused at MAIL FROM"
	}
	if words == MailboxUnknown && r.Code != 0 && f.stage != "RCPT" && !isTelling(r.Status) && isDoubtful(evidence) {
		// A mailbox that does not exist is refused at RCPT. Mobile carriers, and
		// filters in front of mailboxes, say so after DATA to hide that they
		// filter. An address is given up only on a code or at a command that
		// leaves no doubt.
		return Filtered, evidence + ", but not at RCPT"
	}
	if r.Action == actionFailed && classOf(r) == '4' {
		return givenUp(r, words, evidence)
	}
	if telling {
		if quoted && refineStatus(byStatus, m, r.Status, f.stage, replied) {
			return words, evidence
		}
		return byStatus, "status " + r.Status
	}
	if words != Undetermined {
		return words, evidence
	}
	return categoryOfCode(r)
}

// givenUp is the category of a mail that failed with a temporary error. The
// words tell what the mail waited for; what counts is that the wait is over.
func givenUp(r *Recipient, words Category, evidence string) (Category, string) {
	switch {
	case strings.HasSuffix(r.Status, ".4.6") || words == System && strings.HasPrefix(r.Status, "4.4"):
		return System, "status " + r.Status
	case words == HostUnknown || words == Network && strings.HasSuffix(r.Status, ".4.3"):
		return Network, evidence // the DNS did not answer, or not always so
	}
	status := r.Status
	if status == "" || status[0] != '4' {
		status = "of class 4"
	}
	return ExpiredInQueue, "failed with temporary status " + status
}

// refineStatus reports whether the words m say more than the status, of which
// the category is c.
func refineStatus(c Category, m match, status, stage string, replied bool) bool {
	words := m.category
	switch words {
	case Undetermined, c:
		return false
	}
	switch c {
	case MailboxUnknown, HostUnknown, Moved:
		// An address is not given up against the reply's own words.
		switch words {
		case Spam, Filtered, Authentication, Rate, Virus, MailboxFull, Disabled, Size, Network:
			return true
		case Policy, Protocol, Content, System:
			// Nor for a reply without a status, under Sendmail's 5.1.1 for all that
			// is refused at RCPT.
			return !replied && m.grade < vague && strings.HasSuffix(status, ".1.1")
		}
		return c == HostUnknown && words == ExpiredInQueue || c == MailboxUnknown && strings.HasSuffix(status, ".1.10") && words == HostUnknown
	case ExpiredInQueue:
		// X.4.1 and X.4.7 of class 5 are also given to what was refused.
		return status[0] == '5' && words != Network
	case Disabled:
		return words == MailboxUnknown || words == MailboxFull || words == Filtered
	case Policy:
		// X.7.x is about the sender and the mail: a bad address only where exact
		// words answer RCPT.
		switch words {
		case Spam, Virus, Authentication, Rate, Filtered, Protocol, Disabled:
			return true
		case MailboxUnknown:
			return stage == "RCPT" && m.grade == exact
		}
		return words == HostUnknown && strings.HasSuffix(status, ".7.27")
	}
	return false
}

// categoryOfCode is the last resort.
func categoryOfCode(r *Recipient) (Category, string) {
	switch r.Code {
	case 551:
		return Moved, "code 551" // RFC 5321 §3.4: user not local, try elsewhere
	case 552:
		return MailboxFull, "code 552"
	case 421, 450, 451, 452:
		return System, "code of class 4"
	}
	return Undetermined, ""
}

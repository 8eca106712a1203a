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
	if r.Code == 0 {
		r.Code = findCode(r.Diagnostic)
	}
	r.Status = betterStatus(r.Status, findStatus(r.Diagnostic))
	if f.stage == "" {
		f.stage = stageOf(r.Diagnostic)
	}
	if r.Action == "" || kindOf(r.Action) == NotABounce {
		r.Action = actionFailed
	}
	r.Category, r.Evidence = categorize(r, f)
	if r.Status == "" {
		class := byte('5')
		if r.Code >= 400 && r.Code < 500 || r.Action == actionDelayed {
			class = '4'
		}
		r.Status = statusOfCategory(r.Category, class)
	}
	r.Permanent = r.Action == actionFailed && r.Status[0] == '5' && r.Category != ExpiredInQueue
}

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
// reply it quotes. The first is the system's own, and often only 5.0.0, or
// 4.4.7 for a mail that waited for something else.
func betterStatus(own, quoted string) string {
	switch {
	case quoted == "" || own == quoted:
		return own
	case own == "":
		return quoted
	case strings.HasSuffix(own, ".0.0"), strings.HasSuffix(own, ".4.7"):
		return quoted
	case strings.HasSuffix(own, ".0") && !strings.HasSuffix(quoted, ".0"):
		return quoted
	}
	return own
}

// stageOf finds the command a reply answers, as Postfix, qmail, Exim and
// others note it.
func stageOf(text string) string {
	t := strings.ToUpper(text)
	if strings.Contains(t, ">>> DATA") && strings.Contains(t, "... USER UNKNOWN") {
		// Sendmail pipelines: what it shows below DATA answers RCPT, and this is
		// what it says itself of a 550 there.
		return "RCPT"
	}
	for _, s := range [...]struct{ words, stage string }{
		{"END OF DATA", "DATA"}, {"DATA COMMAND", "DATA"}, {">>> DATA", "DATA"}, {"SMTP COMMAND\nDATA", "DATA"}, {"[DATA]", "DATA"}, {"AFTER DATA", "DATA"}, {"TEXT COMMAND", "DATA"},
		{"RCPT TO", "RCPT"}, {"[RCPT_TO]", "RCPT"}, {"RCPT COMMAND", "RCPT"},
		{"MAIL FROM", "MAIL"}, {"[MAIL_FROM]", "MAIL"}, {"MAIL COMMAND", "MAIL"},
	} {
		if strings.Contains(t, s.words) {
			return s.stage
		}
	}
	return ""
}

// bounded cuts a diagnostic to its limit, at a character's end.
func bounded(s string) string {
	if len(s) <= maxDiagnostic {
		return s
	}
	return strings.ToValidUTF8(s[:maxDiagnostic], "")
}

// categorize decides in this order: what was no failure; what came from the
// sender's side; a temporary error at the end of the queue's time; the status
// code, unless the words contradict a hard verdict or are more exact; the
// words; the reply code. The second result is the evidence.
func categorize(r *Recipient, f facts) (Category, string) {
	if r.Action == actionDelivered || r.Action == actionRelayed || r.Action == actionExpanded {
		return None, "action " + r.Action
	}
	words, evidence := matchText(f.comment, false)
	if words == Undetermined {
		words, evidence = matchText(r.Diagnostic, false)
	}
	quoted := words != Undetermined // in the reply itself, not in the notice around it
	if !quoted && f.context != "" {
		words, evidence = matchText(f.context, true)
	}
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
	if r.Action == actionFailed && (strings.HasPrefix(r.Status, "4") || r.Status == "" && r.Code/100 == 4) {
		return givenUp(r, words, evidence)
	}
	if c, ok := categoryOfStatus(r.Status); ok {
		if quoted && refineStatus(c, words, r.Status) {
			return words, evidence
		}
		return c, "status " + r.Status
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
	if status == "" {
		status = "of class 4"
	}
	return ExpiredInQueue, "failed with temporary status " + status
}

// refineStatus reports whether the words say more than the status code.
func refineStatus(c, words Category, status string) bool {
	switch words {
	case Undetermined, c:
		return false
	}
	switch c {
	case MailboxUnknown, HostUnknown, Moved:
		// An address is not given up against the reply's own words.
		switch words {
		case Spam, Filtered, Authentication, Rate, Virus, MailboxFull, Disabled, Size:
			return true
		}
		return c == MailboxUnknown && strings.HasSuffix(status, ".1.10") && words == HostUnknown
	case ExpiredInQueue:
		// X.4.1 and X.4.7 of class 5 are also given to what was refused.
		return status[0] == '5' && words != Network
	case Disabled:
		return words == MailboxUnknown || words == MailboxFull || words == Filtered
	case Policy:
		// X.7.x is about the sender and the mail, so never a bad address.
		switch words {
		case Spam, Virus, Authentication, Rate, Filtered, Protocol, Disabled:
			return true
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

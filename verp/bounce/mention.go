package bounce

import "strings"

// mentionKind says what a line tells about an address in it.
type mentionKind uint8

const (
	mentionNone    mentionKind = iota // a sender, whom to ask, or a link
	mentionProse                      // in a sentence that may be about anything
	mentionSummary                    // the To: of a mail that is summed up
	mentionAbout                      // the line is about this recipient
)

// mention is an address in a line of a notice.
type mention struct {
	address string
	kind    mentionKind
	lead    string // what precedes it, in lower case
	tail    int    // where what follows it starts; 0: the line is about it from its start
	// bare: nothing precedes the address. joined: what precedes it stands in
	// the line before. expanded: the address was mailed, and stands for the
	// one named before it.
	bare, joined, expanded bool
	exact                  bool // the line gives the answer, too
}

const maxMentions = 20 // addresses of one line

// mentionsIn finds the addresses in a line. before is the line before it, empty
// where a paragraph starts; heading is the last line that was not empty and had
// no address.
func mentionsIn(l, before, heading string) []mention {
	if len(l) > 2000 || strings.IndexByte(l, '@') < 0 {
		return nil
	}
	var out []mention
	for pos := 0; len(out) < maxMentions; {
		a, end := nextAddress(l, pos)
		if a == "" {
			break
		}
		start := end - len(a)
		m := mention{address: a}
		between := l[pos:start]
		pos = end
		if isLink(l[:start]) {
			continue
		}
		m.lead = leadOf(l[:start])
		m.tail = end
		for m.tail < len(l) && strings.IndexByte(">\"':;, \t)]", l[m.tail]) >= 0 {
			m.tail++
		}
		if n := len(out); n > 0 && isListSeparator(between) {
			m.kind, m.lead = out[n-1].kind, out[n-1].lead // one of a list
			m.exact = out[n-1].exact
		} else {
			m.classify(l, start, before, heading)
		}
		out = append(out, m)
	}
	return out
}

// isListSeparator reports whether two addresses with s between them belong to
// one list.
func isListSeparator(s string) bool {
	switch strings.ToLower(strings.Trim(s, " \t<>\"',;&()[]")) {
	case "", "and", "or", "und", "et", "y", "e":
		return true
	}
	return false
}

// leadOf strips what only surrounds an address, the number of a list included.
func leadOf(s string) string {
	lead := strings.Trim(s, " \t<\"'*>-.:[(|#=+•·")
	if strings.Trim(lead, "0123456789") == "" {
		return ""
	}
	return strings.ToLower(lead)
}

// isLink reports whether the text before an address makes it part of a link.
func isLink(before string) bool {
	if strings.HasSuffix(before, "SMTP=") {
		return false
	}
	i := strings.LastIndexAny(before, " \t<\"(,")
	return strings.Contains(before[i+1:], "://") || strings.HasSuffix(strings.ToLower(before), "mailto:") || strings.HasSuffix(before, "=")
}

// classify decides what the line l tells about the address at start.
func (m *mention) classify(l string, start int, before, heading string) {
	rest := strings.ToLower(l[m.tail:min(len(l), m.tail+40)])
	colon := strings.HasSuffix(strings.TrimRight(l[:start], "<\"'( \t"), ":")
	if m.lead == "" {
		m.bare = true
		m.exact = findCode(l[m.tail:]) != 0 || findStatus(l[m.tail:]) != ""
		if m.exact {
			m.kind = mentionAbout
			return
		}
		switch continued := continues(before, l); {
		case continued && m.tail == len(l) && !isSenderLabel(leadOf(before)) && !isContact(leadOf(before)): // alone in its line
			m.kind, m.lead = mentionAbout, ""
			return
		case continued:
			m.joined, m.bare = true, false
			m.lead = leadOf(before)
			colon = strings.HasSuffix(strings.TrimRight(before, " "), ":")
		case isSenderLabel(leadOf(heading)) || isContact(leadOf(heading)):
			return
		default:
			if !isHumanAddress(m.address) || rest == "" || !isLetter(rest[0]) || startsWithAny(rest, aboutTails) {
				m.kind = mentionAbout // no sentence on whom to ask
			}
			return
		}
	}
	switch {
	case m.lead == "expanded from" || strings.HasSuffix(m.lead, "(expanded from"):
		m.kind, m.expanded = mentionAbout, true
	case endsWithAny(m.lead, passiveLeads):
		m.kind, m.tail = mentionAbout, 0
	case isSenderLabel(m.lead):
	case startsWithAny(strings.TrimLeft(rest, ".- "), aboutTails) && !endsWithAny(m.lead, conditions):
		m.kind, m.tail = mentionAbout, 0
		if isHumanAddress(m.address) && !endsWithAny(m.lead, aboutLeads) {
			m.kind = mentionNone
		}
	case isContact(m.lead):
	case m.lead == "to" && colon:
		m.kind = mentionSummary
	case isRecipientLabel(m.lead, colon):
		m.kind = mentionAbout
	case findCode(m.lead) != 0 && len(m.lead) < 40: // 550 5.1.1 <jane@example.net>... User unknown
		m.kind, m.tail, m.exact = mentionAbout, 0, true
	case colon && len(m.lead) < 60 && !m.joined: // Unknown user: jane@example.net
		m.kind, m.tail = mentionAbout, 0
	case endsWithAny(m.lead, aboutLeads), strings.HasPrefix(strings.TrimLeft(l[start+len(m.address):], ">\"')"), ":") && m.tail == len(l): // Problem with jane@example.net:
		m.kind, m.tail = mentionAbout, 0
		if isHumanAddress(m.address) {
			m.kind = mentionNone
		}
	default:
		m.kind, m.tail = mentionProse, 0
	}
}

func isLetter(ch byte) bool { return isWordByte(ch) && !isDigit(ch) }

// continues reports whether the line l goes on with a sentence of the line
// before it, rather than standing for itself.
func continues(before, l string) bool {
	if before == "" || l == "" || l[0] == ' ' || l[0] == '\t' {
		return false
	}
	if first, _, _ := strings.Cut(strings.TrimLeft(before, " \t"), " "); strings.IndexByte(first, '@') >= 0 && !strings.HasSuffix(before, ",") && !isContact(leadOf(before)) {
		return false // a line about another recipient
	}
	before = strings.TrimRight(before, " \t")
	if before == "" {
		return false
	}
	last := before[len(before)-1]
	return isWordByte(last) || last == ','
}

// senderLabels and the words of isContact: an address behind them is nobody's
// to whom mail was sent.
var senderLabels = newPhrases(
	"from", "sender", "reply-to", "mail from", "return-path", "return path", "errors-to", "x-sender", "message-id", "references",
	"in-reply-to", "id", "cc", "x-postfix-sender", "x-sendgrid-sender", "mailto", "absender", "von", "expéditeur",
	"remitente", "mittente", "差出人", "送信者", "sent by", "on behalf of", "by", "originator",
)

// isSenderLabel reports whether a lead announces a sender.
func isSenderLabel(lead string) bool {
	return len(lead) < 80 && endsWithAny(lead, senderLabels) && !strings.HasSuffix(lead, "expanded from")
}

// contactWords ask the reader to turn to the address that follows, perhaps a few
// words later: "contact the postmaster at". nearWords do where it follows at once.
var (
	contactWords = newPhrases(
		"contact", "ask", "call", "visit", "write to", "write", "reply to", "report to", "complain to", "forward to", "please mail",
		"please email", "please e-mail", "please send", "send mail to", "send email to", "send an email to", "send an e-mail to",
		"send a message to", "send e-mail to", "email us", "e-mail us", "write us", "reach us", "mail us", "questions to", "help from",
		"assistance from", "feedback to", "notify", "inform", "kontakt", "kontaktieren", "wenden sie sich an", "contactez", "contacte",
		"contattare", "neem contact op met",
	)
	nearWords = newPhrases(
		"try", "see", "use", "or", "and", "email", "e-mail", "at", "it to", "this to", "postmaster at", "webmaster at", "administrator at",
		"new address is", "address has changed to", "has moved to", "forward it to", "report this to", "report it to", "mailto",
		"instead to", "directly to", "abuse to", "spam to", "help to", "info to", "from", "by",
	)
)

// isContact reports whether the sentence that leads to an address ends with an
// invitation to use it.
func isContact(lead string) bool {
	if i := strings.LastIndexAny(lead, ".!?;"); i >= 0 && i < len(lead)-1 {
		lead = lead[i+1:]
	}
	last := lead
	if i := strings.LastIndex(lead, ", "); i >= 0 {
		last = lead[i+2:]
	}
	var ends, starts [6]int // of the last words, from the last one on
	n := 0
	for end := len(last); n < len(ends) && end > 0; n++ {
		start := strings.LastIndexByte(last[:end], ' ') + 1
		starts[n], ends[n] = start, end
		end = start - 1
	}
	for i := range n { // the phrase starts with word i, and ends with word j
		for j := i; j >= 0 && j > i-maxPhrase; j-- {
			switch w := last[starts[i]:ends[j]]; {
			case contactWords.has(w) && (j == 0 || !containsAny(last, failedTo)), j == 0 && nearWords.has(w):
				return true
			}
		}
	}
	return false
}

// failedTo: the words of an attempt, not of an invitation.
var failedTo = []string{"could not", "couldn't", "unable", "failed", "cannot", "can't", "was not", "attempt", "trying", "tried", "when"}

// isRecipientLabel reports whether a lead announces a recipient.
func isRecipientLabel(lead string, colon bool) bool {
	return recipientLabels.has(lead) || len(lead) < 40 && endsWithAny(lead, recipientLabels) && (colon || !strings.HasSuffix(lead, " to"))
}

var recipientLabels = newPhrases(
	"to", "rcpt to", "recipient", "recipients", "recipient address", "addressed to", "user", "address", "mailbox", "final-recipient",
	"original-recipient", "delivered to", "undeliverable to", "intended recipient", "failed recipient", "destination", "rcpt",
	"recipient(s", "address(es", "rfc822;", "final-recipient: rfc822;", "宛先", "empfänger", "destinataire", "destinatario",
	"error-for", "failed address", "undelivered to", "destinatário", "ontvanger", "mottagare", "адресат", "получатель", "收件人",
	"收件者", "受信者", "smtp", "addressee", "to user", "account", "envelope-to", "undeliverable address", "failed",
)

// aboutLeads end what leads to the recipient of a sentence.
var aboutLeads = newPhrases(
	"message to", "messages to", "mail to", "e-mail to", "email to", "delivered to", "delivery to", "deliver to", "deliver it to",
	"deliver mail to", "deliver message to", "sent to", "addressed to", "undeliverable to", "mailbox of", "mailbox for", "account of",
	"recipient", "recipients", "user", "mailbox", "delivering to", "sending to", "send to", "transfer to", "not reach", "did not reach", "for user", "for recipient", "quota for",
	"delivery for", "mail for", "message for", "delivery attempt to", "following recipient(s", "following address(es",
	"message addressed to", "relay to", "to user", "to recipient", "an", "nachricht an", "mensaje a", "message à", "messaggio a",
	"mensagem para", "account", "the address", "email address", "e-mail address", "to the following address", "local user", "for",
	"an empfänger", "addresses", "following", "response from", "reply from mailbox", "connect to", "remis à", "délivré à", "distribué à",
	"envoyé à", "adressé à", "destiné à", "entregar a", "entregado a", "enviado a", "consegnato a", "inviato a", "entregue a", "enviada para",
	"entregue para", "zugestellt an", "bezorgd aan", "levereras till", "do adresata", "rejected for", "failed for", "failure for", "with", "rcpt",
)

// passiveLeads end in "by", but what follows is the recipient.
var passiveLeads = newPhrases("generated by", "rejected by", "refused by", "returned by", "bounced by", "received by", "blocked by")

// aboutTails start what follows the recipient of a sentence.
var aboutTails = []string{
	"could not", "couldn't", "cannot", "can't", "was not", "wasn't", "is not", "isn't", "does not", "doesn't", "did not", "didn't",
	"has been", "has not", "has no", "has exceeded", "has reached", "has rejected", "has refused", "has moved", "has left",
	"failed", "bounced", "rejected", "refused", "is full", "is over", "is unknown", "is invalid", "is disabled", "is currently",
	"is temporarily", "is no longer", "is unavailable", "was undeliverable", "was rejected", "was refused", "was returned",
	"undeliverable", "unknown", "not found", "user unknown", "no such", "over quota", "on mon", "on tue", "on wed",
	"on thu", "on fri", "on sat", "on sun", "on 0", "on 1", "on 2", "on 3", "konnte nicht", "existiert nicht", "n'a pas", "n'existe",
	"no existe", "non esiste", "não existe", "no longer", "doesnt", "invalid", "disabled", "exceeded",
	"wurde", "ist nicht", "ist voll", "ist unbekannt", "est pleine", "is blocked", "blocked",
}

// conditions before an address make a sentence one that claims nothing.
var conditions = newPhrases("if", "where", "when", "whether", "unless", "falls", "wenn", "si")

// phrases is a set of phrases of at most maxPhrase words.
type phrases map[string]struct{}

const maxPhrase = 5

func newPhrases(list ...string) phrases {
	set := make(phrases, len(list))
	for _, s := range list {
		set[s] = struct{}{}
	}
	return set
}

func (p phrases) has(s string) bool {
	if len(s) > 40 {
		return false
	}
	_, ok := p[s]
	return ok
}

// endsWithAny reports whether the last words of text are one of the phrases.
func endsWithAny(text string, ends phrases) bool {
	end := len(text)
	for range maxPhrase {
		i := strings.LastIndexByte(text[:end], ' ')
		if ends.has(text[i+1:]) {
			return true
		}
		if i < 0 {
			return false
		}
		end = i
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

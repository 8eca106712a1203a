package mxsend

import (
	"strings"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// A party is whom or what a refusal is about. Relays delay their checks of the
// client, its name in EHLO and the return path until RCPT, so the command that a
// reply answers does not tell.
type party uint8

const (
	aboutUnknown    party = iota // it does not say
	aboutPolicy                  // "not allowed": client, sender or recipient, it does not say which
	aboutRecipient               // this address
	aboutMessage                 // its size or its content
	aboutReturnPath              // the return path as an address: its syntax
	aboutSender                  // its domain, or the right of this client to use it
	aboutHello                   // the name in EHLO
	aboutClient                  // the client's network address
	aboutAuth                    // AUTH is missing or was refused
	aboutTLS                     // TLS is missing
	aboutRelay                   // the relay itself
	aboutSequence                // the order of commands
	aboutCount                   // the number of recipients in this transaction
)

// about says what a 4yz or 5yz reply to MAIL, RCPT, DATA or the final dot is about.
// An enhanced status code decides where it tells; then the words that the common
// mail servers are known to use; then the reply code.
func about(stage Stage, r replyCode, text string) party {
	enhanced := r.enhanced
	if enhanced == (smtpwire.EnhancedCode{}) {
		enhanced = codeInText(text)
	}
	by, words := aboutEnhanced(stage, enhanced), aboutWords(text)
	if enhanced == (smtpwire.EnhancedCode{}) && r.code == 554 {
		by = aboutPolicy // it is what a rule gives that refuses (Postfix: reject_code)
	}
	switch {
	case by != aboutUnknown && by != aboutPolicy:
		return by
	case by == aboutPolicy && (words == aboutUnknown || words == aboutRecipient):
		// "Recipient address rejected: Access denied" is what Postfix says to a client
		// that the last rule of its smtpd_recipient_restrictions was not meant for.
		return aboutCode(r.code, aboutPolicy)
	case words != aboutUnknown:
		return words
	}
	switch {
	case enhanced[1] == 1:
		return mailboxAt(stage)
	case enhanced[1] != 0 && stage < StageContent:
		return aboutCode(r.code, aboutUnknown)
	}
	return aboutCode(r.code, aboutBare(stage, r.code))
}

// mailboxAt is whose mailbox a status code is about: at MAIL, the return path's.
func mailboxAt(stage Stage) party {
	if stage == StageMail {
		return aboutSender
	}
	return aboutRecipient
}

// aboutEnhanced is about by the enhanced status code alone (RFC 3463, and the
// registry that RFC 5248 began).
func aboutEnhanced(stage Stage, e smtpwire.EnhancedCode) party {
	temporary := e[0] == 4
	switch subject, detail := e[1], e[2]; subject {
	case 1: // addressing
		switch {
		case detail == 0:
			return aboutUnknown // Postfix: also of a sender that is in no table
		case detail == 7, detail == 3 && stage == StageMail:
			return aboutReturnPath
		case detail == 8:
			return aboutSender
		}
		return mailboxAt(stage)
	case 2: // mailbox
		if detail == 3 {
			return aboutMessage // too long for it
		}
		return mailboxAt(stage)
	case 3: // mail system
		switch {
		case detail == 4:
			return aboutMessage // too big
		case detail == 0 && !temporary && stage >= StageContent:
			return aboutMessage // qmail: its filter refuses the content
		case detail == 0 && !temporary:
			return aboutPolicy // Sendmail: its access map refuses somebody
		}
		return aboutRelay
	case 4: // network and routing
		switch {
		case temporary && stage != StageRecipient:
			return aboutRelay
		case stage == StageMail:
			return aboutUnknown
		}
		return aboutRecipient // there is no way to it
	case 5: // protocol
		if detail == 3 && stage == StageRecipient {
			return aboutCount
		}
	case 6: // content
		return aboutMessage
	case 7: // security and policy
		return aboutSecurity(detail)
	}
	return aboutUnknown
}

// aboutSecurity is about by the detail of X.7.x.
func aboutSecurity(detail int) party {
	switch detail {
	case 2, 17, 18, 19: // a list's members; the owner of the mailbox or domain changed (RFC 7293)
		return aboutRecipient
	case 15, 16, 20, 21, 22, 29, 30: // priority; DKIM (RFC 7372), ARC, REQUIRETLS
		return aboutMessage
	case 23, 24, 26, 27: // SPF (RFC 7372), several at once, a null MX (RFC 7505)
		return aboutSender
	case 25, 28: // reverse DNS (RFC 7372); a flood of mail
		return aboutClient
	case 8, 9, 11, 12, 13, 14, 57: // credentials (RFC 4954, RFC 5248); 57 is Exchange's
		return aboutAuth
	case 10:
		return aboutTLS
	}
	return aboutPolicy
}

// aboutCode is about by a reply code that tells by itself (RFC 4954, RFC 5248);
// otherwise for others.
func aboutCode(code int, otherwise party) party {
	switch code {
	case 503:
		return aboutSequence
	case 521: // RFC 7504: no mail is accepted here
		return aboutRelay
	case 523:
		return aboutTLS
	case 524, 525, 530, 534, 535, 538:
		return aboutAuth
	}
	return otherwise
}

// aboutBare is what a reply code is about where nothing else says so (RFC 5321
// §4.2.3 and §4.3.2).
func aboutBare(stage Stage, code int) party {
	switch {
	case code == 452:
		return aboutRelay // its storage, where it was not the number of recipients
	case stage >= StageContent, stage == StageMail && code == 552:
		return aboutMessage
	case stage == StageMail && (code == 501 || code/10 == 55):
		return aboutReturnPath
	case stage != StageRecipient:
		return aboutUnknown
	case code == 552:
		return aboutCount // RFC 5321 §4.5.3.1.10: old relays say 552 where 452 is meant
	case code/10 == 50, code == 554, code == 555, code >= 560:
		return aboutUnknown
	}
	return aboutRecipient
}

// codeInText finds the enhanced status code that qmail and its kin write at the
// end of the text: "(#5.1.1)", "(#5.1.1 - chkuser)".
func codeInText(text string) smtpwire.EnhancedCode {
	i := strings.Index(text, "(#")
	if i < 0 {
		return smtpwire.EnhancedCode{}
	}
	code := text[i+2:]
	if end := strings.IndexAny(code, " )"); end >= 0 {
		code = code[:end]
	}
	return smtpwire.ParseEnhanced(code)
}

// knownWords are what mail servers say, in lower case, where codes do not tell
// whom they refuse. The tests have whole replies, with their sources.
var knownWords = [...]struct {
	words string
	party party
}{
	{"recipient address rejected: relay access denied", aboutClient}, // Postfix
	{"sender address rejected: not logged in", aboutAuth},            // Postfix
	{"helo command", aboutHello},                                     // Postfix: rejected, or listed
	{"access denied - invalid helo", aboutHello},                     // Exim as cPanel configures it
	{"helo argument", aboutHello}, {"ehlo argument", aboutHello},     // Exim
	{"helo name", aboutHello}, {"ehlo name", aboutHello}, // the same, otherwise
	{"helo hostname", aboutHello}, {"ehlo hostname", aboutHello}, // policy services
	{"sender address rejected", aboutSender},                      // Postfix
	{"sender address [", aboutSender},                             // Postfix: listed
	{"verification failed for", aboutSender},                      // Exim: first line of "Sender verify failed"
	{"sender verify failed", aboutSender},                         // Exim
	{"domain of sender address", aboutSender},                     // Sendmail
	{"required for sender address", aboutSender},                  // Sendmail
	{"envelope sender", aboutSender},                              // qmail
	{"send as this sender", aboutSender},                          // Exchange
	{"outbound sender", aboutSender},                              // Exchange
	{"client host", aboutClient},                                  // Postfix: rejected, or listed
	{"relay access denied", aboutClient},                          // Postfix, Exchange
	{"too much mail from", aboutClient},                           // Postfix
	{"too many recipients from", aboutClient},                     // Postfix
	{"relaying denied", aboutClient},                              // Sendmail, Courier, James
	{"relaying not", aboutClient},                                 // "permitted", "allowed": KumoMTA and others
	{"relay not permitted", aboutClient},                          // Exim
	{"unable to relay", aboutClient},                              // Exchange
	{"relaying to", aboutClient},                                  // Exim: "prohibited by administrator"
	{"allowed rcpthosts", aboutClient},                            // qmail
	{"fix reverse dns", aboutClient},                              // Sendmail
	{"banned sending ip", aboutClient},                            // Exchange
	{"must issue a starttls", aboutTLS},                           // Postfix, Sendmail
	{"session encryption is required", aboutTLS},                  // Postfix
	{"encryption required", aboutTLS},                             // RFC 4954's own words
	{"authentication required", aboutAuth},                        // Postfix, Sendmail, Exim
	{"authentication is required", aboutAuth},                     // hMailServer
	{"requires authentication", aboutAuth},                        // MailEnable
	{"not authenticated", aboutAuth}, {"auth command", aboutAuth}, // Exchange; OpenSMTPD
	{"administrative prohibition", aboutPolicy},             // Exim, where no message is configured
	{"black list", aboutPolicy}, {"blacklist", aboutPolicy}, // Exim: of addresses of any kind
	{"access denied", aboutPolicy},            // Sendmail
	{"recipient address", aboutRecipient},     // Postfix, Exim
	{"temporary local problem", aboutRelay},   // Exim
	{"local configuration error", aboutRelay}, // Sendmail
	{"server configuration", aboutRelay},      // Postfix
}

// aboutWords is about by the words that come first, since a relay may quote another's
// reply behind its own.
func aboutWords(text string) party {
	text = strings.ToLower(text)
	first, found := len(text), aboutUnknown
	for _, k := range knownWords {
		if i := strings.Index(text[:min(len(text), first+len(k.words)-1)], k.words); i >= 0 && i < first {
			first, found = i, k.party
		}
	}
	return found
}

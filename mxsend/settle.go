package mxsend

import "github.com/mxsend/go-mxsend/internal/smtpwire"

// A disposition is what follows for a recipient from a reply or a breakage.
type disposition uint8

const (
	settled    disposition = iota // it has its outcome
	again                         // at once, on whichever relay: it cost nothing
	elsewhere                     // at once, on another relay
	confirm                       // at once, on another relay, to learn whom the refusal meant
	afterPause                    // in the next round
)

// blame says what a reply tells about the relay.
type blame uint8

const (
	blameNobody  blame = iota
	blameRelay         // it is not well
	blameRefusal       // it refuses this client
)

// judge decides on a reply that is not positive, at MAIL, RCPT, DATA or the
// final dot. The rules are DESIGN.md's; they are in one place so that they can be
// read in one.
func judge(stage Stage, r replyCode) (disposition, blame) {
	class, subject := r.code/100, r.enhanced[1]
	switch {
	case r.code == 421:
		return elsewhere, blameRelay
	case r.code == 503 || outOfStep(r):
		// "Bad sequence of commands" is about this connection and no mail.
		return elsewhere, blameRelay
	case class == 4 && stage == StageRecipient:
		return afterPause, blameNobody
	case class == 4:
		if subject == 3 || subject == 4 || r.code == 452 && subject == 0 {
			return elsewhere, blameRelay
		}
		return elsewhere, blameNobody
	case stage == StageRecipient && r.code == 552 && (subject == 0 || r.enhanced == (smtpwire.EnhancedCode{5, 5, 3})):
		// RFC 5321 §4.5.3.1.10: old relays say 552 where 452 is meant.
		return afterPause, blameNobody
	case refusesClient(stage, r):
		return confirm, blameRefusal
	}
	return settled, blameNobody
}

// refusesClient says whether a 5yz may mean this client and not the mail:
// 530–538 (RFC 4954), policy (X.7.x, RFC 3463) before the content was seen, and
// a 554 at RCPT that does not say what it means.
func refusesClient(stage Stage, r replyCode) bool {
	if r.code/100 != 5 || stage != StageMail && stage != StageRecipient {
		return false
	}
	return r.code >= 530 && r.code <= 538 || r.enhanced[1] == 7 ||
		stage == StageRecipient && r.code == 554 && r.enhanced == (smtpwire.EnhancedCode{})
}

// tooManyRecipients says whether a RCPT was refused only because the
// transaction is full (RFC 5321 §4.5.3.1.10).
func tooManyRecipients(r replyCode) bool {
	return (r.code == 452 || r.code == 552) &&
		(r.enhanced[1] == 0 || r.enhanced[1] == 5 && r.enhanced[2] == 3)
}

// outOfStep says whether a reply to MAIL, RCPT or DATA complains of the grouping
// of commands: the relay announced PIPELINING and cannot do it.
func outOfStep(r replyCode) bool {
	return (r.code == 503 || r.code == 554) && r.enhanced[1] == 5 && r.enhanced[2] <= 1
}

package mxsend

// A disposition is what follows for a recipient from a reply or a breakage.
type disposition uint8

const (
	settled    disposition = iota // it has its outcome
	again                         // at once, on whichever relay: it cost nothing
	elsewhere                     // at once, on another relay
	confirm                       // at once, on another relay, to learn whom the refusal meant
	hold                          // at once, on another relay; it does not mean the mail, so it is never final
	afterPause                    // in the next round
)

// blame says what a reply tells about the relay.
type blame uint8

const (
	blameNobody  blame = iota
	blameRelay         // it is not well
	blameRefusal       // it refuses this client
)

// A verdict is what follows from a reply that is not positive.
type verdict struct {
	do    disposition
	blame blame
	cause error // what would mend it, where that is in the client's or the relay's configuration
}

// judge decides on a reply that is not positive, at MAIL, RCPT, DATA or the
// final dot. The rules are DESIGN.md's; they are in one place so that they can be
// read in one.
func judge(stage Stage, r replyCode, text string) verdict {
	if r.code == 421 {
		return verdict{do: elsewhere, blame: blameRelay}
	}
	p := about(stage, r, text)
	if p != aboutAuth && outOfStep(r) && stage < StageContent {
		p = aboutSequence
	}
	if r.code/100 == 4 {
		return judgeTemporary(stage, p)
	}
	switch p {
	case aboutSequence:
		// "Bad sequence of commands" is about this connection and no mail.
		return verdict{do: elsewhere, blame: blameRelay}
	case aboutCount:
		return verdict{do: afterPause}
	case aboutRecipient, aboutMessage:
		return verdict{}
	case aboutHello, aboutClient, aboutAuth, aboutTLS, aboutSender, aboutRelay:
		return verdict{hold, blameRefusal, remedies[p]}
	}
	if stage >= StageContent {
		return verdict{} // it has seen the content, and that is what it means
	}
	return verdict{confirm, blameRefusal, remedies[p]}
}

// judgeTemporary is judge of a 4yz reply.
func judgeTemporary(stage Stage, p party) verdict {
	switch p {
	case aboutRelay:
		return verdict{do: elsewhere, blame: blameRelay}
	case aboutHello, aboutClient, aboutAuth, aboutTLS, aboutSender, aboutReturnPath:
		return verdict{elsewhere, blameRefusal, remedies[p]}
	}
	if stage == StageRecipient {
		return verdict{do: afterPause}
	}
	return verdict{do: elsewhere}
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

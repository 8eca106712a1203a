package mxsend

import (
	"errors"

	"github.com/mxsend/go-mxsend/internal/smtpsession"
)

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

// classifyReply decides on a reply that is not positive, at MAIL, RCPT, DATA or the
// final dot. The rules are DESIGN.md's; they are in one place so that they can be
// read in one.
func classifyReply(stage Stage, r smtpsession.Reply) verdict {
	if r.Code == 421 {
		return verdict{do: elsewhere, blame: blameRelay}
	}
	p := about(stage, r)
	if p != aboutAuth && outOfStep(r) && stage < StageContent {
		p = aboutSequence
	}
	if r.Code/100 == 4 {
		return classifyTemporary(stage, p)
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

// classifyTemporary is classifyReply of a 4yz reply.
func classifyTemporary(stage Stage, p party) verdict {
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
func tooManyRecipients(r smtpsession.Reply) bool {
	return (r.Code == 452 || r.Code == 552) &&
		(r.Enhanced[1] == 0 || r.Enhanced[1] == 5 && r.Enhanced[2] == 3)
}

// outOfStep says whether a reply to MAIL, RCPT or DATA complains of the grouping
// of commands: the relay announced PIPELINING and cannot do it.
func outOfStep(r smtpsession.Reply) bool {
	return (r.Code == 503 || r.Code == 554) && r.Enhanced[1] == 5 && r.Enhanced[2] <= 1
}

var errOutOfStep = errors.New("the relay answers out of step to PIPELINING, which it offers; lock-step from now on")

// A refusalCause is ErrRelayRefused where the relay says whom it refuses.
type refusalCause string

func (e refusalCause) Error() string { return string(e) }

// Is matches ErrRelayRefused.
func (e refusalCause) Is(target error) bool { return target == ErrRelayRefused }

const errHelloRefused refusalCause = "the relay refuses this client for its name in EHLO: " +
	"set Config.LocalName to the fully qualified name of this machine"

const errSenderRefused refusalCause = "the relay refuses the return path, whatever the recipient: " +
	"set Message.ReturnPath to an address whose domain exists and that the relay lets this client use"

// remedies are the errors that say what would mend a refusal, by whom it is about.
var remedies = [...]error{
	aboutUnknown:    ErrRelayRefused,
	aboutPolicy:     ErrRelayRefused,
	aboutRelay:      ErrRelayRefused,
	aboutClient:     ErrRelayRefused,
	aboutHello:      errHelloRefused,
	aboutReturnPath: errSenderRefused,
	aboutSender:     errSenderRefused,
	aboutAuth: refusalCause("the relay refuses this client without a credential that it knows: " +
		"set Config.Auth, or let the relay accept the network that this client is in"),
	aboutTLS: refusalCause("the relay refuses this client without TLS: " +
		"set Config.TLS to mxsend.TLSRequired"),
	aboutCount: nil,
}

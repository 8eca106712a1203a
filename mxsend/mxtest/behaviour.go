package mxtest

import (
	"fmt"
	"time"
)

// A Behaviour is what a destination does. Its constructors are [Accept], [Reject], [Greylist], [Refuse],
// [Silence], [Drop], [Tarpit], [NullMX], [NXDomain] and [ServFail].
type Behaviour struct {
	kind  behaviourKind
	at    Stage
	reply string
	wait  time.Duration
}

type behaviourKind uint8

const (
	doAccept behaviourKind = iota
	doReject
	doGreylist
	doRefuse
	doSilence
	doDrop
	doTarpit
	doNullMX
	doNXDomain
	doServFail
)

// Accept takes the mail.
func Accept() Behaviour { return Behaviour{} }

// Reject answers reply ("450 4.2.0 text" or "450 text", 4xx or 5xx) at a stage.
func Reject(at Stage, reply string) Behaviour {
	return Behaviour{kind: doReject, at: at, reply: reply}
}

// Greylist answers 450 at RCPT for that long after it first sees a triple of client network (/24), sender and
// recipient; a graveyard is on another network than a primary, and so greylisted anew.
func Greylist(wait time.Duration) Behaviour { return Behaviour{kind: doGreylist, wait: wait} }

// Refuse refuses the connection.
func Refuse() Behaviour { return Behaviour{kind: doRefuse} }

// Silence takes the connection and says nothing until the relay gives up.
func Silence() Behaviour { return Behaviour{kind: doSilence} }

// Drop closes the connection at a stage without a reply.
func Drop(at Stage) Behaviour { return Behaviour{kind: doDrop, at: at} }

// Tarpit takes the mail, that much later.
func Tarpit(wait time.Duration) Behaviour { return Behaviour{kind: doTarpit, wait: wait} }

// NullMX is a domain that takes no mail (RFC 7505).
func NullMX() Behaviour { return Behaviour{kind: doNullMX} }

// NXDomain is a domain that does not exist.
func NXDomain() Behaviour { return Behaviour{kind: doNXDomain} }

// ServFail is a domain whose DNS fails.
func ServFail() Behaviour { return Behaviour{kind: doServFail} }

// String says what the behaviour is, in the words of the log: "550 5.1.1 no such user at RCPT TO", "greylists for 20s".
func (b Behaviour) String() string {
	switch b.kind {
	case doReject:
		return b.reply + " at " + b.at.String()
	case doGreylist:
		return "greylists for " + b.wait.String()
	case doRefuse:
		return "refuses connections"
	case doSilence:
		return "takes connections and says nothing"
	case doDrop:
		return "drops the connection at " + b.at.String()
	case doTarpit:
		return "takes " + b.wait.String() + " for a mail"
	case doNullMX:
		return "has a null MX"
	case doNXDomain:
		return "does not exist"
	case doServFail:
		return "has DNS that fails"
	}
	return "takes the mail"
}

func (b Behaviour) validate() error {
	switch b.kind {
	case doReject:
		reply, err := parseReply(b.reply)
		if err != nil {
			return err
		}
		if reply.code < 400 {
			return fmt.Errorf("reply %q does not reject: its code must be 4xx or 5xx", b.reply)
		}
		fallthrough
	case doDrop:
		switch b.at {
		case AtGreeting, AtEHLO, AtMail, AtRcpt, AtData, AtContent, AtDot:
		default:
			return fmt.Errorf("a destination does nothing at stage %v", b.at)
		}
		if b.kind == doReject && b.at == AtContent {
			return fmt.Errorf("a destination rejects AtData or AtDot; AtContent it can only drop")
		}
	case doGreylist, doTarpit:
		if b.wait <= 0 {
			return fmt.Errorf("the wait must be positive, not %v", b.wait)
		}
	}
	return nil
}

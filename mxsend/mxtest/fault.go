package mxtest

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A FaultKind is what a relay does wrong.
type FaultKind uint8

// The kinds of fault. Answer, Raw, Cut, Reset, Stall and Delay strike at any [Stage]; the TLS… ones at
// AtStartTLS, which may be left out.
const (
	Answer       FaultKind = iota + 1 // answers Fault.Reply; 421 also closes
	Raw                               // writes the octets of Fault.Reply as they are, then goes on as if it had answered
	RawCut                            // writes the octets of Fault.Reply as they are, then closes: half replies
	Cut                               // closes the connection (FIN)
	Reset                             // resets the connection (RST)
	Stall                             // keeps the connection and never says another octet, nor reads one
	Delay                             // answers as it would have, Fault.Wait later
	Loris                             // answers as it would have, an octet every Fault.Wait
	TLSStripped                       // STARTTLS is missing from the EHLO reply, and unknown
	TLSRefused                        // 454 4.7.0 to STARTTLS
	TLSExpired                        // a certificate that has expired
	TLSWrongName                      // a certificate for another name
	TLSUntrusted                      // a certificate of an unknown CA
	TLSInjected                       // a plain-text reply behind "220 ready", in the same segment
	TLSHang                           // "220 ready", and then nothing
)

var faultNames = [...]string{
	Answer: "Answer", Raw: "Raw", RawCut: "RawCut", Cut: "Cut", Reset: "Reset", Stall: "Stall", Delay: "Delay", Loris: "Loris",
	TLSStripped: "TLSStripped", TLSRefused: "TLSRefused", TLSExpired: "TLSExpired", TLSWrongName: "TLSWrongName",
	TLSUntrusted: "TLSUntrusted", TLSInjected: "TLSInjected", TLSHang: "TLSHang",
}

// String names the kind.
func (k FaultKind) String() string {
	if int(k) < len(faultNames) && faultNames[k] != "" {
		return faultNames[k]
	}
	return fmt.Sprintf("FaultKind(%d)", uint8(k))
}

// Always as Fault.Times keeps a fault until [Relay.ClearFaults].
const Always = -1

// A Fault is something a relay does wrong towards its clients, for the next matches.
type Fault struct {
	Kind FaultKind
	At   Stage

	// Reply is the reply of Answer without its CRLF ("421 4.3.2 too busy"; several lines apart by
	// "\n"), or the octets of Raw and RawCut.
	Reply string

	// Wait is the pause of Delay and Loris.
	Wait time.Duration

	// Recipient limits faults AtRcpt, AtData, AtContent and AtDot to transactions with a recipient matching this
	// pattern (path.Match, lower case). Empty: every one.
	Recipient string

	// Skip lets that many matches pass first; then it strikes Times times. Zero: once; Always: without end.
	Skip, Times int

	// Keep says that the relay keeps the mail although it does not say so: AtDot the mail is queued
	// before the fault strikes. False: it is forgotten.
	Keep bool
}

// String says what the fault is: "Answer 421 4.3.2 too busy at greeting, always".
func (f Fault) String() string {
	s := f.Kind.String()
	if f.Reply != "" {
		s += " " + strings.TrimSpace(strings.ReplaceAll(f.Reply, "\n", " "))
	}
	if f.Wait > 0 {
		s += " " + f.Wait.String()
	}
	if f.Kind < TLSStripped {
		s += " at " + f.At.String()
	}
	if f.Recipient != "" {
		s += " for " + f.Recipient
	}
	switch {
	case f.Times == Always:
		s += ", always"
	case f.Times > 1:
		s += fmt.Sprintf(", %d times", f.Times)
	}
	if f.Keep {
		s += ", the mail kept"
	}
	return s
}

// RefuseClient is a relay that does not know its client: 554 5.7.1 to every recipient, as a wrong mynetworks has it.
func RefuseClient() Fault {
	return Fault{Kind: Answer, At: AtRcpt, Reply: "554 5.7.1 <client>: Relay access denied", Times: Always}
}

// CutBeforeDot is a connection that breaks in place of the 354 to DATA of one mail: the client can know that the relay has
// nothing of it, whatever its size, and will send it elsewhere. A cut amid the content, Fault{Kind: Cut, At: AtContent}, finds
// a client that has handed over content and final dot to its kernel already, unless they are larger than the sockets'
// buffers: to such a client the mail is in doubt.
func CutBeforeDot() Fault { return Fault{Kind: Cut, At: AtData} }

// CutAfterDot is a connection that breaks after the final dot of one mail and before the reply. The relay has the mail
// if kept is set; the client cannot know.
func CutAfterDot(kept bool) Fault { return Fault{Kind: Cut, At: AtDot, Keep: kept} }

// validate says what is wrong with f.
func (f Fault) validate() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("mxtest: Fault %v at %v: %w", f.Kind, f.At, fmt.Errorf(format, args...))
	}
	if f.Kind == 0 || f.Kind > TLSHang {
		return fmt.Errorf("mxtest: Fault.Kind %v does not exist", f.Kind)
	}
	tls := f.Kind >= TLSStripped
	switch {
	case !tls && (f.At == 0 || f.At > AtIdle):
		return wrong("At must be one of the stages")
	case tls && f.At != 0 && f.At != AtStartTLS:
		return wrong("this kind strikes AtStartTLS only")
	case f.At == AtIdle && f.Kind != Cut && f.Kind != Reset && f.Kind != Stall && f.Kind != Answer && f.Kind != Raw:
		return wrong("an idle relay can only cut, reset, stall, or speak unasked")
	case f.At == AtContent && f.Kind != Cut && f.Kind != Reset && f.Kind != Stall && f.Kind != Answer && f.Kind != RawCut:
		return wrong("amid content a relay can only cut, reset, stall, or answer and close")
	case f.Recipient != "" && (tls || f.At < AtRcpt || f.At == AtIdle):
		return wrong("Recipient is not known at this stage")
	case f.Keep && f.At != AtDot:
		return wrong("Keep needs AtDot: before the final dot there is no mail to keep")
	case (f.Kind == Delay || f.Kind == Loris) && f.Wait <= 0:
		return wrong("Wait must be positive")
	case f.Skip < 0 || f.Times < Always:
		return wrong("Skip and Times cannot be negative")
	case (f.Kind == Raw || f.Kind == RawCut) && f.Reply == "":
		return wrong("Reply is empty: use Cut or Stall to say nothing")
	}
	if f.Kind == Answer {
		if _, err := parseReply(f.Reply); err != nil {
			return wrong("Reply: %w", err)
		}
	}
	return nil
}

var errReplyForm = errors.New(`a reply has the form "450 4.2.0 text" or "450 text"`)

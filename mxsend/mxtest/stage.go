package mxtest

import "strconv"

// A Stage is a point in an SMTP session at which a script or a fault strikes.
type Stage uint8

// The stages, in the order of a session.
const (
	AtGreeting Stage = iota + 1 // in place of the 220 greeting
	AtEHLO                      // at EHLO (and HELO)
	AtStartTLS                  // at STARTTLS and in the handshake; relays only
	AtAuth                      // at AUTH; relays only
	AtMail                      // at MAIL FROM
	AtRcpt                      // at RCPT TO
	AtData                      // at DATA, before content
	AtContent                   // in the middle of content, before the final dot
	AtDot                       // after the final dot
	AtIdle                      // between transactions, after a completed one; relays only
)

var stageNames = [...]string{
	AtGreeting: "greeting", AtEHLO: "EHLO", AtStartTLS: "STARTTLS", AtAuth: "AUTH", AtMail: "MAIL FROM", AtRcpt: "RCPT TO",
	AtData: "DATA", AtContent: "content", AtDot: "end of DATA", AtIdle: "idle",
}

// String names the stage.
func (s Stage) String() string {
	if int(s) < len(stageNames) && stageNames[s] != "" {
		return stageNames[s]
	}
	return "Stage(" + strconv.Itoa(int(s)) + ")"
}

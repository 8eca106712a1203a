package bounce

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"time"
)

const (
	maxPolicyLine  = 4096
	maxPolicyLines = 200
)

// ServePolicy answers Postfix's policy delegation protocol (SMTPD_POLICY_README)
// on l until Close or Shutdown, then returns nil. It closes l. With
//
//	smtpd_recipient_restrictions =
//	    reject_unauth_destination,
//	    check_policy_service inet:127.0.0.1:2425
//
// the receiving Postfix refuses at RCPT what this Receiver would refuse. Other
// domains' recipients get DUNNO: they are none of its business.
func (r *Receiver) ServePolicy(l net.Listener) error {
	limited, ok := r.add(l)
	if !ok {
		return nil
	}
	defer r.serving.Done()
	defer limited.cutConnections() // Postfix keeps them open, idle
	return limited.each(r.answerPolicy)
}

// answerPolicy answers requests, lines of name=value that an empty line ends.
func (r *Receiver) answerPolicy(c net.Conn) {
	in := bufio.NewReaderSize(c, maxPolicyLine)
	for {
		var recipient, request string
		for lines := 0; ; lines++ {
			_ = c.SetDeadline(time.Now().Add(or(r.Timeout, 5*time.Minute)))
			l, err := in.ReadSlice('\n')
			if err != nil || lines > maxPolicyLines {
				return
			}
			name, value, _ := strings.Cut(strings.TrimRight(string(l), "\r\n"), "=")
			if name == "" && value == "" {
				break
			}
			switch name {
			case "recipient":
				recipient = value
			case "request":
				request = value
			}
		}
		if request != "smtpd_access_policy" {
			return
		}
		if _, err := c.Write([]byte("action=" + r.policyAction(recipient) + "\n\n")); err != nil {
			return
		}
	}
}

// policyAction is the access(5) action for a recipient.
func (r *Receiver) policyAction(recipient string) string {
	i := strings.LastIndexByte(recipient, '@')
	if i < 0 || !r.isOwnDomain(recipient[i+1:]) {
		return "DUNNO"
	}
	d, err := r.destinationOf(recipient)
	if err != nil {
		return "DEFER_IF_PERMIT 4.3.0 Cannot decide about this address"
	}
	if d.use != useNone {
		return "DUNNO"
	}
	refused := refusal(d.verdict)
	return fmt.Sprintf("%d %s %s", refused.code, refused.status, refused.text)
}

package bounce

import (
	"errors"
	"io"
	"strings"
)

// Parse reads one message, of which it takes the first MiB, and reports what
// it says. Lines may end with LF, CRLF or CR.
//
// There is a Report for whatever can be read, be it only that it is
// NotABounce. The error is that of r.
func Parse(r io.Reader) (*Report, error) { return Parser{}.Parse(r) }

// Parser parses with knowledge of the sender's setup. The zero value knows
// nothing. It is safe for concurrent use.
type Parser struct {
	// OwnRelays are the names or addresses of the sender's own relays,
	// graveyards above all. A name that starts with a '.' stands for all
	// below it. A refusal by one of them gets the Category OwnRelay: it says
	// nothing about the recipient.
	OwnRelays []string
}

// Parse is as the function Parse.
func (p Parser) Parse(r io.Reader) (*Report, error) {
	if r == nil {
		return nil, errors.New("bounce: Parse needs a reader")
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err != nil {
		return nil, err
	}
	truncated := len(raw) > maxInput
	if truncated {
		raw = raw[:maxInput]
	}
	m := readMessage(normalizeLines(string(raw)), 0)
	report := m.report(0)
	report.Truncated = report.Truncated || truncated || m.truncated
	p.markOwnRelays(report)
	return report, nil
}

// message is a message taken apart.
type message struct {
	header    header
	parts     []part
	truncated bool
}

func readMessage(text string, depth int) *message {
	text = strings.TrimLeft(text, "\n")
	h, body, cut := splitHeader(text)
	w := walker{truncated: cut}
	w.walk(h, body, depth)
	return &message{header: h, parts: w.parts, truncated: w.truncated}
}

// report decides what the message is. depth counts the messages around it.
func (m *message) report(depth int) *Report {
	r := &Report{ReturnPath: m.deliveredTo()}
	switch {
	case m.feedback(r):
	case m.deliveryStatus(r):
	case m.isReceipt():
	case m.ses(r):
	case m.notice(r):
	}
	m.original(r)
	if r.Kind == NotABounce && r.FeedbackType == "" {
		if inner := m.forwarded(depth); inner != nil {
			inner.ReturnPath = r.ReturnPath
			return inner
		}
		if isAutoReply(m.header) || m.isReceipt() {
			r.Kind = AutoReply
		}
	}
	return r
}

// deliveredTo returns the address that the message came to.
func (m *message) deliveredTo() string {
	for _, name := range [...]string{"Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Failed-Recipient-To", "To"} {
		if a := firstAddress(m.header.get(name)); a != "" {
			return a
		}
	}
	return ""
}

// forwarded reports on a bounce that somebody has forwarded as an attachment.
func (m *message) forwarded(depth int) *Report {
	if depth >= maxDepth {
		return nil
	}
	for _, p := range m.parts {
		if p.typ != "message/rfc822" && p.typ != "message/global" {
			continue
		}
		if r := readMessage(p.body, depth+1).report(depth + 1); r.Kind != NotABounce && r.Kind != AutoReply {
			return r
		}
	}
	return nil
}

// original fills in what the message shows of the original mail.
func (m *message) original(r *Report) {
	for _, p := range m.parts {
		if !isEnclosed(p.typ) {
			continue
		}
		fillOriginal(r, enclosedHeader(p.body))
		return
	}
}

func fillOriginal(r *Report, h header) {
	if r.MessageID == "" {
		r.MessageID = h.get("Message-ID")
	}
	o := &r.Original
	if o.ReturnPath == "" {
		o.ReturnPath = firstAddress(h.get("Return-Path"))
	}
	o.ListUnsubscribe = h.get("List-Unsubscribe")
	o.From, o.To = h.get("From"), h.get("To")
	o.Subject = h.decoded("Subject")
}

// isEnclosed reports whether a type is that of the original mail or its header.
func isEnclosed(typ string) bool {
	switch typ {
	case "message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers", "text/rfc822":
		return true
	}
	return false
}

// conclude sets Kind to the gravest recipient's.
func (r *Report) conclude() {
	for i := range r.Recipients {
		r.Kind = max(r.Kind, kindOf(r.Recipients[i].Action))
	}
}

func kindOf(action string) Kind {
	switch action {
	case actionFailed:
		return Failed
	case actionDelayed:
		return Delayed
	case actionDelivered:
		return Delivered
	case actionRelayed:
		return Relayed
	case actionExpanded:
		return Expanded
	}
	return NotABounce
}

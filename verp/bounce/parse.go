package bounce

import (
	"bytes"
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
	raw, truncated, err := readStart(r)
	if err != nil {
		return nil, err
	}
	m := readMessage(normalizeLines(raw), 0)
	report := m.report(0)
	report.Truncated = report.Truncated || truncated || m.truncated
	p.markOwnRelays(report)
	return report, nil
}

// readStart reads what is parsed of a message.
func readStart(r io.Reader) (text string, truncated bool, err error) {
	size := 4 << 10
	if l, ok := r.(interface{ Len() int }); ok { // as bytes.Reader has
		size = min(l.Len(), maxInput) + 1
	}
	b := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	if _, err := b.ReadFrom(io.LimitReader(r, maxInput+1)); err != nil {
		return "", false, err
	}
	return string(b.Bytes()[:min(b.Len(), maxInput)]), b.Len() > maxInput, nil
}

// message is a message taken apart.
type message struct {
	header    header
	parts     []part
	truncated bool
}

func readMessage(text string, depth int) *message {
	h, body, cut := splitHeader(withoutBlankLines(text))
	w := walker{truncated: cut}
	w.walk(h, body, depth)
	return &message{header: h, parts: w.parts, truncated: w.truncated}
}

// withoutBlankLines removes the lines of nothing, or of spaces, that precede a
// header, and the mark that some programs start a file with.
func withoutBlankLines(text string) string {
	for {
		text = strings.TrimPrefix(text, "\ufeff")
		l, next := line(text, 0)
		if next == 0 || strings.TrimSpace(l) != "" {
			return text
		}
		text = text[next:]
	}
}

// report decides what the message is. depth counts the messages around it.
func (m *message) report(depth int) *Report {
	r := &Report{ReturnPath: m.deliveredTo()}
	switch {
	case m.feedback(r):
	case m.deliveryStatus(r):
	case m.nested(r, depth):
		return r
	case m.isReceipt():
	case m.unsubscribe(r):
	case m.ses(r):
	case m.notice(r):
	}
	m.original(r)
	if r.Kind == NotABounce && r.FeedbackType == "" {
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

// nested fills r from a bounce that the message encloses, and reports whether
// there is one: somebody has forwarded it, or could not deliver it. It says more
// than what is around it.
func (m *message) nested(r *Report, depth int) bool {
	if depth >= maxDepth {
		return false
	}
	for _, p := range m.parts {
		if p.typ != "message/rfc822" && p.typ != "message/global" || !mayBeBounce(enclosedHeader(p.body)) {
			continue
		}
		inner := readMessage(p.body, depth+1).report(depth + 1)
		if len(inner.Recipients) > 0 && inner.Kind >= Complaint {
			inner.ReturnPath = r.ReturnPath
			*r = *inner
			return true
		}
	}
	return false
}

// mayBeBounce reports whether a mail with this header is worth a look.
func mayBeBounce(h header) bool {
	typ, _ := mediaType(h.get("Content-Type"), "boundary")
	return typ == "multipart/report" || h.has("X-Failed-Recipients") || fromDaemon(h) ||
		containsAny(foldText(h.decoded("Subject")), noticeSubjects)
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

// conclude sets Kind to the gravest recipient's, and leaves out those without an
// address: the return path may name them.
func (r *Report) conclude() {
	kept := r.Recipients[:0]
	for _, x := range r.Recipients {
		r.Kind = max(r.Kind, kindOf(x.Action))
		if x.Address != "" {
			kept = append(kept, x)
		}
	}
	r.Recipients = kept
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

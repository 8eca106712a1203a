package bounce

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
	"github.com/mxsend/go-mxsend/verp"
)

// use says what an address is for.
type use uint8

const (
	useNone       use = iota // refused
	useReturnPath            // signed by a Codec
	useFeedback
	usePlain // Accept said yes
	useHuman // postmaster@, abuse@
)

// destination is an accepted RCPT TO.
type destination struct {
	address string
	use     use
	token   verp.Token
	verdict Verdict
}

// destinationOf decides about an address. The verdict tells why one is refused;
// the error is that Accept has panicked.
func (r *Receiver) destinationOf(address string) (d destination, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("bounce: Accept panicked: %v", p)
			r.logger().Error("bounce: cannot decide about an address", "error", err)
		}
	}()
	d = destination{address: address, verdict: Foreign}
	for _, f := range r.Feedback {
		if strings.EqualFold(f, address) {
			d.use, d.verdict = useFeedback, Unverified
		}
	}
	if r.isHuman(address) {
		d.use, d.verdict = useHuman, Unverified
	}
	if d.use != useNone {
		return d, nil
	}
	d.token, d.verdict = decode(r.codecs(), address)
	if d.verdict == Valid || d.verdict == Expired {
		d.use = useReturnPath
		return d, nil
	}
	if d.verdict != Forged && r.Accept != nil && r.Accept(address) {
		d.use, d.verdict = usePlain, Unverified
	}
	return d, nil
}

// codecs lists all that verify return paths.
func (r *Receiver) codecs() []*verp.Codec {
	if r.Codec == nil {
		return r.Codecs
	}
	return append([]*verp.Codec{r.Codec}, r.Codecs...)
}

// decode asks each codec. A genuine token wins over an expired one, that over a
// forged one, and that over none at all.
func decode(codecs []*verp.Codec, address string) (verp.Token, Verdict) {
	var token verp.Token
	verdict := Foreign
	for _, c := range codecs {
		t, err := c.Decode(address)
		switch v := verdictOf(err); v {
		case Valid:
			return t, Valid
		case Expired:
			token, verdict = t, Expired
		case Forged:
			if verdict == Foreign {
				verdict = Forged
			}
		}
	}
	return token, verdict
}

// isHuman: RFC 5321 §4.5.1 demands postmaster, RFC 2142 §2 abuse.
func (r *Receiver) isHuman(address string) bool {
	local, domain, ok := strings.Cut(address, "@")
	if !ok {
		return strings.EqualFold(address, "postmaster")
	}
	return (strings.EqualFold(local, "postmaster") || strings.EqualFold(local, "abuse")) && r.isOwnDomain(domain)
}

// isOwnDomain reports whether this Receiver answers for a domain.
func (r *Receiver) isOwnDomain(domain string) bool {
	domain = strings.TrimSuffix(domain, ".")
	for _, c := range r.codecs() {
		if strings.EqualFold(domain, c.Domain()) {
			return true
		}
	}
	for _, f := range r.Feedback {
		if _, d, ok := strings.Cut(f, "@"); ok && strings.EqualFold(domain, d) {
			return true
		}
	}
	return false
}

// refusal is the reply to a RCPT TO that is not accepted.
func refusal(v Verdict) reply {
	if v == Forged {
		return reply{550, "5.7.1", "This return path was not issued here"}
	}
	return reply{550, "5.1.1", "No such address here"}
}

// deliver hands a message, or its start, on for each destination and returns the
// replies.
func (r *Receiver) deliver(t transaction, content smtpwire.ServerContent) []reply {
	raw := content.Octets
	var report *Report
	answers := make([]reply, len(t.destinations))
	for i, d := range t.destinations {
		if d.use != useHuman && report == nil {
			report = r.parse(raw)
			report.Truncated = report.Truncated || content.Over
		}
		answers[i] = r.deliverTo(d, t.from, raw, report)
	}
	return answers
}

func (r *Receiver) parse(raw []byte) *Report {
	report, err := Parser{OwnRelays: r.OwnRelays}.Parse(bytes.NewReader(raw))
	if err != nil { // that of a reader, and this one has none
		return new(Report)
	}
	return report
}

// deliverTo hands the event to Handle and turns its error, or a panic, into 451.
func (r *Receiver) deliverTo(d destination, from string, raw []byte, report *Report) reply {
	e := Event{Token: d.token, Verdict: d.verdict, Recipient: d.address, Sender: from, Raw: raw[:min(len(raw), maxInput)]}
	if d.use == useHuman {
		e.Raw = raw
	} else {
		e.Report = report
	}
	if d.use == useFeedback {
		e.Token, e.Verdict = join(r.codecs(), report)
	}
	e.Key = eventKey(&e)
	if err := r.handle(e); err != nil {
		r.logger().Error("bounce: Handle failed, the message stays with its sender", "error", err, "verdict", e.Verdict.String(), "key", e.Key)
		return reply{451, "4.3.0", "Not processed, try again later"}
	}
	return replyOK
}

func (r *Receiver) handle(e Event) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("bounce: Handle panicked: %v", p)
		}
	}()
	r.mu.Lock()
	ctx := r.ctx
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, or(r.HandleTimeout, time.Minute))
	defer cancel()
	return r.Handle(ctx, e)
}

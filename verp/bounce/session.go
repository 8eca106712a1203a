package bounce

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/mxsend/go-mxsend/verp"
)

// use says what an address is for.
type use uint8

const (
	useNone       use = iota // refused
	useReturnPath            // signed by the Codec
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

// destinationOf decides about an address. The verdict tells why one is refused.
func (r *Receiver) destinationOf(address string) destination {
	d := destination{address: address, verdict: Foreign}
	for _, f := range r.Feedback {
		if strings.EqualFold(f, address) {
			d.use, d.verdict = useFeedback, Unverified
		}
	}
	if r.isHuman(address) {
		d.use, d.verdict = useHuman, Unverified
	}
	if d.use != useNone {
		return d
	}
	if r.Codec != nil {
		token, err := r.Codec.Decode(address)
		d.token, d.verdict = token, verdictOf(err)
		if d.verdict == Valid || d.verdict == Expired {
			d.use = useReturnPath
			return d
		}
	}
	if d.verdict != Forged && r.Accept != nil && r.Accept(address) {
		d.use, d.verdict = usePlain, Unverified
	}
	return d
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
	if r.Codec != nil && strings.EqualFold(domain, r.Codec.Domain()) {
		return true
	}
	for _, f := range r.Feedback {
		if _, d, ok := strings.Cut(f, "@"); ok && strings.EqualFold(domain, d) {
			return true
		}
	}
	return false
}

// refusal is the reply to a RCPT TO that is not accepted.
func refusal(v Verdict) *smtp.SMTPError {
	if v == Forged {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "This return path was not issued here"}
	}
	return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such address here"}
}

// session is one connection's state.
type session struct {
	receiver     *Receiver
	from         string
	destinations []destination
}

func (s *session) Reset()        { s.from, s.destinations = "", nil }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	d := s.receiver.destinationOf(to)
	if d.use == useNone {
		return refusal(d.verdict)
	}
	s.destinations = append(s.destinations, d)
	return nil
}

// Data takes a message over SMTP, where one reply stands for all recipients:
// a failure for one makes the sender repeat it for all, which Event.Key tells.
func (s *session) Data(r io.Reader) error {
	raw, report, err := s.read(r)
	if err != nil {
		return err
	}
	var failed error
	for _, d := range s.destinations {
		if err := s.deliver(d, raw, report); err != nil {
			failed = err
		}
	}
	return failed
}

// LMTPData takes a message over LMTP, with a reply for each recipient.
func (s *session) LMTPData(r io.Reader, status smtp.StatusCollector) error {
	raw, report, err := s.read(r)
	if err != nil {
		return err
	}
	for _, d := range s.destinations {
		status.SetStatus(d.address, s.deliver(d, raw, report))
	}
	return nil
}

// read takes the message, and parses it where a destination needs that. The
// size is limited by the server; of bounces no more is kept than is parsed.
func (s *session) read(r io.Reader) (raw []byte, report *Report, err error) {
	keep := int64(maxInput)
	parse := false
	for _, d := range s.destinations {
		if d.use == useHuman {
			keep = or(s.receiver.MaxSize, 32<<20)
		} else {
			parse = true
		}
	}
	var buf bytes.Buffer
	if _, err := io.Copy(&buf, io.LimitReader(r, keep)); err != nil {
		return nil, nil, err
	}
	rest, err := io.Copy(io.Discard, r)
	if err != nil {
		return nil, nil, err
	}
	if parse {
		report, err = Parser{OwnRelays: s.receiver.OwnRelays}.Parse(bytes.NewReader(buf.Bytes()))
		if err != nil {
			return nil, nil, err
		}
		report.Truncated = report.Truncated || rest > 0
	}
	return buf.Bytes(), report, nil
}

// deliver hands the event to Handle and turns its error, or a panic, into 451.
func (s *session) deliver(d destination, raw []byte, report *Report) error {
	e := Event{Token: d.token, Verdict: d.verdict, Recipient: d.address, Sender: s.from, Raw: raw}
	if d.use != useHuman {
		e.Report = report
	}
	if d.use == useFeedback {
		e.Token, e.Verdict = join(s.receiver.Codec, report)
	}
	e.Key = eventKey(&e)
	if err := s.handle(e); err != nil {
		s.receiver.logger().Error("bounce: Handle failed, the message stays with its sender", "verdict", e.Verdict.String(), "key", e.Key)
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Not processed, try again later"}
	}
	return nil
}

func (s *session) handle(e Event) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("bounce: Handle panicked")
		}
	}()
	r := s.receiver
	r.mu.Lock()
	ctx := r.ctx
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, or(r.HandleTimeout, time.Minute))
	defer cancel()
	return r.Handle(ctx, e)
}

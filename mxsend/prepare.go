package mxsend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// newEntry makes an entry of a message that nothing is known of yet.
func (c *Client) newEntry(m *Message, lane Lane) *entry {
	e := c.entries.Get().(*entry)
	e.msg, e.lane = m, m.lane(lane)
	if m == nil {
		e.msg = &Message{}
		return e
	}
	e.addRecipients(m.Recipients)
	e.receipt.Ref = m.Ref
	return e
}

// prepare makes an entry of a message: everything that can be known about it
// without a relay is checked here, and it is signed. Recipients that it cannot
// be sent to have their outcome already.
func (c *Client) prepare(ctx context.Context, m *Message, lane Lane) *entry {
	e := c.newEntry(m, lane)
	if m == nil {
		return e.refuse(errors.New("message is nil"))
	}
	if m.Lane > Bulk {
		return e.refuse(fmt.Errorf("lane %d is none of the lanes", m.Lane))
	}
	var err error
	if e.returnPath, err = parseReturnPath(m.ReturnPath); err != nil {
		return e.refuse(fmt.Errorf("return path: %w", err))
	}
	if err := m.DSN.validate(); err != nil {
		return e.refuse(err)
	}
	if err := c.prepareContent(ctx, e); err != nil {
		return e.refuse(err)
	}
	if e.returnPath.Local() != "" && !isASCII(e.returnPath.Local()) {
		e.ownNeed |= needSMTPUTF8
	}
	if m.RequireTLS {
		e.ownNeed |= needRequireTLS
	}
	c.prepareRecipients(e)
	return e
}

func (c *Client) prepareContent(ctx context.Context, e *entry) error {
	m := e.msg
	if len(m.Content) == 0 {
		return errors.New("content is empty; it must be a complete message with its header")
	}
	info, err := smtpwire.CheckContent(m.Content)
	if err != nil {
		return err
	}
	e.content = m.Content
	if info.BareLF {
		e.content = smtpwire.ToCRLF(m.Content)
	}
	if err := checkFrom(e.content); err != nil {
		return err
	}
	signer := m.Signer
	if signer == nil {
		signer = c.cfg.Signer
	}
	if signer != nil {
		if e.header, err = sign(ctx, signer, e.content); err != nil {
			return &signError{err}
		}
		signed, err := smtpwire.CheckContent(e.header)
		if err != nil || signed.BareLF || len(e.header) > 0 && e.header[len(e.header)-1] != '\n' {
			return errors.New("sign: the signer returned no header field with CRLF line ends")
		}
		info.EightBit = info.EightBit || signed.EightBit
		info.Dots = info.Dots || signed.Dots
	}
	e.size = int64(len(e.header) + len(e.content))
	e.dots = info.Dots
	if info.EightBit {
		e.ownNeed |= needEightBitMIME
	}
	return nil
}

// A signError is a Signer's.
type signError struct{ err error }

func (e *signError) Error() string { return "sign: " + e.err.Error() }
func (e *signError) Unwrap() error { return e.err }

// Permanent says whether signing the same message again would fail again.
func (e *signError) Permanent() bool {
	var p interface{ Permanent() bool }
	return errors.As(e.err, &p) && p.Permanent()
}

// sign calls the signer; a panic in it costs that message and nothing else.
func sign(ctx context.Context, s Signer, content []byte) (header []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the signer panicked: %T", p)
		}
	}()
	return s.Sign(ctx, content)
}

func (c *Client) prepareRecipients(e *entry) {
	reject := func(i int, err error) {
		e.settle(i, &Error{Outcome: Rejected, Stage: StageLocal, Err: err}, "")
	}
	for i, address := range e.msg.Recipients {
		mailbox, err := parseAddress(address)
		switch {
		case err != nil:
			reject(i, fmt.Errorf("%w: recipient %d: %w", ErrInvalidMessage, i+1, err))
		case len(e.msg.Recipients) > 1 && slices.Contains(e.msg.Recipients[:i], address):
			reject(i, fmt.Errorf("%w: recipient %d is named twice", ErrInvalidMessage, i+1))
		case c.cfg.AllowRecipient != nil && !c.allowed(address):
			reject(i, fmt.Errorf("recipient %d: %w", i+1, ErrNotAllowed))
		default:
			e.rcpts[i].mailbox = mailbox
		}
	}
}

func (c *Client) allowed(address string) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			c.protect(func() { c.cfg.Logger.Error("Config.AllowRecipient panicked", "panic", fmt.Sprintf("%T", p)) })
			ok = false
		}
	}()
	return c.cfg.AllowRecipient(address)
}

func parseReturnPath(address string) (smtpwire.Mailbox, error) {
	switch address {
	case "<>":
		return smtpwire.Mailbox{}, nil
	case "":
		return smtpwire.Mailbox{}, errors.New(`Message.ReturnPath is empty: set it to where bounces shall go, or to "<>"`)
	}
	return parseAddress(address)
}

// parseAddress checks an address and writes a domain outside ASCII as A-labels
// (RFC 5891), so that only a local part outside ASCII needs SMTPUTF8.
func parseAddress(address string) (smtpwire.Mailbox, error) {
	m, err := smtpwire.ParseMailbox(address)
	if err != nil || !m.NonASCII() || isASCII(m.Domain()) {
		return m, err
	}
	domain, err := idna.Lookup.ToASCII(m.Domain())
	if err != nil {
		return smtpwire.Mailbox{}, errors.New("address with a domain that is no valid internationalised name")
	}
	return smtpwire.ParseMailbox(m.Local() + "@" + domain)
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func (d *DSN) validate() error {
	switch d.Return {
	case "", "HDRS", "FULL":
	default:
		return fmt.Errorf("Message.DSN.Return %q is neither HDRS nor FULL", d.Return)
	}
	if len(d.EnvelopeID) > 100 {
		return fmt.Errorf("Message.DSN.EnvelopeID has %d octets; at most 100 are allowed", len(d.EnvelopeID))
	}
	if strings.ContainsFunc(d.EnvelopeID, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("Message.DSN.EnvelopeID has a character outside printable ASCII")
	}
	if !validNotify(d.Notify) {
		return fmt.Errorf("Message.DSN.Notify %q is neither NEVER nor a list of SUCCESS, FAILURE and DELAY", d.Notify)
	}
	return nil
}

func validNotify(notify string) bool {
	if notify == "" || notify == "NEVER" {
		return true
	}
	for _, word := range strings.Split(notify, ",") {
		if word != "SUCCESS" && word != "FAILURE" && word != "DELAY" {
			return false
		}
	}
	return true
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// checkFrom wants the one field that every message must have, once (RFC 5322
// §3.6), in a header that is one.
func checkFrom(content []byte) error {
	seen := 0
	for number := 1; len(content) > 0; number++ {
		line, rest, _ := bytes.Cut(content, []byte("\n"))
		content = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			break
		}
		if isBlank(line[0]) {
			if number == 1 {
				return errors.New("line 1 of the content is a continuation; the header is missing")
			}
			continue
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 {
			return fmt.Errorf("line %d of the content is no header field, and no empty line came before it", number)
		}
		name := line[:colon]
		for len(name) > 0 && isBlank(name[len(name)-1]) {
			name = name[:len(name)-1]
		}
		if slices.ContainsFunc(name, isBlank) {
			return fmt.Errorf("line %d of the content is no header field (an mbox separator?)", number)
		}
		if len(name) == 4 && bytes.EqualFold(name, []byte("From")) {
			seen++
		}
	}
	switch seen {
	case 0:
		return errors.New("the content has no From field")
	case 1:
		return nil
	}
	return fmt.Errorf("the content has %d From fields; exactly one is allowed", seen)
}

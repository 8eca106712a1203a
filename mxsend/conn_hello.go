package mxsend

import (
	"errors"
	"fmt"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpsession"
	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// reach notes what opening the connection has come to, for those who wait for it
// no longer.
func (c *conn) reach(s Stage) { c.stage.Store(uint32(s)) }

// takeRefusal says QUIT to a relay that refused the session, which RFC 5321 §3.1
// has it wait for. Nobody waits for its answer.
func (c *conn) takeRefusal(r Reply) {
	if r.Code >= 400 && r.Code != 421 {
		_ = c.raw.SetDeadline(time.Now().Add(smtpsession.LastWords))
		_, _ = c.nc.Write([]byte("QUIT\r\n"))
	}
}

// ask sends a command, if there is one, and reads its reply, both within a time.
func (c *conn) ask(stage Stage, command string, within time.Duration) (smtpwire.Reply, *Error) {
	c.reach(stage)
	_ = c.raw.SetDeadline(time.Now().Add(within))
	if command != "" {
		if _, err := c.nc.Write([]byte(command)); err != nil {
			// What the relay said last is more telling than that it closed.
			if r, rerr := c.replies.Next(); rerr == nil {
				return r, refusal(stage, r)
			}
			return smtpwire.Reply{}, &Error{Stage: stage, Err: err}
		}
	}
	r, err := c.replies.Next()
	if err != nil {
		var partial Reply
		if p := c.replies.Partial(); p != "" {
			partial.Text = p
		}
		return r, &Error{Stage: stage, Reply: partial, Err: err}
	}
	return r, nil
}

func refusal(stage Stage, r smtpwire.Reply) *Error {
	return &Error{Stage: stage, Reply: newReply(smtpsession.Keep(r))}
}

func (c *conn) greet() *Error {
	connected := time.Now()
	r, failure := c.ask(StageGreeting, "", c.client.cfg.Limits.Greeting)
	c.greeted = time.Since(connected)
	switch {
	case failure != nil && r.Code >= 400:
		// "220-" first and then a refusal, as postscreen has it: RFC 5321 does not
		// know that, but it says more than that it breaks the protocol.
	case failure != nil:
		if errors.Is(failure.Err, smtpwire.ErrProtocol) {
			failure.Err = fmt.Errorf("what answers there speaks no SMTP; check the relay's address and Config.Port: %w", failure.Err)
		}
		return failure
	case r.Code == 220:
		return nil
	}
	failure = refusal(StageGreeting, r)
	if r.Permanent() {
		failure.Err = ErrRelayRefused
	}
	return failure
}

// hello says EHLO, and HELO to a relay that does not know it where nothing that
// needs an extension is asked for (RFC 5321 §3.2).
func (c *conn) hello() *Error {
	cfg := &c.client.cfg
	r, failure := c.ask(StageHello, "EHLO "+cfg.LocalName+"\r\n", cfg.Limits.Reply)
	if failure != nil {
		return failure
	}
	if r.Code == 250 {
		c.extensions = smtpwire.ParseExtensions(r.Text)
		return nil
	}
	plain := cfg.TLS == TLSDisabled || cfg.TLS == TLSOpportunistic || c.secured
	if (r.Code == 500 || r.Code == 502) && plain && cfg.Auth == nil {
		c.extensions = smtpwire.Extensions{}
		if r, failure = c.ask(StageHello, "HELO "+cfg.LocalName+"\r\n", cfg.Limits.Reply); failure != nil {
			return failure
		}
		if r.Code == 250 {
			return nil
		}
	}
	failure = refusal(StageHello, r)
	switch {
	case r.Positive(): // RFC 5321 §4.1.1.1: 250, and no other
		failure.Err = fmt.Errorf("%w: reply %d at %v", smtpwire.ErrProtocol, r.Code, StageHello)
	case r.Permanent() && r.Code != 500 && r.Code != 502:
		failure.Err = helloCause(smtpsession.Keep(r))
	}
	return failure
}

// helloCause is what would mend a refusal of EHLO: what does not say whom it is about
// is about its argument.
func helloCause(r smtpsession.Reply) error {
	p := about(StageHello, r)
	if p == aboutUnknown {
		p = aboutHello
	}
	return remedies[p]
}

package mxsend

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// open connects, and leaves the connection ready for its first transaction:
// greeting, EHLO, TLS, EHLO anew, AUTH. On an error nothing is left open, nor is
// when ctx ends meanwhile.
func (c *conn) open(ctx context.Context) (failure *Error) {
	defer func() {
		if failure != nil {
			failure.Outcome, failure.Relay = Deferred, c.relay.name
			if c.raw != nil {
				c.takeRefusal(failure.Reply)
				_ = c.raw.Close()
			}
		}
	}()
	c.reach(StageConnect)
	if failure := c.connect(ctx); failure != nil {
		return failure
	}
	c.reach(StageTLS)
	// Who gives up does not wait for the relay.
	stop := context.AfterFunc(ctx, func() { _ = c.raw.Close() })
	defer stop()
	cfg := &c.client.cfg
	if cfg.TLS == TLSImplicit {
		if failure := c.handshake(ctx); failure != nil {
			return failure
		}
	}
	c.replies = smtpwire.NewReplyReader(c.nc)
	if failure := c.greet(); failure != nil {
		return failure
	}
	if failure := c.hello(); failure != nil {
		return failure
	}
	if cfg.TLS == TLSRequired || cfg.TLS == TLSOpportunistic {
		if failure := c.startTLS(ctx); failure != nil {
			return failure
		}
	}
	if failure := c.authenticate(); failure != nil {
		return failure
	}
	_ = c.raw.SetDeadline(time.Time{})
	c.out.init(c.nc, c.beforeChunk, c.cancelled.Load)
	return nil
}

// reach notes what opening the connection has come to, for those who wait for it
// no longer.
func (c *conn) reach(s Stage) { c.stage.Store(uint32(s)) }

// takeRefusal says QUIT to a relay that refused the session, which RFC 5321 §3.1
// has it wait for. Nobody waits for its answer.
func (c *conn) takeRefusal(r Reply) {
	if r.Code >= 400 && r.Code != 421 {
		_ = c.raw.SetDeadline(time.Now().Add(lastWords))
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
	return &Error{Stage: stage, Reply: newReply(r.Code, r.Enhanced, r.Text)}
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
		failure.Err = errUnexpected(StageHello, r)
	case r.Permanent() && r.Code != 500 && r.Code != 502:
		failure.Err = helloCause(codeOf(r), failure.Reply.Text)
	}
	return failure
}

// helloCause is what would mend a refusal of EHLO: what does not say whom it is about
// is about its argument.
func helloCause(r replyCode, text string) error {
	p := about(StageHello, r, text)
	if p == aboutUnknown {
		p = aboutHello
	}
	return remedies[p]
}

// startTLS secures the connection (RFC 3207) or fails: in clear it goes on only
// under TLSOpportunistic, where the relay does not offer STARTTLS or refuses it.
func (c *conn) startTLS(ctx context.Context) *Error {
	cfg := &c.client.cfg
	if !c.extensions.StartTLS {
		if cfg.TLS == TLSOpportunistic {
			return nil
		}
		return &Error{Stage: StageTLS, Err: ErrTLSRequired}
	}
	r, failure := c.ask(StageTLS, "STARTTLS\r\n", cfg.Limits.Reply)
	if failure != nil {
		return failure
	}
	if r.Code != 220 {
		if cfg.TLS == TLSOpportunistic && r.Code != 421 && !r.Positive() {
			return nil
		}
		failure = refusal(StageTLS, r)
		failure.Err = ErrTLSRequired
		return failure
	}
	if c.replies.Buffered() > 0 {
		// RFC 3207 §4.2, §5: octets in clear behind the 220 would be taken for
		// the relay's after the handshake.
		return &Error{Stage: StageTLS, Err: fmt.Errorf("%w: octets in clear after the reply to STARTTLS", smtpwire.ErrProtocol)}
	}
	if failure := c.handshake(ctx); failure != nil {
		return failure
	}
	c.replies.Reset(c.nc)
	c.extensions = smtpwire.Extensions{}
	return c.hello()
}

func (c *conn) handshake(ctx context.Context) (failure *Error) {
	defer func() {
		if p := recover(); p != nil {
			failure = &Error{Stage: StageTLS, Err: fmt.Errorf("a function of Config.TLSConfig panicked: %T", p)}
		}
	}()
	config, err := c.tlsConfig()
	if err != nil {
		return &Error{Stage: StageTLS, Err: err}
	}
	_ = c.raw.SetDeadline(time.Now().Add(c.client.cfg.Limits.Connect))
	secured := tls.Client(c.raw, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		var verify *tls.CertificateVerificationError
		var host x509.HostnameError
		var authority x509.UnknownAuthorityError
		if errors.As(err, &verify) || errors.As(err, &host) || errors.As(err, &authority) {
			err = distrust(err)
		}
		return &Error{Stage: StageTLS, Err: err}
	}
	c.nc, c.tls, c.secured = guarded{secured}, secured, true
	return nil
}

func (c *conn) tlsConfig() (*tls.Config, error) {
	cfg := &c.client.cfg
	config := cfg.TLSConfig.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	if config.MinVersion == 0 {
		config.MinVersion = tls.VersionTLS12 // RFC 8996
	}
	if config.ServerName == "" {
		config.ServerName = c.relay.name
		if cfg.TLS != TLSOpportunistic && !config.InsecureSkipVerify && !mayBear(c.relay.name, c.relay.pool.domain, cfg.RelayNames) {
			return nil, fmt.Errorf("%w: the MX record names %q, which is not within Config.RelayNames or, where that is nil, the mail domain", ErrTLSVerify, c.relay.name)
		}
	}
	if cfg.TLS == TLSOpportunistic {
		config.InsecureSkipVerify = true
	}
	// What the user's own checks refuse is a matter of trust as well.
	if verify := config.VerifyConnection; verify != nil {
		config.VerifyConnection = func(state tls.ConnectionState) error { return distrust(verify(state)) }
	}
	if verify := config.VerifyPeerCertificate; verify != nil {
		config.VerifyPeerCertificate = func(raw [][]byte, chains [][]*x509.Certificate) error {
			return distrust(verify(raw, chains))
		}
	}
	return config, nil
}

func distrust(err error) error {
	if err == nil {
		return nil
	}
	return &distrustError{err}
}

// A distrustError is an ErrTLSVerify that says what mends it.
type distrustError struct{ err error }

func (e *distrustError) Error() string {
	var invalid x509.CertificateInvalidError
	if errors.As(e.err, &invalid) && invalid.Reason == x509.Expired {
		return "the relay's certificate has expired, or is not valid yet; renew it on the relay (Config.TLSConfig needs no change), or set this machine's clock: " + e.err.Error()
	}
	return ErrTLSVerify.Error() + ": " + e.err.Error()
}

func (e *distrustError) Is(target error) bool { return target == ErrTLSVerify }
func (e *distrustError) Unwrap() error        { return e.err }

// mayBear says whether a relay found in unsigned DNS may bear that name. The
// names of StaticRelays without a domain are the caller's own.
func mayBear(name, domain string, patterns []string) bool {
	if patterns == nil {
		domain = canonicalHost(domain)
		return domain == "" || name == domain || strings.HasSuffix(name, "."+domain)
	}
	for _, p := range patterns {
		p = canonicalHost(p)
		if p == name {
			return true
		}
		if rest, ok := strings.CutPrefix(p, "*."); ok {
			if label, parent, _ := strings.Cut(name, "."); label != "" && parent == rest {
				return true
			}
		}
	}
	return false
}

// authenticate runs the SASL exchange of Config.Auth (RFC 4954).
func (c *conn) authenticate() (failure *Error) {
	cfg := &c.client.cfg
	if cfg.Auth == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			failure = &Error{Stage: StageAuth, Err: fmt.Errorf("Config.Auth panicked: %T", p)}
		}
	}()
	failed := func(err error) *Error { return &Error{Stage: StageAuth, Err: err} }
	if !c.secured {
		return failed(errors.New("credentials are sent over verified TLS only"))
	}
	client := cfg.Auth()
	mechanism, response, err := client.Start()
	if err != nil {
		return failed(fmt.Errorf("Config.Auth: %w", err))
	}
	if !c.extensions.OffersAuth(strings.ToUpper(mechanism)) {
		return failed(fmt.Errorf("the relay does not offer AUTH %s, the mechanism of Config.Auth; it offers %s", mechanism, c.offeredAuth()))
	}
	command := "AUTH " + mechanism
	if response != nil {
		// RFC 4954 §4: "=" is an empty initial response.
		if encoded := base64.StdEncoding.EncodeToString(response); encoded != "" {
			command += " " + encoded
		} else {
			command += " ="
		}
	}
	for {
		r, failure := c.ask(StageAuth, command+"\r\n", cfg.Limits.Reply)
		switch {
		case failure != nil:
			return failure
		case r.Code == 235:
			return nil
		case r.Code != 334:
			failure = refusal(StageAuth, r)
			if r.Permanent() {
				failure.Err = fmt.Errorf("%w: the credential of Config.Auth", ErrRelayRefused)
			}
			return failure
		}
		challenge, err := base64.StdEncoding.DecodeString(string(r.Text))
		if err == nil {
			response, err = client.Next(challenge)
		}
		if err != nil {
			_, _ = c.ask(StageAuth, "*\r\n", cfg.Limits.Reply)
			return failed(fmt.Errorf("the SASL exchange of Config.Auth failed: %w", err))
		}
		command = base64.StdEncoding.EncodeToString(response)
	}
}

// offeredAuth is what the relay offers instead.
func (c *conn) offeredAuth() string {
	if len(c.extensions.Auth) == 0 {
		return "none"
	}
	const most = 200
	offered := strings.Join(c.extensions.Auth, " ")
	return strconv.Quote(offered[:min(len(offered), most)])
}

package mxsend

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

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

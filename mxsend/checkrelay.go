package mxsend

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// certificateWarning is how long before a certificate's end a warning is due.
const certificateWarning = 21 * 24 * time.Hour

// A probe is an address of a relay to be tried.
type probe struct {
	pool    poolKey
	host    Host
	address netip.Addr
	drained bool // weight 0: what fails there harms nobody
}

// checkRelay opens a connection to one address of a relay by the code that
// sending opens them with, says QUIT, and tells how far it got.
func (c *Client) checkRelay(ctx context.Context, p probe) []Finding {
	port := p.host.Port
	setDefault(&port, p.pool.port)
	// The relay of the check is on nobody's books: what happens here has no
	// effect on sending.
	r := &relay{pool: &pool{poolKey: p.pool}, name: canonicalHost(p.host.Name), addresses: []netip.Addr{p.address}, port: port}
	cn := &conn{client: c, relay: r, opening: time.Now()}
	limited, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	failure := cn.open(limited)
	took := time.Since(cn.opening)
	if failure == nil {
		cn.takeLeave()
	} else if limited.Err() != nil && ctx.Err() == nil {
		failure.Err = fmt.Errorf("no answer within %v", probeTime)
	}
	subject := r.name
	if endpoint := netip.AddrPortFrom(p.address, uint16(port)).String(); subject == p.address.String() {
		subject = endpoint
	} else {
		subject += " " + endpoint
	}
	lines := cn.checkLines(failure, took)
	for i := range lines {
		l := &lines[i]
		l.Subject = subject
		if p.drained && l.Severity == SeverityError {
			l.Severity, l.Found = SeverityWarning, l.Found+" (it is drained: its weight is 0)"
		}
	}
	return lines
}

// takeLeave says QUIT and closes.
func (c *conn) takeLeave() {
	_, _ = c.ask(StageHello, "QUIT\r\n", time.Second)
	_ = c.raw.Close()
}

// checkLines tells what became of open, stage by stage as far as it got.
func (c *conn) checkLines(failure *Error, took time.Duration) (lines []Finding) {
	failedAt := func(stages ...Stage) bool {
		for _, s := range stages {
			if failure != nil && failure.Stage == s {
				return true
			}
		}
		return false
	}
	policy := c.client.cfg.TLS
	switch {
	case failedAt(StageConnect, StageGreeting, StageHello):
		lines = append(lines, Finding{Severity: SeverityError, Topic: TopicRelay, Found: foundAt(failure), Advice: relayAdvice(failure)})
	case failedAt(StageTLS) && policy == TLSImplicit:
		lines = append(lines, Finding{Topic: TopicRelay, Found: "accepts connections"})
	case failure != nil:
		lines = append(lines, Finding{Topic: TopicRelay, Found: "answers"})
	default:
		lines = append(lines, Finding{Topic: TopicRelay, Found: fmt.Sprintf("answers, and is ready for mail after %v", roughly(took))})
	}
	switch {
	case failedAt(StageTLS):
		return append(lines, Finding{Severity: SeverityError, Topic: TopicTLS, Found: foundAt(failure), Advice: tlsAdvice(failure, policy)})
	case c.secured:
		lines = append(lines, c.checkCertificate(c.tls.ConnectionState(), time.Now()))
	case !failedAt(StageConnect, StageGreeting, StageHello):
		lines = append(lines, Finding{Severity: SeverityWarning, Topic: TopicTLS, Found: "in clear: whoever is on the way can read and change mail",
			Advice: "let the relay offer STARTTLS and set Config.TLS to mxsend.TLSRequired"})
	}
	if failedAt(StageConnect, StageGreeting, StageHello) {
		return lines
	}
	lines = append(lines, c.checkExtensions())
	switch {
	case failedAt(StageAuth):
		lines = append(lines, Finding{Severity: SeverityError, Topic: TopicAuth, Found: foundAt(failure),
			Advice: "check the credential and the mechanism of Config.Auth, and the relay's SASL configuration"})
	case c.client.cfg.Auth != nil:
		lines = append(lines, Finding{Topic: TopicAuth, Found: "the credential of Config.Auth is accepted"})
	}
	return lines
}

// foundAt says what went wrong and where, without the outcome, which is of mail,
// and without the advice that the sentinels carry.
func foundAt(e *Error) string {
	s := "failed at " + e.Stage.String()
	if e.Reply.Code != 0 {
		s += ": " + e.Reply.String()
	}
	var verify *tls.CertificateVerificationError
	switch {
	case errors.As(e.Err, &verify):
		return s + ": " + oneLine(verify.Err)
	case errors.Is(e.Err, ErrTLSRequired) && e.Reply.Code == 0:
		return s + ": the relay does not offer STARTTLS"
	case e.Err == nil, errors.Is(e.Err, ErrTLSRequired), errors.Is(e.Err, ErrRelayRefused):
		return s
	}
	return s + ": " + oneLine(e.Err)
}

func relayAdvice(e *Error) string {
	switch {
	case e.Reply.Code == 421 || e.Reply.Temporary():
		return "look into the relay's log; it may be overloaded, or have enough connections from this client"
	case errors.Is(e.Err, errHelloRefused):
		return "set Config.LocalName to the fully qualified name of this machine, one that DNS knows"
	case e.Reply.Permanent():
		return "let the relay accept this client: its mynetworks, smtpd_client_restrictions and smtpd_helo_restrictions, or their like"
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		return "nothing listens there: start the relay, correct its address in DNS, or Config.Port"
	case e.Stage == StageConnect:
		return "check that the relay is up, that a route leads to it, and that no firewall is between"
	}
	return "check that an SMTP relay answers there, and its log"
}

func tlsAdvice(e *Error, policy TLSPolicy) string {
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	switch {
	case errors.As(e.Err, &invalid) && invalid.Reason == x509.Expired:
		return "renew the relay's certificate, or correct the clock of this machine"
	case errors.As(e.Err, &host):
		return "give the relay a certificate for the name that its MX record bears"
	case errors.Is(e.Err, ErrTLSVerify):
		return "set Config.TLSConfig.RootCAs to the CA that signed the certificate, or Config.RelayNames to the name that the relay bears"
	case errors.Is(e.Err, ErrTLSRequired):
		return "configure TLS on the relay (Postfix: smtpd_tls_security_level = may, and a certificate), or look for a device in between that takes STARTTLS away"
	case policy == TLSImplicit:
		return "TLS from the first octet is spoken on port 465 as a rule: check Config.Port, or set Config.TLS to mxsend.TLSRequired for STARTTLS"
	}
	return "check the relay's TLS configuration and its log; TLS 1.2 or later is needed"
}

// checkCertificate tells the version of TLS, and until when the relay can be
// trusted.
func (c *conn) checkCertificate(s tls.ConnectionState, now time.Time) Finding {
	l := Finding{Topic: TopicTLS}
	leaf := s.PeerCertificates[0]
	verified := len(s.VerifiedChains) > 0
	if verified {
		l.Until = chainEnd(s.VerifiedChains)
	} else {
		l.Until = leaf.NotAfter
	}
	left := l.Until.Sub(now)
	l.Found = fmt.Sprintf("%s, certificate ", tls.VersionName(s.Version))
	config := c.client.cfg.TLSConfig
	switch {
	case !verified && config != nil && (config.VerifyConnection != nil || config.VerifyPeerCertificate != nil):
		l.Found += "accepted by Config.TLSConfig's own verification, valid until " + day(l.Until)
	case !verified && left < 0:
		l.Severity = SeverityWarning
		l.Found += "not verified, expired " + day(l.Until)
		l.Advice = "renew the certificate, and have it verified: Config.TLS: mxsend.TLSRequired"
	case !verified:
		l.Severity = SeverityWarning
		l.Found += "not verified (valid until " + day(l.Until) + "): another machine could take the relay's place"
		l.Advice = "set Config.TLS to mxsend.TLSRequired, and Config.TLSConfig.RootCAs to the CA that signed it"
	case left < certificateWarning:
		l.Severity = SeverityWarning
		l.Found += fmt.Sprintf("verified, valid until %s: %d days more", day(l.Until), int(left/(24*time.Hour)))
		l.Advice = "renew it, and reload the relay; after that day nothing is sent to it"
	default:
		l.Found += "verified, valid until " + day(l.Until)
	}
	return l
}

// chainEnd is when the last of the chains ends, each with the first of its
// certificates.
func chainEnd(chains [][]*x509.Certificate) (end time.Time) {
	for _, chain := range chains {
		first := chain[0].NotAfter
		for _, cert := range chain {
			if cert.NotAfter.Before(first) {
				first = cert.NotAfter
			}
		}
		if first.After(end) {
			end = first
		}
	}
	return end
}

// checkExtensions tells what the relay offers, and what follows from what it
// does not.
func (c *conn) checkExtensions() Finding {
	x := &c.extensions
	var missing []string
	for _, want := range [...]struct {
		offered     bool
		consequence string
	}{
		{x.Pipelining, "PIPELINING (each command waits for its reply: throughput is bound by the round trip)"},
		{x.EightBitMIME, "8BITMIME (messages with 8-bit octets are not sent to it)"},
		{x.SizeOffered, "SIZE (what is too large is refused only after all of it was sent)"},
		{x.DSN, "DSN (RET, ENVID and NOTIFY are left out: bounces enclose the whole message)"},
	} {
		if !want.offered {
			missing = append(missing, want.consequence)
		}
	}
	l := Finding{Topic: TopicExtensions, Found: "offers " + c.offered()}
	if len(missing) > 0 {
		l.Severity = SeverityWarning
		l.Found = "lacks " + strings.Join(missing, ", ") + "; " + l.Found
		l.Advice = "let the relay offer it (Postfix: smtpd_discard_ehlo_keywords), or look for a device in between that rewrites SMTP"
	}
	return l
}

func (c *conn) offered() string {
	const most = 20
	var names []string
	for _, name := range c.extensions.Names[:min(len(c.extensions.Names), most)] {
		if name == "SIZE" && c.extensions.Size > 0 {
			name += " " + strconv.FormatInt(c.extensions.Size, 10)
		}
		names = append(names, name[:min(len(name), 40)])
	}
	if len(names) == 0 {
		return "no extension"
	}
	return strings.Join(names, ", ")
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// roughly rounds to what a reader wants to know.
func roughly(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

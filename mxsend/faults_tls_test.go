package mxsend

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// testCA signs the certificates of the tests. Fake time begins in 2000.
var testCA = sync.OnceValue(func() *authority { return newAuthority("CA") })

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var certStart, certEnd = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)

func newAuthority(name string) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: certStart, NotAfter: certEnd,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &authority{cert, key}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// issue returns the configuration of a relay of that name.
func (a *authority) issue(name string, until time.Time) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: certStart, NotAfter: until,
		DNSNames: []string{name}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// secured gives every relay a certificate, and the Client the CA.
func secured(cfg *Config, rs []*testRelay) {
	cfg.TLS, cfg.TLSConfig = TLSRequired, &tls.Config{RootCAs: testCA().pool()}
	for _, r := range rs {
		r.tls = testCA().issue(r.name, certEnd)
	}
}

// both makes one change of several.
func both(changes ...func(*Config, []*testRelay)) func(*Config, []*testRelay) {
	return func(cfg *Config, rs []*testRelay) {
		for _, change := range changes {
			change(cfg, rs)
		}
	}
}

func plainAuth(cfg *Config, rs []*testRelay) {
	cfg.Auth = func() sasl.Client { return sasl.NewPlainClient("", "mailer", "hunter2-secret") }
	for _, r := range rs {
		r.auth = "PLAIN AG1haWxlcgBodW50ZXIyLXNlY3JldA=="
	}
}

func policy(p TLSPolicy) func(*Config, []*testRelay) {
	return func(cfg *Config, _ []*testRelay) { cfg.TLS = p }
}

// wantUnsent wants the message Deferred at a stage without a word of it said, and
// no long wait where waiting cannot help.
func wantUnsent(stage Stage, targets ...error) func(*testSetup) {
	return func(s *testSetup) {
		start := time.Now()
		r, err := s.send(testMessage(1))
		s.want(r, Deferred)
		s.wantErr(err, targets...)
		s.wantStage(err, stage)
		if seen := s.relays[0].seen(); strings.Contains(seen, "MAIL") || strings.Contains(seen, "AUTH") {
			s.t.Errorf("the relay saw %q", seen)
		}
		s.wantTook(start, 0, 4*time.Minute)
	}
}

// Section B: EHLO, TLS, AUTH.
var faultsB = []fault{
	{name: "B1/HELO", change: answers("EHLO", "502 5.5.1 not implemented"), run: func(s *testSetup) {
		s.wantAccepted(1)
		if got := len(s.relays[0].lines("HELO")); got != 1 {
			s.t.Errorf("%d HELO", got)
		}
		m := testMessage(2)
		m.Content = []byte(testContent + "8 bit: \xc3\xa9\r\n")
		r, err := s.send(m)
		s.want(r, Rejected)
		s.wantErr(err, ErrLacksExtension)
	}},
	{name: "B1/HELO refused", change: answers("EHLO", "500 what?", "HELO", "550 5.7.1 no"), run: wantUnsent(StageHello)},
	{name: "B1/TLS needed", change: both(secured, answers("EHLO", "502 5.5.1 not implemented")), run: func(s *testSetup) {
		wantUnsent(StageHello)(s)
		if seen := s.relays[0].seen(); strings.Contains(seen, "HELO") {
			s.t.Errorf("the relay saw %q", seen)
		}
	}},
	{name: "B1/421", relays: 2, change: first("EHLO", "421 4.3.2 no"), run: wantOthers},
	{name: "B1/450", relays: 2, change: first("EHLO", "450 4.3.2 no"), run: wantOthers},
	{name: "B2/NUL", change: answers("EHLO", rawReply+"250-p1\r\n250 SIZE\x00\r\n"), run: wantUnsent(StageHello, smtpwire.ErrProtocol)},
	{name: "B2/CR", change: answers("EHLO", rawReply+"250-p1\r\n250 SI\rZE\r\n"), run: wantUnsent(StageHello, smtpwire.ErrProtocol)},
	{name: "B2/LF", change: answers("EHLO", rawReply+"250-p1\r\n250-SI\nZE\r\n250 x\r\n"), run: wantUnsent(StageHello, smtpwire.ErrProtocol)},
	{name: "B2/10k extensions", change: answers("EHLO", rawReply+strings.Repeat("250-X\r\n", 10_000)+"250 X\r\n"), run: wantUnsent(StageHello, smtpwire.ErrProtocol)},
	{name: "B2/100k lines", change: answers("EHLO", rawReply+strings.Repeat("250-\r\n", 100_000)+"250 X\r\n"), run: wantUnsent(StageHello, smtpwire.ErrProtocol)},
	{name: "B2/line over 4 kB", change: answers("EHLO", rawReply+"250-p1\r\n250 X"+strings.Repeat("y", 4100)+"\r\n"), run: wantUnsent(StageHello, smtpwire.ErrProtocol)},
	{name: "B2/over 64 kB", change: answers("EHLO", rawReply+strings.Repeat("250-"+strings.Repeat("y", 3000)+"\r\n", 30)+"250 X\r\n"), run: wantUnsent(StageHello, smtpwire.ErrProtocol)},
	{name: "B2/line of 4 kB", change: answers("EHLO", rawReply+"250-p1\r\n250-PIPELINING\r\n250 X"+strings.Repeat("y", 4000)+"\r\n"), run: func(s *testSetup) { s.wantAccepted(1) }},
	{name: "B2/100 lines", change: answers("EHLO", rawReply+strings.Repeat("250-X\r\n", 99)+"250 X\r\n"), run: func(s *testSetup) { s.wantAccepted(1) }},
	{name: "B3", change: policy(TLSRequired), run: func(s *testSetup) {
		start := time.Now()
		wantUnsent(StageTLS, ErrTLSRequired)(s)
		s.wantTook(start, 0, 5*time.Second) // waiting mends no configuration
		for _, line := range []string{"TLSOpportunistic", "TLSDisabled"} {
			if !strings.Contains(ErrTLSRequired.Error(), line) {
				s.t.Errorf("ErrTLSRequired does not name %s", line)
			}
		}
	}},
	{name: "B3/other relay", relays: 2, change: both(secured, func(_ *Config, rs []*testRelay) { rs[0].tls = nil }), run: wantOthers},
	{name: "B3/mailing", change: both(secured, func(_ *Config, rs []*testRelay) {
		// TLS is lost in the middle of a mailing, and mended after an hour.
		var since time.Time
		rs[0].answer = func(_ int, line string) string {
			if since.IsZero() {
				since = time.Now()
			}
			if gone := time.Since(since); line == "STARTTLS" && gone > time.Second && gone < time.Hour {
				return "454 4.7.0 TLS not available"
			}
			return usual
		}
	}), run: func(s *testSetup) {
		count := s.sendAll(s.ctx(), func(yield func(*Message) bool) {
			for i := range 100 {
				if time.Sleep(200 * time.Millisecond); i == 50 {
					time.Sleep(10 * time.Second) // connections go idle and end
				}
				if !yield(testMessage(i)) {
					return
				}
			}
		})
		if count[Accepted] != 100 {
			s.t.Errorf("the mailing was burnt: %v", count)
		}
	}},
	{name: "B4/454", change: both(secured, answers("STARTTLS", "454 4.7.0 TLS not available")), run: wantUnsent(StageTLS, ErrTLSRequired)},
	{name: "B4/501", change: both(secured, answers("STARTTLS", "501 5.5.4 no")), run: wantUnsent(StageTLS, ErrTLSRequired)},
	{name: "B4/opportunistic", change: both(secured, policy(TLSOpportunistic), answers("STARTTLS", "454 4.7.0 TLS not available")), run: func(s *testSetup) {
		if r := s.wantAccepted(1); r.Attempts[0].TLS {
			s.t.Error("the result does not say that it went in clear")
		}
	}},
	{name: "B4/opportunistic secured", change: both(secured, policy(TLSOpportunistic)), run: func(s *testSetup) {
		if r := s.wantAccepted(1); !r.Attempts[0].TLS {
			s.t.Error("the result does not say that it went over TLS")
		}
	}},
	{name: "B5/name", change: both(secured, func(_ *Config, rs []*testRelay) { rs[0].tls = testCA().issue("other.relays.test", certEnd) }), run: wantTLSVerify("x509")},
	{name: "B5/expired", change: both(secured, func(_ *Config, rs []*testRelay) { rs[0].tls = testCA().issue(rs[0].name, certStart.Add(time.Hour)) }), run: wantTLSVerify("expired")},
	{name: "B5/untrusted", change: both(secured, func(_ *Config, rs []*testRelay) { rs[0].tls = newAuthority("other").issue(rs[0].name, certEnd) }), run: wantTLSVerify("unknown authority")},
	{name: "B5/revoked pin", change: both(secured, func(cfg *Config, _ []*testRelay) {
		cfg.TLSConfig.VerifyConnection = func(tls.ConnectionState) error { return errors.New("pin revoked") }
	}), run: wantTLSVerify("pin revoked")},
	{name: "B5/outside Domain", change: both(secured, func(cfg *Config, _ []*testRelay) { cfg.Domain = "elsewhere.test" }), run: wantTLSVerify("RelayNames")},
	{name: "B5/RelayNames", change: both(secured, func(cfg *Config, _ []*testRelay) {
		cfg.Domain, cfg.RelayNames = "elsewhere.test", []string{"*.relays.test"}
	}), run: func(s *testSetup) { s.wantAccepted(1) }},
	{name: "B5/opportunistic", change: both(secured, policy(TLSOpportunistic), func(_ *Config, rs []*testRelay) {
		rs[0].tls = newAuthority("other").issue(rs[0].name, certEnd)
	}), run: func(s *testSetup) { s.wantAccepted(1) }},
	{name: "B6", change: both(secured, answers("STARTTLS", rawReply+"220 ready\r\n250-injected\r\n250 AUTH PLAIN\r\n")), run: wantUnsent(StageTLS, smtpwire.ErrProtocol)},
	{name: "B6/half a line", change: both(secured, answers("STARTTLS", rawReply+"220 ready\r\n2")), run: wantUnsent(StageTLS, smtpwire.ErrProtocol)},
	{name: "B7", change: both(secured, func(_ *Config, rs []*testRelay) {
		rs[0].ehlo, rs[0].ehloTLS = fullEHLO, []string{"8BITMIME"}
	}), run: func(s *testSetup) {
		s.wantAccepted(1)
		if got := len(s.relays[0].lines("EHLO")); got != 2 {
			s.t.Errorf("%d EHLO", got)
		}
		if mail := s.relays[0].lines("MAIL")[0]; mail != "MAIL FROM:<b+1@app.test>" {
			s.t.Errorf("%q uses what was offered before TLS only", mail)
		}
	}},
	{name: "B8", relays: 1, change: both(secured, func(_ *Config, rs []*testRelay) {
		rs[0].answer = func(_ int, line string) string {
			if line == "STARTTLS" {
				return rawReply + "220 ready\r\n"
			}
			return usual
		}
		rs[0].raw = hangInHandshake
	}), run: wantUnsent(StageTLS)},
	{name: "B9/535", change: both(secured, plainAuth, answers("AUTH", "535 5.7.8 bad credentials")), run: func(s *testSetup) {
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				r, err := s.send(testMessage(i))
				s.want(r, Deferred)
				s.wantErr(err, ErrRelayRefused)
				s.wantStage(err, StageAuth)
				if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, r), "hunter2") {
					s.t.Error("the password shows")
				}
			})
		}
		all.Wait()
		time.Sleep(4 * time.Minute)
		if tries := len(s.relays[0].lines("AUTH")); tries != 1 {
			s.t.Errorf("%d tries within four minutes", tries)
		}
		_, _ = s.send(testMessage(100))
		if tries := len(s.relays[0].lines("AUTH")); tries > 2 {
			s.t.Errorf("%d tries", tries)
		}
	}},
	{name: "B9/454", change: both(secured, plainAuth, once("AUTH", "454 4.7.0 try later")), run: func(s *testSetup) { s.wantAccepted(1) }},
	{name: "B9/ok", change: both(secured, plainAuth), run: func(s *testSetup) {
		s.wantAccepted(1)
		if got := s.relays[0].lines("AUTH"); len(got) != 1 {
			s.t.Errorf("AUTH lines: %q", got)
		}
	}},
	{name: "B10/in clear only", change: both(secured, plainAuth, func(_ *Config, rs []*testRelay) {
		rs[0].auth, rs[0].ehlo, rs[0].ehloTLS = "", append([]string{"AUTH PLAIN LOGIN"}, fullEHLO...), fullEHLO
	}), run: wantUnsent(StageAuth)},
	{name: "B10/downgraded", change: both(secured, plainAuth, func(_ *Config, rs []*testRelay) {
		rs[0].auth, rs[0].ehloTLS = "", append([]string{"AUTH LOGIN"}, fullEHLO...)
	}), run: wantUnsent(StageAuth)},
	{name: "B10/no STARTTLS", change: both(secured, plainAuth, func(_ *Config, rs []*testRelay) {
		rs[0].tls, rs[0].ehlo = nil, append([]string{"AUTH PLAIN LOGIN"}, fullEHLO...)
	}), run: wantUnsent(StageTLS, ErrTLSRequired)},
	{name: "B10/unverified", run: func(s *testSetup) {
		auth := func() sasl.Client { return sasl.NewPlainClient("", "a", "b") }
		for _, cfg := range []Config{
			{Domain: "relays.test", Auth: auth, TLS: TLSDisabled},
			{Domain: "relays.test", Auth: auth, TLS: TLSOpportunistic},
			{Domain: "relays.test", Auth: auth, TLSConfig: &tls.Config{InsecureSkipVerify: true}},
		} {
			if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "verified TLS") {
				s.t.Errorf("got %v", err)
			}
		}
	}},
	{name: "B11", run: func(s *testSetup) {
		for _, name := range []string{
			"a\r\nMAIL FROM:<>", "a b", "m\u00fcller.test", "a\x00", "a\tb", "<a>", strings.Repeat("a", 300), strings.Repeat("a", 64) + ".test",
			"[", "]", "[]", "[a]", "[192.0.2.9", "192.0.2.9]", "[192.0.2.9]x", "[192.0.2.256]", "[::1]", "[IPv6:]", "[IPv6:192.0.2.9]", "[IPv6:fe80::1%eth0]", "[x400:a]",
			"192.0.2.9", "::1", "fe80::1%eth0", "app:25", "app.test:25", "app.test.", ".app.test", "app..test", "-app.test", "app-.test", "app_1.test", "app/1", "app\"", "a@b.test",
		} {
			_, err := New(Config{Domain: "relays.test", LocalName: name})
			if err == nil || !strings.Contains(err.Error(), "Config.LocalName") {
				s.t.Errorf("%q: %v", name, err)
			}
		}
		for _, name := range []string{"app.test", "APP-1.example.com", "mailer-7c9f", "1.2.test", "[192.0.2.9]", "[IPv6:2001:db8::9]", "[ipv6:::1]", "[IPv6:::ffff:192.0.2.9]"} {
			c, err := New(Config{Domain: "relays.test", LocalName: name})
			if err != nil {
				s.t.Errorf("%q: %v", name, err)
				continue
			}
			_ = c.Close()
		}
	}},
	{name: "B11/literals are shown", run: func(s *testSetup) {
		for name, want := range map[string]string{"::1": "[IPv6:::1]", "192.0.2.9": "[192.0.2.9]", "[2001:db8::9]": "[IPv6:2001:db8::9]", "m\u00fcller.test": "xn--", "app:25": "port"} {
			if _, err := New(Config{Domain: "relays.test", LocalName: name}); err == nil || !strings.Contains(err.Error(), want) {
				s.t.Errorf("%q: %v", name, err)
			}
		}
	}},
	{name: "G10", change: both(secured, func(_ *Config, rs []*testRelay) {
		rs[0].tls.MinVersion, rs[0].tls.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	}), run: func(s *testSetup) {
		wantUnsent(StageTLS)(s)
		if _, err := New(Config{Domain: "relays.test", TLSConfig: &tls.Config{MinVersion: tls.VersionTLS11}}); err == nil {
			s.t.Error("TLS 1.1 is taken")
		}
	}},
	{name: "G10/implicit", change: both(secured, policy(TLSImplicit), func(_ *Config, rs []*testRelay) { rs[0].implicit = true }), run: func(s *testSetup) {
		s.wantAccepted(1)
		if got := s.relays[0].lines("STARTTLS"); len(got) != 0 {
			s.t.Errorf("STARTTLS within TLS")
		}
	}},
	{name: "G10/implicit untrusted", change: both(secured, policy(TLSImplicit), func(_ *Config, rs []*testRelay) {
		rs[0].implicit, rs[0].tls = true, newAuthority("other").issue(rs[0].name, certEnd)
	}), run: wantTLSVerify("unknown authority")},
}

// wantTLSVerify: the certificate is not trusted, nothing goes in clear, and the
// error says why and what to do.
func wantTLSVerify(reason string) func(*testSetup) {
	return func(s *testSetup) {
		start := time.Now()
		wantUnsent(StageTLS, ErrTLSVerify)(s)
		s.wantTook(start, 0, 5*time.Second)
		_, err := s.send(testMessage(2))
		for _, word := range []string{reason, "Config."} {
			if !strings.Contains(err.Error(), word) {
				s.t.Errorf("%q does not say %q", err, word)
			}
		}
	}
}

// hangInHandshake says 220 to STARTTLS, and nothing after.
func hangInHandshake(_ int, nc net.Conn) bool {
	b := make([]byte, 4096)
	for _, reply := range []string{"220 p1\r\n", "250-p1\r\n250 STARTTLS\r\n", "220 ready\r\n"} {
		if _, err := nc.Write([]byte(reply)); err != nil {
			return true
		}
		if _, err := nc.Read(b); err != nil {
			return true
		}
	}
	for {
		if _, err := nc.Read(b); err != nil {
			return true
		}
	}
}

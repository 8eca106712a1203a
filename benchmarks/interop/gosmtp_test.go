package interop

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/mxsend/go-mxsend/mxsend"
)

// A goSMTP is go-smtp's server with a backend that keeps what it takes.
type goSMTP struct {
	address string

	mu       sync.Mutex
	taken    map[string][][]byte // content by return path
	to       map[string]int      // by recipient
	loggedIn int
}

// Addresses that the backend refuses.
const (
	refusedForGood = "no@destination.test"
	refusedForNow  = "later@destination.test"
)

func startGoSMTP(t *testing.T, configure func(*smtp.Server), wrap func(net.Listener) net.Listener) *goSMTP {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Skip("no loopback:", err)
	}
	g := &goSMTP{address: l.Addr().String(), taken: map[string][][]byte{}, to: map[string]int{}}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &goSession{server: g}, nil }))
	s.Domain, s.ErrorLog = "p1.relay.test", log.New(io.Discard, "", 0) // it logs what these tests provoke
	if configure != nil {
		configure(s)
	}
	if wrap != nil {
		l = wrap(l)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(l); err != nil && !errors.Is(err, smtp.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		_, _ = s.Close(), l.Close() // the server closes only a listener that it has begun to serve
		<-done
	})
	return g
}

type goSession struct {
	server *goSMTP
	from   string
	to     []string
}

func (s *goSession) Reset()        { s.from, s.to = "", nil }
func (s *goSession) Logout() error { return nil }

func (s *goSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *goSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch to {
	case refusedForGood:
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	case refusedForNow:
		return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 0}, Message: "try later"}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *goSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if bytes.Contains(b, []byte("Subject: forbidden")) {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "not that"}
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.taken[s.from] = append(s.server.taken[s.from], b)
	for _, to := range s.to {
		s.server.to[to]++
	}
	return nil
}

func (s *goSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *goSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "user" || password != "secret" {
			return smtp.ErrAuthFailed
		}
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		s.server.loggedIn++
		return nil
	}), nil
}

// wantMailing sees to it that the first n messages came once each, octet for
// octet.
func (g *goSMTP) wantMailing(t *testing.T, n int) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.taken) != n {
		t.Errorf("the server took mail from %d return paths, want %d", len(g.taken), n)
	}
	for i := range n {
		got := g.taken[returnPath(i)]
		if len(got) != 1 {
			t.Fatalf("message %d came %d times", i, len(got))
		}
		if want := content(i); !bytes.Equal(got[0], want) {
			t.Fatalf("message %d came with %d octets that differ from the %d sent", i, len(got[0]), len(want))
		}
	}
}

func TestGoSMTPMailing(t *testing.T) {
	cert := newCertificate(t, "*.relay.test")
	trusting := &tls.Config{RootCAs: cert.root}
	withTLS := func(s *smtp.Server) { s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert.tls}} }
	inTLS := func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert.tls}})
	}
	plain := func() sasl.Client { return sasl.NewPlainClient("", "user", "secret") }
	tests := []struct {
		name      string
		configure func(*smtp.Server)
		wrap      func(net.Listener) net.Listener
		client    mxsend.Config
	}{
		{"clear", nil, nil, mxsend.Config{TLS: mxsend.TLSDisabled}},
		{"clear, no groups across messages", nil, nil, mxsend.Config{TLS: mxsend.TLSDisabled, SeparateTransactions: true}},
		{"STARTTLS", withTLS, nil, mxsend.Config{TLSConfig: trusting}},
		{"STARTTLS, opportunistic", withTLS, nil, mxsend.Config{TLS: mxsend.TLSOpportunistic}},
		{"opportunistic, not offered", nil, nil, mxsend.Config{TLS: mxsend.TLSOpportunistic}},
		{"implicit TLS", nil, inTLS, mxsend.Config{TLS: mxsend.TLSImplicit, TLSConfig: trusting}},
		{"AUTH", withTLS, nil, mxsend.Config{TLSConfig: trusting, Auth: plain}},
		{"DSN and SMTPUTF8", func(s *smtp.Server) { s.EnableDSN, s.EnableSMTPUTF8 = true, true }, nil, mxsend.Config{TLS: mxsend.TLSDisabled}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const n = 300
			g := startGoSMTP(t, tt.configure, tt.wrap)
			got, results := sendAll(t, newClient(t, tt.client, g.address), mailing(n))
			wantTally(t, got, tally{mxsend.Accepted: n}, results)
			g.wantMailing(t, n)
			if tt.client.Auth != nil && g.loggedIn == 0 {
				t.Error("nobody logged in")
			}
		})
	}
}

func TestGoSMTPRefusals(t *testing.T) {
	letter := []byte("From: a@bounces.test\r\n\r\nhello\r\n")
	tests := []struct {
		name      string
		configure func(*smtp.Server)
		message   mxsend.Message
		want      []mxsend.Outcome // by recipient
		cause     error            // of the first that was not accepted; nil: any
		accepted  int              // that the server counts
	}{
		{name: "recipients with outcomes of their own",
			message: mxsend.Message{ReturnPath: returnPath(0), Recipients: []string{recipient, refusedForGood, refusedForNow, "other@destination.test"}, Content: letter},
			want:    []mxsend.Outcome{mxsend.Accepted, mxsend.Rejected, mxsend.Deferred, mxsend.Accepted}, accepted: 2},
		{name: "every recipient refused",
			message: mxsend.Message{ReturnPath: returnPath(0), Recipients: []string{refusedForGood, refusedForNow}, Content: letter},
			want:    []mxsend.Outcome{mxsend.Rejected, mxsend.Deferred}},
		{name: "content refused",
			message: mxsend.Message{ReturnPath: returnPath(0), Recipients: []string{recipient}, Content: []byte("From: a@bounces.test\r\nSubject: forbidden\r\n\r\nhello\r\n")},
			want:    []mxsend.Outcome{mxsend.Rejected}},
		{name: "larger than SIZE", configure: func(s *smtp.Server) { s.MaxMessageBytes = 1000 },
			message: mxsend.Message{ReturnPath: returnPath(0), Recipients: []string{recipient}, Content: content(3)},
			want:    []mxsend.Outcome{mxsend.Rejected}},
		{name: "more recipients than the server takes at once", configure: func(s *smtp.Server) { s.MaxRecipients = 2 },
			message: mxsend.Message{ReturnPath: returnPath(0), Recipients: []string{"1@destination.test", "2@destination.test", "3@destination.test", "4@destination.test", "5@destination.test"}, Content: letter},
			want:    []mxsend.Outcome{mxsend.Accepted, mxsend.Accepted, mxsend.Accepted, mxsend.Accepted, mxsend.Accepted}, accepted: 5},
		{name: "SMTPUTF8 not offered",
			message: mxsend.Message{ReturnPath: returnPath(0), Recipients: []string{"grüße@destination.test"}, Content: letter},
			want:    []mxsend.Outcome{mxsend.Rejected}, cause: mxsend.ErrLacksExtension},
		{name: "SMTPUTF8", configure: func(s *smtp.Server) { s.EnableSMTPUTF8 = true },
			message: mxsend.Message{ReturnPath: returnPath(0), Recipients: []string{"grüße@destination.test"}, Content: letter},
			want:    []mxsend.Outcome{mxsend.Accepted}, accepted: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := startGoSMTP(t, tt.configure, nil)
			c := newClient(t, mxsend.Config{TLS: mxsend.TLSDisabled}, g.address)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			receipt, err := c.Send(ctx, &tt.message)
			for i, want := range tt.want {
				if got := receipt.Recipients[i]; got.Outcome != want {
					t.Errorf("recipient %d: got %v (%v), want %v", i+1, got.Outcome, got.Err, want)
				}
			}
			if (err == nil) != (tt.accepted == len(tt.want)) {
				t.Errorf("got the error %v", err)
			}
			if tt.cause != nil && !errors.Is(err, tt.cause) {
				t.Errorf("got the error %v, want %v", err, tt.cause)
			}
			if err != nil && strings.Contains(err.Error(), "@") {
				t.Errorf("the error holds an address: %v", err)
			}
			sum := 0
			for to, n := range g.to {
				if sum += n; n != 1 {
					t.Errorf("%s got it %d times", to, n)
				}
			}
			if sum != tt.accepted {
				t.Errorf("the server took it for %d recipients, want %d", sum, tt.accepted)
			}
		})
	}
}

func TestGoSMTPTrust(t *testing.T) {
	cert, other := newCertificate(t, "*.relay.test"), newCertificate(t, "relay.other.test")
	wrongKey := func() sasl.Client { return sasl.NewPlainClient("", "user", "wrong") }
	offering := func(c certificate) func(*smtp.Server) {
		return func(s *smtp.Server) { s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{c.tls}} }
	}
	tests := []struct {
		name      string
		configure func(*smtp.Server)
		client    mxsend.Config
		cause     error
	}{
		{"STARTTLS not offered", nil, mxsend.Config{}, mxsend.ErrTLSRequired},
		{"unknown root", offering(cert), mxsend.Config{}, mxsend.ErrTLSVerify},
		{"another name", offering(other), mxsend.Config{TLSConfig: &tls.Config{RootCAs: other.root}}, mxsend.ErrTLSVerify},
		{"wrong password", offering(cert), mxsend.Config{TLSConfig: &tls.Config{RootCAs: cert.root}, Auth: wrongKey}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := startGoSMTP(t, tt.configure, nil)
			c := newClient(t, tt.client, g.address)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			receipt, err := c.Send(ctx, &mxsend.Message{ReturnPath: returnPath(0), Recipients: []string{recipient}, Content: content(0)})
			if got := receipt.Recipients[0].Outcome; got != mxsend.Deferred {
				t.Errorf("got %v, want %v", got, mxsend.Deferred)
			}
			if err == nil || tt.cause != nil && !errors.Is(err, tt.cause) {
				t.Errorf("got the error %v, want %v", err, tt.cause)
			}
			if len(g.taken) > 0 {
				t.Error("the server took mail that was not to be sent")
			}
		})
	}
}

package bounce

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/mxsend/go-mxsend/verp"
)

// Receiver is a server for the hosts that return paths point to: they hand
// mail to it over LMTP or SMTP. Set the fields, then call Serve or ServeLMTP,
// once for each listener; the fields must not change afterwards.
//
// Each RCPT TO is verified: a return path that the Codec has not signed is
// refused with 550. Behind a receiving Postfix, that refusal comes too late,
// for Postfix has accepted the mail by then and would bounce it to a forged
// sender. It must ask before: by ServePolicy, or by reject_unverified_recipient.
//
// A message is accepted (250) only after Handle has returned nil for it, and
// refused for now (451) otherwise, so that none is lost.
type Receiver struct {
	// Codec verifies return paths. Nil: none is signed, and only Feedback and
	// Accept count.
	Codec *verp.Codec

	// Feedback are the addresses enrolled with providers for complaints.
	// Mail to postmaster@ and abuse@ of the Codec's domain, or of a Feedback
	// address's, is always accepted and handed on unparsed.
	Feedback []string

	// Accept says whether to take mail for another address, for instance a
	// plain VERP return path; its events are Unverified. It is called at RCPT,
	// by many goroutines at once. Nil: none.
	Accept func(address string) bool

	// Handle is called for each event, by many goroutines at once. Its context
	// ends with HandleTimeout or Close. It is required.
	Handle func(ctx context.Context, e Event) error

	// OwnRelays is passed to Parser.
	OwnRelays []string

	// Hostname is the name in the greeting. Empty: os.Hostname.
	Hostname string

	// TLSConfig offers STARTTLS. Nil: none is offered.
	TLSConfig *tls.Config

	MaxSize        int64         // octets of a message. Zero: 32 MiB
	Connections    int           // at a time and listener; others wait. Zero: 100
	MaxRecipients  int           // of a transaction. Zero: 100
	Timeout        time.Duration // for one command or block of data. Zero: 5 minutes
	SessionTimeout time.Duration // for a connection as a whole. Zero: 1 hour
	HandleTimeout  time.Duration // for one call of Handle. Zero: 1 minute

	// Logger gets errors of connections and of Handle, without addresses or
	// content. Nil: slog.Default.
	Logger *slog.Logger

	mu      sync.Mutex // guards what follows
	closed  bool
	servers []*smtp.Server
	others  map[net.Listener]*sync.WaitGroup // policy listeners
	cancel  context.CancelFunc
	ctx     context.Context
}

// Serve speaks SMTP on l until Close or Shutdown, then returns nil. It closes l.
func (r *Receiver) Serve(l net.Listener) error { return r.serve(l, false) }

// ServeLMTP speaks LMTP (RFC 2033) on l until Close or Shutdown, then returns
// nil. It closes l. LMTP is the better choice behind Postfix: each recipient
// of a message has an answer of its own.
func (r *Receiver) ServeLMTP(l net.Listener) error { return r.serve(l, true) }

func (r *Receiver) serve(l net.Listener, lmtp bool) error {
	if r.Handle == nil {
		l.Close()
		return errors.New("bounce: Receiver needs Handle")
	}
	if r.Codec == nil && len(r.Feedback) == 0 && r.Accept == nil {
		l.Close()
		return errors.New("bounce: Receiver would refuse all mail: set Codec, Feedback or Accept")
	}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{receiver: r}, nil }))
	s.LMTP = lmtp
	s.Domain = r.hostname()
	s.TLSConfig = r.TLSConfig
	s.MaxMessageBytes = or(r.MaxSize, 32<<20)
	s.MaxRecipients = or(r.MaxRecipients, 100)
	s.MaxLineLength = 64 << 10 // notices quote replies in lines of any length
	s.ReadTimeout = or(r.Timeout, 5*time.Minute)
	s.WriteTimeout = s.ReadTimeout
	s.EnableSMTPUTF8 = true
	s.ErrorLog = serverLog{r.logger()}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		l.Close()
		return nil
	}
	r.start()
	r.servers = append(r.servers, s)
	r.mu.Unlock()
	return s.Serve(limit(l, or(r.Connections, 100), or(r.SessionTimeout, time.Hour)))
}

// start makes the context of Handle. r.mu is held.
func (r *Receiver) start() {
	if r.ctx == nil {
		r.ctx, r.cancel = context.WithCancel(context.Background())
	}
}

// Shutdown stops listening and waits for running connections, until ctx ends;
// then it cuts them and returns ctx's error.
func (r *Receiver) Shutdown(ctx context.Context) error {
	var errs []error
	for _, s := range r.stop() {
		if err := s.Shutdown(ctx); err != nil && !errors.Is(err, smtp.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	r.release()
	return errors.Join(errs...)
}

// Close stops listening and cuts running connections. Messages whose Handle
// has not returned are not accepted.
func (r *Receiver) Close() error {
	servers := r.stop()
	r.release()
	var errs []error
	for _, s := range servers {
		if err := s.Close(); err != nil && !errors.Is(err, smtp.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (r *Receiver) stop() []*smtp.Server {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for l := range r.others {
		l.Close()
	}
	servers := r.servers
	r.servers = nil
	return servers
}

func (r *Receiver) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancel != nil {
		r.cancel()
	}
}

func (r *Receiver) hostname() string {
	if r.Hostname != "" {
		return r.Hostname
	}
	if h, err := os.Hostname(); err == nil {
		return h
	}
	return "localhost"
}

func (r *Receiver) logger() *slog.Logger {
	if r.Logger != nil {
		return r.Logger
	}
	return slog.Default()
}

// or returns v, or other where v is zero.
func or[T comparable](v, other T) T {
	var zero T
	if v == zero {
		return other
	}
	return v
}

// serverLog passes go-smtp's log on, at Debug, because it may name addresses.
type serverLog struct{ l *slog.Logger }

func (s serverLog) Printf(format string, _ ...any) {
	s.l.Debug("bounce: connection", "what", strings.TrimSpace(format))
}
func (s serverLog) Println(...any) { s.l.Debug("bounce: connection failed") }

package bounce

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/verp"
)

// Receiver is a server for the hosts that return paths point to: they hand
// mail to it over LMTP or SMTP. Set the fields, then call Serve or ServeLMTP,
// once for each listener; the fields must not change afterwards.
//
// Each RCPT TO is verified: a return path that no Codec has signed is refused
// with 550. Behind a receiving Postfix, that refusal comes too late, for Postfix
// has accepted the mail by then and would bounce it to a forged sender. It must
// ask before: by ServePolicy, or by reject_unverified_recipient.
//
// A message is accepted (250) only after Handle has returned nil for it, and
// refused for now (451) otherwise, so that none is lost. One that breaks off, or
// stalls for longer than Timeout, is refused for now (421), and the connection
// closed. Lines may have any length, up to MaxSize.
type Receiver struct {
	// Codec verifies return paths. Codecs are further ones, for lanes that have
	// a domain, a prefix or keys of their own: Event.Recipient tells them apart.
	// Without any, no return path is signed, and only Feedback and Accept count.
	Codec  *verp.Codec
	Codecs []*verp.Codec

	// Feedback are the addresses enrolled with providers for complaints.
	// Mail to postmaster@ and abuse@ of a Codec's domain, or of a Feedback
	// address's, and to <postmaster> alone, is always accepted and handed on
	// unparsed.
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
	Timeout        time.Duration // for one command, or line of a message. Zero: 5 minutes
	SessionTimeout time.Duration // for a connection as a whole. Zero: 1 hour
	HandleTimeout  time.Duration // for one call of Handle. Zero: 1 minute; it should end with its context

	// Logger gets the errors of Handle and Accept as they are: they should name no
	// address. Nil: slog.Default.
	Logger *slog.Logger

	mu        sync.Mutex // guards what follows; never held while waiting
	closed    bool
	listeners []*limitedListener
	serving   sync.WaitGroup     // each Serve, with its connections
	ctx       context.Context    // of Handle; made by the first Serve
	cancel    context.CancelFunc // ends ctx
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
	if len(r.codecs()) == 0 && len(r.Feedback) == 0 && r.Accept == nil {
		l.Close()
		return errors.New("bounce: Receiver would refuse all mail: set Codec, Codecs, Feedback or Accept")
	}
	limited, ok := r.add(l)
	if !ok {
		return nil
	}
	defer r.serving.Done()
	// Shutdown waits for the connections; Close and Shutdown cut them in time.
	return limited.each(func(c net.Conn) { r.converse(c, lmtp) })
}

// add registers a listener, or closes it if the Receiver is closed already.
// With ok, the caller must call r.serving.Done.
func (r *Receiver) add(l net.Listener) (limited *limitedListener, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		l.Close()
		return nil, false
	}
	if r.ctx == nil {
		r.ctx, r.cancel = context.WithCancel(context.Background())
	}
	limited = limit(l, or(r.Connections, 100), or(r.SessionTimeout, time.Hour))
	r.listeners = append(r.listeners, limited)
	r.serving.Add(1)
	return limited, true
}

// Shutdown stops listening and waits for running connections, until ctx ends;
// then it does what Close does and returns ctx's error.
func (r *Receiver) Shutdown(ctx context.Context) error {
	r.stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.serving.Wait()
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	r.cut()
	<-done
	return err
}

// Close stops listening, cuts running connections, ends the context of running
// calls of Handle and waits for them. What they were called for is not
// accepted: its sender will try again. Close may be called again.
func (r *Receiver) Close() error {
	r.stop()
	r.cut()
	r.serving.Wait()
	return nil
}

// stop ends every Accept.
func (r *Receiver) stop() {
	r.mu.Lock()
	r.closed = true
	listeners := r.listeners
	r.mu.Unlock()
	for _, l := range listeners {
		l.Close()
	}
}

// cut ends every connection and Handle's context.
func (r *Receiver) cut() {
	r.mu.Lock()
	listeners := r.listeners
	if r.cancel != nil {
		r.cancel()
	}
	r.mu.Unlock()
	for _, l := range listeners {
		l.cutConnections()
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

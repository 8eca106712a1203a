// Package smtpsession is an established SMTP session of a client: one message
// behind the other on an open connection, with the envelope of the next one sent
// behind the content of the one before. It knows neither relays nor queues nor what
// a reply means for a recipient: it asks its Owner what to send, and reports what
// was answered and why the connection ended.
package smtpsession

import (
	"errors"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// An Owner decides what a session does. Its methods are called with the session's
// lock held, but for Done and Call. A lock of its own comes after that. What it
// has to call that may take long, or may call back, it gives to Session.After.
type Owner interface {
	// Opened puts the session into service; false: it is to be left at once.
	Opened() bool
	// Turn is asked before anything is written. heard says that the relay spoke since.
	// It may Begin transactions, or end them: Withdraw, Disown, DropEnvelope. It says by
	// KeepUntil for how long the session is kept with nothing on it.
	Turn(heard bool, now time.Time) Decision
	// Answered takes in the content slot's transaction, which was answered to its end.
	// What follows it moves up. An error ends the connection with the transaction on it.
	Answered(t *Transaction, now time.Time) error
	// GaveBack takes back what waits in the envelope slot, since it would wait too long.
	GaveBack(t *Transaction, why error, now time.Time)
	// Retire has a Turn end the session as soon as nothing is on it.
	Retire()
	// Wake has a goroutine call Attend.
	Wake()
	// Broke takes in why the connection ended, with what was read of a last reply. What
	// is on the session is known as it was then.
	Broke(why error, partial string, now time.Time)
	// Done is told when a goroutine that the owner has running for the session, that of
	// Run (or the one that took its place) or of Attend, does nothing more but the calls
	// that are due.
	Done()
	// Call makes a call that was given to After.
	Call(f func())
}

// A Decision says how a session goes on.
type Decision uint8

const (
	GoOn  Decision = iota
	Leave          // say QUIT: nothing is on it
	Abort          // close: somebody wants that
)

// Config is what a session is made of: a connection that is open for its first
// transaction.
type Config struct {
	Owner      Owner
	Conn       net.Conn // to write to
	Raw        net.Conn // beneath TLS; the same as Conn where there is none
	Replies    *smtpwire.ReplyReader
	Extensions *smtpwire.Extensions
	Opened     time.Time     // when the connection was
	FinalDot   time.Duration // how long the reply to the final dot may take
}

// A Session is what Config says. Its reader, the goroutine of Run, takes in every
// reply and goes on at once with what follows from it: the next transaction, the next
// group of commands. Where nothing is to be read, others act for it, through Attend.
//
// Methods are for the Owner's methods, and so for who holds the lock, but for Run,
// Attend, SetCancelled and Interrupt.
type Session struct {
	owner      Owner
	nc, raw    net.Conn
	extensions *smtpwire.Extensions
	opened     time.Time
	finalDot   time.Duration

	// The reader's alone: but for its Partial, nobody else needs it.
	replies *smtpwire.ReplyReader

	// mu is held by whoever acts for the session: the reader or, where nothing is to
	// be read, who attends. It guards what follows. Of the user's code only Writes of
	// this connection happen under it.
	mu        ioMutex
	out       output
	lockStep  bool
	content   *Transaction // in the content slot
	envelope  *Transaction // behind it, in the envelope slot
	slots     [2]Transaction
	scratch   []byte
	turned    time.Time // when the owner was last asked
	answered  int       // transactions that were, to their end
	needReset bool      // the relay has half a transaction open
	parted    bool      // what was in the envelope slot was given back: its envelope is out, so close
	partial   bool      // the beginning of a reply was read, and not yet its end
	ending    error     // why nothing more is written; the reader reads on to the end
	ended     bool
	closing   bool          // to be closed when mu is released
	calls     []func()      // to be made when mu is released
	telling   bool          // somebody makes them
	idleSince time.Time     // when it last became idle
	retireAt  time.Time     // when it is old enough to be left, by the last turn
	idle      time.Duration // after which it is left

	cancelled atomic.Bool // what is in the content slot is

	absence     atomic.Int64 // of the reader, in calls; zero: it reads
	absences    int64        // the reader's: how many there were
	replacement *time.Timer  // the reader's: of who takes over when it stays away

	deadline atomic.Int64 // of what is outstanding, in nanoseconds after opened
	rang     atomic.Bool  // the timer did, and is not set
	timer    *time.Timer
	armed    int64 // what it is set to, in nanoseconds after opened
}

// An ioMutex is a mutex that is held across Writes. Being a channel, it lets
// virtual time pass for who waits for it, which a sync.Mutex does not.
type ioMutex chan struct{}

func (m ioMutex) Lock()   { m <- struct{}{} }
func (m ioMutex) Unlock() { <-m }

// New returns a session that Run begins.
func New(cfg Config) *Session {
	s := &Session{
		owner: cfg.Owner, nc: cfg.Conn, raw: cfg.Raw, replies: cfg.Replies, extensions: cfg.Extensions,
		opened: cfg.Opened, finalDot: cfg.FinalDot,
		mu: make(ioMutex, 1), lockStep: !cfg.Extensions.Pipelining,
	}
	s.content, s.envelope = &s.slots[0], &s.slots[1]
	s.out.init(s.nc, s.beforeChunk, s.cancelled.Load)
	return s
}

// Run is the session's first reader. It returns when the connection has ended or
// another goroutine reads.
func (s *Session) Run() {
	s.mu.Lock()
	s.idleSince = time.Now()
	if s.owner.Opened() {
		s.act(false, time.Now())
	} else {
		s.cut(ErrLeft)
	}
	s.read(s.unlock())
}

// read takes in replies until the connection ends or, since a callback keeps it
// from that, another goroutine does so.
func (s *Session) read(calls []func()) {
	for {
		if len(calls) > 0 && !s.tellBetween(calls) {
			return
		}
		// Others that can run go first: replies come meanwhile, and one that is
		// there already costs one system call, where waiting for it costs three.
		runtime.Gosched()
		r, err := s.replies.Next()
		offered := s.out.taken.offered.Load()
		s.mu.Lock()
		going := s.handleReplies(r, offered, err)
		if calls = s.unlock(); !going {
			s.owner.Done()
			s.tell(calls)
			return
		}
	}
}

// Attend has the owner take a turn where nothing is to be read, or before it is.
func (s *Session) Attend() {
	calls := s.attend()
	s.owner.Done()
	s.tell(calls)
}

func (s *Session) attend() (calls []func()) {
	s.mu.Lock()
	s.act(false, time.Now())
	return s.unlock()
}

// act does what may be done now: it asks the owner, writes, and sets the clock.
// heard says that the relay spoke, and that the reader is asking. It is the only
// place where a session decides to end for another reason than its reader's.
func (s *Session) act(heard bool, now time.Time) {
	if s.ending != nil || s.ended {
		s.closing = s.closing || s.timedOut() // its last words are over
		return
	}
	decision := s.owner.Turn(heard, now)
	s.turned = now
	switch decision {
	case Leave:
		s.quit()
		return
	case Abort:
		s.cut(ErrCancelled)
		return
	}
	if err := s.write(heard, now); err != nil {
		s.writeFailed(err)
		return
	}
	if err := s.checkDeadline(now); err != nil {
		s.cut(err)
	}
}

// cut ends the connection at once: what the relay says from now on is not heard.
func (s *Session) cut(why error) {
	s.ending, s.closing = why, true
}

// writeFailed: the relay stopped taking octets. What it said before counts, so
// the reader gets a moment to read it.
func (s *Session) writeFailed(err error) {
	switch {
	case s.cancelled.Load():
		s.cut(ErrCancelled)
		return
	case s.timedOut() && s.out.taken.offered.Load() == s.out.taken.octets:
		s.cut(ErrTimeout) // the Write was at its end, and it is the reply that is late
		return
	case s.timedOut():
		err = ErrTimeout
	}
	s.ending = err
	now := time.Now()
	s.arm(now.Add(LastWords))
	s.owner.Retire() // nothing more is placed on it
	s.giveBack(err, now)
}

// quit ends a session with nothing on it politely.
func (s *Session) quit() {
	s.ending = ErrLeft
	_, _ = s.out.WriteString("QUIT\r\n")
	s.closing = s.out.Flush() != nil
	s.arm(time.Now().Add(LastWords))
}

// LastWords is how long a relay has to say something more on a connection that
// takes nothing more.
const LastWords = time.Second

// end is the reader's last act: the owner is told what was on the connection.
func (s *Session) end(err error, now time.Time) {
	s.ended, s.closing = true, true
	s.stopTimer()
	if s.ending != ErrLeft {
		s.owner.Broke(err, s.replies.Partial(), now)
	}
}

// Why a session ended, or gave a message back.
var (
	ErrLeft         = errors.New("the connection was left")
	ErrTimeout      = errors.New("time-out")
	ErrCancelled    = errors.New("cancelled")
	ErrLate         = errors.New("given back, since the message before it on the connection takes too long")
	errLoneDot      = errors.New("connection given up after a transaction without recipients")
	errRefusedEarly = errors.New("the relay refused the content before its end")
	errParted       = errors.New("connection given up with the envelope of a message that went elsewhere")
)

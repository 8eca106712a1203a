package mxsend

import (
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// A conn is a connection to a relay. Its reader, the goroutine of run, opens it,
// takes in every reply, and goes on at once with what follows from it: outcomes,
// the next entry, the next group of commands. What others have for it they leave
// in the fields guarded by Client.mu, and signal.
type conn struct {
	client  *Client
	relay   *relay
	lane    Lane // that it was opened for
	opening time.Time
	stage   atomic.Uint32 // that opening it has reached

	// Client.mu guards these.
	state     connState
	slow      bool   // being opened for so long that nobody counts on it
	cur       *entry // in the content slot
	next      *entry // in the envelope slot
	slotFree  bool   // the envelope slot may be filled
	leaving   bool   // to be closed as soon as nothing is on it
	resting   Lane   // of the refused message for whose sake it rests; zero: it does not
	restTimer *time.Timer
	attended  bool // somebody is about to take a turn
	idleSince time.Time
	counted   tally

	// The reader's alone: but for its Partial, nobody else needs it.
	replies *smtpwire.ReplyReader

	// mu is held by whoever acts for the connection: the reader or, where nothing
	// is to be read, a goroutine that attends to a signal. It guards what follows
	// from the end of open on. Of the user's code only Writes of this connection
	// happen under it. Lock order: conn.mu, then Client.mu.
	mu         ioMutex
	address    string
	nc         net.Conn
	raw        net.Conn  // beneath TLS; nc where there is none
	tls        *tls.Conn // nil where there is none
	out        wire
	extensions smtpwire.Extensions
	secured    bool
	lockStep   bool
	born       time.Time
	entered    time.Time     // when it was put into service
	luck       float64       // in [0, 1): what tells its age from that of others
	greeted    time.Duration // how long the greeting took
	retireAt   time.Time     // by the last turn
	idleFor    time.Duration // how long it is kept without anything on it
	tx, txNext *transaction
	slots      [2]transaction
	scratch    []byte
	turned     time.Time // when the books were last looked at
	used       int       // transactions that were answered
	needReset  bool      // the relay has half a transaction open
	parted     bool      // the entry in the envelope slot was given back: its envelope is out, so close
	half       bool      // the beginning of a reply was read, and not yet its end
	ending     error     // why nothing more is written; the reader reads on to the end
	ended      bool
	closing    bool      // to be closed when mu is released
	calls      []func()  // to be made when mu is released
	telling    bool      // somebody makes them
	since      time.Time // when it last became idle

	cancelled atomic.Bool // the entry in the content slot is; set under Client.mu

	absence     atomic.Int64 // of the reader, in calls; zero: it reads
	absences    int64        // the reader's: how many there were
	replacement *time.Timer  // the reader's: of who takes over when it stays away

	deadline atomic.Int64 // of what is outstanding, in nanoseconds after born
	rang     atomic.Bool  // the timer did, and is not set
	timer    *time.Timer
	armed    int64 // what it is set to, in nanoseconds after born
}

// An ioMutex is a mutex that is held across Writes. Being a channel, it lets
// virtual time pass for who waits for it, which a sync.Mutex does not.
type ioMutex chan struct{}

func (m ioMutex) Lock()   { m <- struct{}{} }
func (m ioMutex) Unlock() { <-m }

type connState uint8

const (
	connOpening connState = iota
	connReady
	connGone
)

// slowDial is how long nobody else tries to connect for the sake of an entry
// that a connection is being opened for.
const slowDial = time.Second

// openConn starts a connection to r on behalf of a lane. Client.mu is held.
func (c *Client) openConn(r *relay, l *lane, now time.Time) {
	cn := &conn{client: c, relay: r, lane: l.id, opening: now, mu: make(ioMutex, 1)}
	cn.tx, cn.txNext = &cn.slots[0], &cn.slots[1]
	r.conns = append(r.conns, cn)
	r.connections++
	l.dialing++
	cn.recount()
	c.goroutines.Add(1)
	go cn.run()
}

// run opens the connection and is its first reader.
func (c *conn) run() {
	if err := c.open(c.client.ctx); err != nil {
		c.client.openFailed(c, err)
		return
	}
	c.mu.Lock()
	c.begin()
	c.read(c.unlock())
}

// read takes in replies until the connection ends or, since a callback keeps it
// from that, another goroutine does so.
func (c *conn) read(calls []func()) {
	for {
		if len(calls) > 0 && !c.tellBetween(calls) {
			return
		}
		// Others that can run go first: replies come meanwhile, and one that is
		// there already costs one system call, where waiting for it costs three.
		runtime.Gosched()
		r, err := c.replies.Next()
		offered := c.out.handed.offered.Load()
		c.mu.Lock()
		going := c.hear(r, offered, err)
		if calls = c.unlock(); !going {
			c.client.goroutines.Done()
			c.tell(calls)
			return
		}
	}
}

// begin puts an open connection into service.
func (c *conn) begin() {
	c.lockStep = !c.extensions.Pipelining
	c.entered, c.luck = time.Now(), rand.Float64()
	if c.client.opened(c) {
		c.act(false, time.Now())
	} else {
		c.cut(errLeft)
	}
}

// signal has somebody attend to what was left for the connection. Client.mu is
// held.
func (c *conn) signal() {
	if c.attended || c.state != connReady {
		return // whoever takes the next turn sees it
	}
	c.attended = true
	c.client.goroutines.Add(1)
	go func() {
		calls := c.attend()
		c.client.goroutines.Done()
		c.tell(calls)
	}()
}

// attend looks at what was left for the connection, and acts on it.
func (c *conn) attend() (calls []func()) {
	c.mu.Lock()
	c.act(false, time.Now())
	return c.unlock()
}

// act does what may be done now: it takes a turn, writes, and sets the clock.
// heard says that the relay spoke, and that the reader is asking. It is the only
// place where a connection decides to end for another reason than its reader's;
// conn.mu is held.
func (c *conn) act(heard bool, now time.Time) {
	if c.ending != nil || c.ended {
		c.closing = c.closing || c.timedOut() // its last words are over
		return
	}
	todo := c.client.turn(c, heard, now)
	c.turned = now
	switch {
	case todo.leave:
		c.quit()
		return
	case todo.cancelled:
		c.cut(errCancelled)
		return
	}
	if err := c.write(heard, now); err != nil {
		c.writeFailed(err)
		return
	}
	if err := c.checkDeadline(now); err != nil {
		c.cut(err)
	}
}

// cut ends the connection at once: what the relay says from now on is not heard.
func (c *conn) cut(why error) {
	c.ending, c.closing = why, true
}

// writeFailed: the relay stopped taking octets. What it said before counts, so
// the reader gets a moment to read it.
func (c *conn) writeFailed(err error) {
	switch {
	case c.client.isCancelled(c):
		c.cut(errCancelled)
		return
	case c.timedOut():
		err = errTimeout
	}
	c.ending = err
	now := time.Now()
	c.arm(now.Add(lastWords))
	c.client.retire(c) // nothing more is placed on it
	c.client.giveBack(c, c.txNext, err, now)
}

// quit ends a connection with nothing on it politely.
func (c *conn) quit() {
	if f := c.client.cfg.Observer.Disconnected; f != nil {
		c.calls = append(c.calls, func() { f(c.relay.name, c.address, nil) })
	}
	c.ending = errLeft
	_, _ = c.out.WriteString("QUIT\r\n")
	c.closing = c.out.Flush() != nil
	c.arm(time.Now().Add(lastWords))
}

// lastWords is how long a relay has to say something more on a connection that
// takes nothing more.
const lastWords = time.Second

// end is the reader's last act: what was on the connection gets its due.
func (c *conn) end(err error, now time.Time) {
	c.ended, c.closing = true, true
	c.stopTimer()
	if !errors.Is(c.ending, errLeft) {
		c.client.broken(c, err, c.replies.Partial(), now)
	}
}

var (
	errLeft         = errors.New("the connection was left")
	errTimeout      = errors.New("time-out")
	errCancelled    = errors.New("cancelled")
	errLate         = errors.New("given back, since the message before it on the connection takes too long")
	errOutOfStep    = errors.New("the relay answers out of step to PIPELINING, which it offers; lock-step from now on")
	errLoneDot      = errors.New("connection given up after a transaction without recipients")
	errRefusedEarly = errors.New("the relay refused the content before its end")
	errParted       = errors.New("connection given up with the envelope of a message that went elsewhere")
)

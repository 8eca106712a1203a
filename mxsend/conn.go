package mxsend

import (
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
	// from the end of open on. Lock order: conn.mu, then Client.mu.
	mu         ioMutex
	address    string
	nc         net.Conn
	raw        net.Conn // beneath TLS; nc where there is none
	out        wire
	extensions smtpwire.Extensions
	secured    bool
	lockStep   bool
	born       time.Time
	retireAt   time.Time
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

	since time.Time // when it last became idle

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

// run is the reader: it opens the connection, and then takes in replies until
// the connection ends.
func (c *conn) run() {
	defer c.client.goroutines.Done()
	if err := c.open(c.client.ctx); err != nil {
		c.client.openFailed(c, err)
		return
	}
	if !c.begin() {
		return
	}
	for {
		// Others that can run go first: replies come meanwhile, and one that is
		// there already costs one system call, where waiting for it costs three.
		runtime.Gosched()
		r, err := c.replies.Next()
		if !c.hear(r, c.out.handed.offered.Load(), err) {
			return
		}
	}
}

// begin puts an open connection into service.
func (c *conn) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lockStep = !c.extensions.Pipelining
	c.retireAt = c.born.Add(jitter(c.client.cfg.Limits.Age, rand.Float64()))
	if !c.client.opened(c) {
		_ = c.raw.Close()
		return false
	}
	c.act(false, time.Now())
	return true
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
		defer c.client.goroutines.Done()
		c.attend()
	}()
}

// attend looks at what was left for the connection, and acts on it.
func (c *conn) attend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.act(false, time.Now())
}

// act does what may be done now: it takes a turn, writes, and sets the clock.
// heard says that the relay spoke, and that the reader is asking. It is the only
// place where a connection decides to end for another reason than its reader's;
// conn.mu is held.
func (c *conn) act(heard bool, now time.Time) {
	if c.ending != nil || c.ended {
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
	c.ending = why
	_ = c.raw.Close()
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
	_ = c.raw.SetReadDeadline(time.Now().Add(lastWords))
}

// quit ends a connection with nothing on it politely.
func (c *conn) quit() {
	c.client.gone(c)
	c.ending = errLeft
	_ = c.raw.SetDeadline(time.Now().Add(lastWords))
	if _, err := c.nc.Write([]byte("QUIT\r\n")); err != nil {
		_ = c.raw.Close()
	}
}

// lastWords is how long a relay has to say something more on a connection that
// takes nothing more.
const lastWords = time.Second

// end is the reader's last act: what was on the connection gets its due.
func (c *conn) end(err error, now time.Time) {
	c.ended = true
	_ = c.raw.Close()
	c.stopTimer()
	if !errors.Is(c.ending, errLeft) {
		c.client.broken(c, err, c.replies.Partial(), now)
	}
}

var (
	errLeft         = errors.New("the connection was left")
	errTimeout      = errors.New("time-out")
	errCancelled    = errors.New("cancelled")
	errOutOfStep    = errors.New("the relay answers out of step to PIPELINING, which it offers; lock-step from now on")
	errLoneDot      = errors.New("connection given up after a transaction without recipients")
	errRefusedEarly = errors.New("the relay refused the content before its end")
	errParted       = errors.New("connection given up with the envelope of a message that went elsewhere")
)

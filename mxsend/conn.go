package mxsend

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// A conn is a connection to a relay. Its owner, the goroutine of run, alone
// writes to it and decides about what is on it; its reader hands replies to the
// owner through the inbox. Others leave word in the fields guarded by Client.mu
// and signal.
type conn struct {
	client  *Client
	relay   *relay
	lane    Lane // that it was opened for
	opening time.Time
	wake    chan struct{} // of capacity one: there is something to look at
	in      inbox

	// Client.mu guards these.
	state     connState
	slow      bool   // being opened for so long that nobody counts on it
	cur       *entry // in the content slot
	next      *entry // in the envelope slot
	slotFree  bool   // the envelope slot may be filled
	leaving   bool   // to be closed as soon as nothing is on it
	idleSince time.Time
	counted   tally

	// The owner's, once run has begun.
	address    string
	nc         net.Conn
	raw        net.Conn // beneath TLS; nc where there is none
	out        wire
	replies    *smtpwire.ReplyReader
	extensions smtpwire.Extensions
	secured    bool
	lockStep   bool
	born       time.Time
	retireAt   time.Time
	readerDone chan struct{}
	tx, txNext *transaction
	slots      [2]transaction
	seen       batch
	scratch    []byte
	used       int  // transactions that were answered
	needReset  bool // the relay has half a transaction open
	parted     bool // the entry in the envelope slot was given back: its envelope is out, so close

	since time.Time // when it last became idle

	deadline atomic.Int64 // of what is outstanding, in nanoseconds after born
	rang     atomic.Bool  // the timer did, and is not set
	timer    *time.Timer
	armed    int64 // what it is set to, in nanoseconds after born
}

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
	cn := &conn{client: c, relay: r, lane: l.id, opening: now, wake: make(chan struct{}, 1)}
	cn.tx, cn.txNext = &cn.slots[0], &cn.slots[1]
	r.conns = append(r.conns, cn)
	r.connections++
	l.dialing++
	cn.recount()
	c.goroutines.Add(1)
	go cn.run()
}

// signal wakes the owner.
func (c *conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run is the owner: it opens the connection, and then acts on every signal until
// the connection ends.
func (c *conn) run() {
	defer c.client.goroutines.Done()
	if err := c.open(c.client.ctx); err != nil {
		c.client.openFailed(c, err)
		return
	}
	c.lockStep = !c.extensions.Pipelining
	c.retireAt = c.born.Add(jitter(c.client.cfg.Limits.Age, rand.Float64()))
	c.readerDone = make(chan struct{})
	go c.read()
	if !c.client.opened(c) {
		c.close(nil)
		return
	}
	for range c.wake {
		if !c.step() {
			return
		}
	}
}

// step acts on whatever is new. It returns false after the connection's end.
func (c *conn) step() bool {
	now := time.Now()
	c.in.take(&c.seen)
	heard := len(c.seen.replies) > 0
	for _, r := range c.seen.replies {
		if err := c.handle(r, now); err != nil {
			return c.end(err, now)
		}
	}
	if c.seen.err != nil {
		return c.end(c.seen.err, now)
	}
	todo := c.client.turn(c, heard, now)
	if todo.leave {
		return c.quit()
	}
	if todo.cancelled {
		return c.end(errCancelled, now)
	}
	if err := c.write(now); err != nil {
		return c.failedWrite(err, now)
	}
	if err := c.checkDeadline(now); err != nil {
		return c.end(err, now)
	}
	return true
}

// handle takes in one reply: it belongs to the oldest command without one.
func (c *conn) handle(r wireReply, now time.Time) error {
	t := c.tx
	early := t.busy && t.granted && !t.over && (!t.dotSent || r.at < t.dotEnd)
	if t.awaits() == 0 && !early {
		t = c.txNext
	}
	switch {
	case r.code == 421:
		return &closingError{reply: c.seen.reply(r), wire: r}
	case early:
		return c.handleEarly(t, r)
	case t.awaits() == 0:
		return fmt.Errorf("%w: a reply to nothing", smtpwire.ErrProtocol)
	}
	if err := t.answered(r, &c.seen, now); err != nil {
		return err
	}
	if t == c.tx && t.over {
		return c.concluded(t, now)
	}
	return nil
}

// handleEarly: the relay answers before it can have the final dot. A refusal counts,
// and the rest of the content is not worth sending; anything else is no SMTP.
func (c *conn) handleEarly(t *transaction, r wireReply) error {
	if class := r.code / 100; class != 4 && class != 5 {
		return errUnexpected(StageContent, r)
	}
	t.refusal, t.reply, t.over = r, c.seen.reply(r), true
	c.client.conclude(c, t, time.Now())
	t.busy, t.entry = false, nil
	return errRefusedEarly
}

// concluded gives the entry of the content slot its due, and moves the other one
// up.
func (c *conn) concluded(t *transaction, now time.Time) error {
	c.used++
	c.needReset = t.openAtRelay()
	if c.outOfStep(t) {
		return errOutOfStep
	}
	c.client.conclude(c, t, now)
	t.busy, t.entry = false, nil
	c.tx, c.txNext = c.txNext, c.tx
	switch {
	case t.loneDot:
		return errLoneDot
	case c.parted:
		return errParted
	}
	return nil
}

// outOfStep says whether the reply complains of commands in groups.
func (c *conn) outOfStep(t *transaction) bool {
	if c.lockStep || t.dotSent && t.refusal.code == 0 {
		return false // what was accepted is accepted, however odd the way
	}
	if t.mailed && t.accepted == 0 {
		for i := range t.rcpts {
			if outOfStep(t.rcpts[i].wire) {
				return true
			}
		}
	}
	return outOfStep(t.refusal) && (t.stage != StageFinalDot || c.txNext.sent > 0)
}

// write writes whatever may be written now: commands up to the window, content
// that was granted with the next envelope behind it.
func (c *conn) write(now time.Time) error {
	if t := c.tx; t.busy {
		if err := c.writeCommands(t); err != nil {
			return err
		}
		if t.loneDot && !t.dotSent {
			t.dotSent = true
			if _, err := c.out.WriteString(".\r\n"); err != nil {
				return err
			}
		}
		if t.granted && !t.dotSent {
			if err := c.writeContent(t, now); err != nil {
				return err
			}
		}
		if t.dotSent && c.txNext.busy && !c.lockStep {
			if err := c.writeCommands(c.txNext); err != nil {
				return err
			}
		}
	}
	if c.out.Buffered() == 0 {
		return nil
	}
	if err := c.out.Flush(); err != nil {
		return err
	}
	if t := c.tx; t.dotSent && t.since.Equal(now) && t.entry != nil && t.entry.size > writeBuffer {
		t.since = time.Now() // writing the content may have taken long
	}
	return nil
}

// writeCommands writes the envelope, as far as the window goes.
func (c *conn) writeCommands(t *transaction) error {
	for !t.over && t.entry != nil && t.sent < t.commands() && (!c.lockStep || t.sent == t.replied) {
		c.scratch = t.next(c.scratch[:0], &c.extensions)
		if _, err := c.out.Write(c.scratch); err != nil {
			return err
		}
	}
	return nil
}

// writeContent writes content and final dot to the buffer, unless a reply came
// that should not be there yet: it is looked at first.
func (c *conn) writeContent(t *transaction, now time.Time) error {
	if c.in.unread() {
		c.signal()
		return nil
	}
	t.since = now
	if err := c.out.message(t.entry.header, t.entry.content, t.entry.dots); err != nil {
		return err
	}
	t.dotSent, t.dotEnd = true, c.out.offset()
	return nil
}

// failedWrite: the relay stopped taking octets. What it said before counts, so
// the reader gets a moment to read it.
func (c *conn) failedWrite(err error, now time.Time) bool {
	if c.client.isCancelled(c) {
		return c.end(errCancelled, now)
	}
	_ = c.raw.SetReadDeadline(time.Now().Add(time.Second))
	<-c.readerDone
	c.in.take(&c.seen)
	for _, r := range c.seen.replies {
		if herr := c.handle(r, now); herr != nil {
			return c.end(herr, now)
		}
	}
	if c.timedOut() {
		err = errTimeout
	}
	return c.end(err, now)
}

var (
	errTimeout      = errors.New("time-out")
	errCancelled    = errors.New("cancelled")
	errOutOfStep    = errors.New("the relay answers out of step to PIPELINING, which it offers; lock-step from now on")
	errLoneDot      = errors.New("connection given up after a transaction without recipients")
	errRefusedEarly = errors.New("the relay refused the content before its end")
	errParted       = errors.New("connection given up with the envelope of a message that went elsewhere")
)

// A closingError is a 421: the relay closes the connection.
type closingError struct {
	reply Reply
	wire  wireReply
}

func (e *closingError) Error() string { return "the relay closes the connection: " + e.reply.String() }

func errUnexpected(s Stage, r wireReply) error {
	return fmt.Errorf("%w: reply %d at %v", smtpwire.ErrProtocol, r.code, s)
}

// end ends the connection after err, and gives what was on it its due.
func (c *conn) end(err error, now time.Time) bool {
	_ = c.raw.Close()
	c.stopTimer()
	<-c.readerDone
	partial := c.seen.partial
	if partial == "" {
		var rest batch
		c.in.take(&rest)
		partial = rest.partial
	}
	c.client.broken(c, err, partial, now)
	return false
}

// quit ends the connection politely.
func (c *conn) quit() bool {
	c.client.gone(c, nil)
	c.close([]byte("QUIT\r\n"))
	return false
}

// close ends a connection with nothing on it: it says a last word, and gives the
// relay a second to answer it.
func (c *conn) close(last []byte) {
	c.stopTimer()
	if last != nil {
		_ = c.raw.SetDeadline(time.Now().Add(time.Second))
		if _, err := c.nc.Write(last); err == nil {
			<-c.readerDone
		}
	}
	_ = c.raw.Close()
	<-c.readerDone
}

package mxsend

import (
	"fmt"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// hear takes in a reply, or the connection's end, and every other reply that
// came with it; then it goes on with what follows from them. offered is how many
// octets the connection was offered when the reply was read. It returns false
// after the connection's end. conn.mu is held.
func (c *conn) hear(r smtpwire.Reply, offered int64, err error) bool {
	now, used := time.Now(), c.used
	for err == nil {
		if c.ending != errLeft {
			err = c.handle(r, offered, now)
		}
		if err == nil && !c.replies.HasReply() {
			c.half = c.replies.Buffered() > 0
			if c.used != used || !c.expects(now) {
				c.act(true, now)
			}
			return true
		}
		if err == nil {
			r, err = c.replies.Next()
			continue
		}
		c.end(err, now)
		return false
	}
	if c.ending != nil {
		err = c.ending // reading failed for that reason
	}
	c.end(err, now)
	return false
}

// expects says that nothing can follow yet: more replies are due to commands that
// went out together, and the books were looked at a moment ago.
func (c *conn) expects(now time.Time) bool {
	const moment = time.Second
	t := c.tx
	return t.busy && t.sent == t.commands() && !t.granted && !t.loneDot && !t.over && now.Sub(c.turned) < moment
}

// handle takes in one reply: it belongs to the oldest command without one.
func (c *conn) handle(r smtpwire.Reply, offered int64, now time.Time) error {
	t := c.tx
	early := t.busy && t.granted && !t.over && !c.mayHaveEnd(t, offered)
	if t.awaits() == 0 && !early {
		t = c.txNext
	}
	switch {
	case r.Code == 421:
		return &closingError{newReply(r.Code, r.Enhanced, r.Text)}
	case early:
		return c.handleEarly(t, r, now)
	case t.awaits() == 0:
		return fmt.Errorf("%w: a reply to nothing", smtpwire.ErrProtocol)
	}
	if err := t.answered(r, now); err != nil {
		return err
	}
	if t == c.tx && t.over {
		return c.concluded(t, now)
	}
	return nil
}

// mayHaveEnd says whether the relay may have had the final dot when its reply was
// read: the connection was offered all of it by then, and took all of it. It may
// have been offered the last octets, and have failed before it took them.
func (c *conn) mayHaveEnd(t *transaction, offered int64) bool {
	return t.dotSent && offered >= t.dotEnd && c.out.handed.octets >= t.dotEnd
}

// handleEarly: the relay answers before it can have the final dot. A refusal counts,
// and the rest of the content is not worth sending; anything else is no SMTP.
func (c *conn) handleEarly(t *transaction, r smtpwire.Reply, now time.Time) error {
	if class := r.Code / 100; class != 4 && class != 5 {
		return errUnexpected(StageContent, r)
	}
	t.refused(r)
	t.over = true
	c.client.conclude(c, t, now)
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
			if outOfStep(t.rcpts[i].code) {
				return true
			}
		}
	}
	if t.stage == StageFinalDot && (c.txNext.sent == 0 || t.entry == nil || t.entry.complained) {
		return false // of the message: nothing came with it, or it was said without that, too
	}
	return outOfStep(t.refusal)
}

// A closingError is a 421: the relay closes the connection.
type closingError struct {
	reply Reply
}

func (e *closingError) Error() string { return "the relay closes the connection: " + e.reply.String() }

func errUnexpected(s Stage, r smtpwire.Reply) error {
	return fmt.Errorf("%w: reply %d at %v", smtpwire.ErrProtocol, r.Code, s)
}

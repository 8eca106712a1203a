package mxsend

import "time"

// window is how many commands may be unanswered under PIPELINING. The replies to
// so many fit into the sockets' buffers, so the relay can write them while nobody
// here reads, and goes on reading: neither end ever waits for the other (RFC 2920
// §3.1 leaves that care to the client).
const window = 100

// write writes whatever may be written now: commands up to the window, content
// that was granted with the next envelope behind it. reading says that the reader
// is asking, which must not be kept from reading for long. conn.mu is held.
func (c *conn) write(reading bool, now time.Time) error {
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
		if t.granted && !t.dotSent && !c.half {
			if reading && t.entry.size > writeBuffer {
				c.client.attend(c)
			} else if err := c.writeContent(t, now); err != nil {
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

// writeCommands writes the envelope, as far as the window goes: one command in
// lock-step; else a window of them, and more when half of it was answered.
func (c *conn) writeCommands(t *transaction) error {
	most := window
	if c.lockStep {
		most = 1
	}
	if t.sent-t.replied > most/2 {
		return nil
	}
	for !t.over && t.entry != nil && t.sent < t.commands() && t.sent-t.replied < most {
		c.scratch = t.next(c.scratch[:0], &c.extensions)
		if _, err := c.out.Write(c.scratch); err != nil {
			return err
		}
	}
	return nil
}

// writeContent writes content and final dot to the buffer.
func (c *conn) writeContent(t *transaction, now time.Time) error {
	t.since = now
	if err := c.out.message(t.entry.header, t.entry.content, t.entry.dots); err != nil {
		return err
	}
	t.dotSent, t.dotEnd = true, c.out.offset()
	return nil
}

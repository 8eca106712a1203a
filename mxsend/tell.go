package mxsend

import "time"

// Calls into the user's code that follow from what a connection did are made when
// its mu is released: in their order, on the goroutine that caused them or, where
// one is at it already, on that one. A call may take long, or wait for a message
// that is on this very connection, so somebody else reads when its reader does not
// come back from it soon.

// unlock releases mu, and then closes the connection if that was decided. The
// caller makes the calls that it returns, by tell.
func (c *conn) unlock() (calls []func()) {
	closing := c.closing
	c.closing = false
	if !c.telling {
		calls, c.calls = c.calls, nil
		c.telling = len(calls) > 0
	}
	c.mu.Unlock()
	if closing {
		_ = c.raw.Close()
	}
	return calls
}

// tell makes the calls, and those that come meanwhile.
func (c *conn) tell(calls []func()) {
	made := 0
	defer func() {
		if made < len(calls) { // a call ended the goroutine, by runtime.Goexit
			c.mu.Lock()
			c.calls, c.telling = append(calls[made+1:], c.calls...), false
			c.mu.Unlock()
		}
	}()
	for len(calls) > 0 {
		for made = range calls {
			c.client.protect(calls[made])
		}
		c.mu.Lock()
		calls, c.calls, made = c.calls, nil, 0
		c.telling = len(calls) > 0
		c.mu.Unlock()
	}
}

// absent is how long the reader may be away, making calls, before another
// goroutine takes over. It is longer than a call should take.
const absent = 10 * time.Millisecond

// tellBetween makes calls between two replies. It says whether the caller is
// still the reader afterwards; if not, it is off Close's books, too.
func (c *conn) tellBetween(calls []func()) (reading bool) {
	c.absences++
	n := c.absences
	c.absence.Store(n)
	if c.replacement == nil {
		c.replacement = time.AfterFunc(absent, c.takeOver)
	} else {
		c.replacement.Reset(absent)
	}
	c.tell(calls)
	if !c.absence.CompareAndSwap(n, 0) {
		return false
	}
	c.replacement.Stop()
	return true
}

// takeOver is the reader from now on, if the one there is away.
func (c *conn) takeOver() {
	if n := c.absence.Load(); n != 0 && c.absence.CompareAndSwap(n, 0) {
		c.read(nil)
	}
}

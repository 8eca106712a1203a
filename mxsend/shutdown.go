package mxsend

import "context"

// Shutdown takes no more messages, waits for those it has, and then closes. When
// ctx ends first it cuts: what is queued becomes NotAttempted or Deferred, what
// is being sent Deferred, and what is committed InDoubt; every call of Send and
// SendAll still gets its outcomes. Its error is ctx's where it had to cut.
func (c *Client) Shutdown(ctx context.Context) error {
	c.mu.Lock()
	c.closeDoor()
	c.unlock()
	var err error
	select {
	case <-c.drained:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	c.cut()
	return err
}

// Close cuts at once, as Shutdown does when its context ends. It may be called
// more than once, and always returns nil; it returns when nothing of the Client
// is running any more, except a sequence of SendAll that is asked for its next
// message, and a Resolver that does not return when its context ends.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closeDoor()
	c.unlock()
	c.cut()
	return nil
}

// closeDoor refuses new messages.
func (c *Client) closeDoor() {
	if c.closed {
		return
	}
	c.closed = true
	c.noticeDrained()
	for _, l := range c.lanes {
		for r := range l.runs {
			r.wakePuller()
		}
	}
}

// noticeDrained notices that a closed Client has nothing left to do. Messages
// that come later get their outcome at once.
func (c *Client) noticeDrained() {
	if c.closed && c.live == 0 && !c.isDrained {
		c.isDrained = true
		close(c.drained)
	}
}

// cut ends everything, and waits until it has ended.
func (c *Client) cut() {
	c.mu.Lock()
	c.cancel()
	if c.alarm != nil {
		c.alarm.Stop()
	}
	for _, l := range c.lanes {
		for _, list := range [2]*entryList{&l.queue, &l.waiting} {
			for e := list.head; e != nil; e = list.head {
				c.abandon(e, ErrClosed)
			}
		}
	}
	for _, p := range c.pools {
		for _, r := range p.relays {
			for _, cn := range r.conns {
				cn.leaving = true
				for _, e := range [2]*entry{cn.cur, cn.next} {
					if e != nil {
						c.abandon(e, ErrClosed)
					}
				}
				cn.signal()
			}
		}
	}
	c.unlock()
	c.goroutines.Wait()
	<-c.drained
	c.leaveResolver.Do(func() {
		if r, ok := c.cfg.Resolver.(*dnsResolver); ok {
			r.leave()
		}
	})
}

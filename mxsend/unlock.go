package mxsend

import (
	"context"
	"fmt"
	"log/slog"
)

// Client.mu is released here, and what was to be told meanwhile is told then.

const levelWarn, levelInfo = slog.LevelWarn, slog.LevelInfo

// log logs once mu is released.
func (c *Client) log(level slog.Level, msg string, args ...any) {
	c.after(func() { c.cfg.Logger.Log(context.Background(), level, msg, args...) })
}

// after has f called once mu is released, and a session's where that is held, too.
func (c *Client) after(f func()) { c.afterUnlock = append(c.afterUnlock, f) }

// unlock releases mu and makes the calls that were put off.
func (c *Client) unlock() { c.tell(c.letGo()) }

// letGo releases mu and returns the calls that were put off.
func (c *Client) letGo() []func() {
	calls := c.afterUnlock
	c.afterUnlock = nil
	c.mu.Unlock()
	return calls
}

// unlockLast is unlock at the end of a goroutine that Close waits for. The calls
// come when it is off the books: they may call Close.
func (c *Client) unlockLast() {
	calls := c.letGo()
	c.goroutines.Done()
	c.tell(calls)
}

// unlockFor is unlock for who holds the lock of a conn's session: its calls are made
// when that is released.
func (c *Client) unlockFor(cn *conn) { cn.session.After(c.letGo()) }

// tell makes calls into the user's code, with no lock held.
func (c *Client) tell(calls []func()) {
	for _, f := range calls {
		c.protect(f)
	}
}

// recovered makes an error of a panic in the user's code.
func recovered(what string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s panicked: %T", what, p)
	}
}

// protect calls into the user's code; a panic there is logged and ends nothing.
func (c *Client) protect(f func()) {
	defer func() {
		if p := recover(); p != nil {
			defer func() { _ = recover() }() // it may have been the Logger's
			c.cfg.Logger.Error("a callback of Config panicked", "panic", fmt.Sprintf("%T", p))
		}
	}()
	f()
}

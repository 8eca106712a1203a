package bounce

import (
	"net"
	"sync"
	"time"
)

const defaultHandleTimeout = time.Minute

// limit returns a listener with at most n connections at a time, each of which
// lives no longer than life.
func limit(l net.Listener, n int, life time.Duration) net.Listener {
	return &limitedListener{Listener: l, slots: make(chan struct{}, n), done: make(chan struct{}), life: life}
}

type limitedListener struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	once  sync.Once
	life  time.Duration
}

// Accept waits for a free slot first, so that others wait in the kernel's queue.
func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	limited := &limitedConn{Conn: c, release: func() { <-l.slots }}
	limited.timer = time.AfterFunc(l.life, func() { limited.Close() })
	return limited, nil
}

func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// limitedConn gives its slot back when it is closed first.
type limitedConn struct {
	net.Conn
	once    sync.Once
	timer   *time.Timer
	release func()
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.timer.Stop()
		c.release()
	})
	return err
}

package bounce

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// limit returns a listener with at most n connections at a time, each of which
// lives no longer than life.
func limit(l net.Listener, n int, life time.Duration) *limitedListener {
	return &limitedListener{
		Listener: l, slots: make(chan struct{}, n), done: make(chan struct{}), life: life,
		conns: make(map[*limitedConn]struct{}),
	}
}

type limitedListener struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	once  sync.Once
	life  time.Duration

	mu    sync.Mutex // guards conns and cut
	conns map[*limitedConn]struct{}
	cut   bool
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
	limited := &limitedConn{Conn: c, listener: l}
	limited.timer = time.AfterFunc(l.life, func() { limited.Close() })
	l.mu.Lock()
	l.conns[limited] = struct{}{}
	cut := l.cut
	l.mu.Unlock()
	if cut { // accepted while cutConnections ran
		limited.Close()
		return nil, net.ErrClosed
	}
	return limited, nil
}

// each accepts connections until Close, serves each in a goroutine of its own, and
// waits for them.
func (l *limitedListener) each(serve func(net.Conn)) error {
	var conns sync.WaitGroup
	defer conns.Wait()
	defer l.Close()
	const least, most = time.Millisecond, time.Second
	for pause := least; ; {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = least
			conns.Go(func() {
				defer c.Close()
				serve(c)
			})
			continue
		case errors.Is(err, net.ErrClosed):
			return nil
		case !passes(err):
			return err
		}
		select {
		case <-time.After(pause):
		case <-l.done:
			return nil
		}
		pause = min(2*pause, most)
	}
}

// passes reports whether an error of Accept is one that others' connections, or
// memory, will free again.
func passes(err error) bool {
	for _, e := range [...]error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Close stops accepting.
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// cutConnections closes all connections, and any accepted later.
func (l *limitedListener) cutConnections() {
	l.mu.Lock()
	l.cut = true
	conns := make([]*limitedConn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

// limitedConn gives its slot back when it is closed first.
type limitedConn struct {
	net.Conn
	listener *limitedListener
	once     sync.Once
	timer    *time.Timer
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.timer.Stop()
		c.listener.mu.Lock()
		delete(c.listener.conns, c)
		c.listener.mu.Unlock()
		<-c.listener.slots
	})
	return err
}

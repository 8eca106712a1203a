package sink

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
)

// A Sink serves on a listener until the process ends.
type Sink struct {
	sessions, accepted, octets, turns atomic.Int64

	epoll    int
	listener int
	open     map[int]*session
	buf      []byte
	out      []byte
}

// Serve is the event loop: it returns only with an error.
func (s *Sink) Serve(l *net.TCPListener) error {
	f, err := l.File()
	if err != nil {
		return err
	}
	defer f.Close()
	s.listener = int(f.Fd())
	if err := syscall.SetNonblock(s.listener, true); err != nil {
		return err
	}
	if s.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return err
	}
	s.open, s.buf = map[int]*session{}, make([]byte, 256<<10)
	if err := s.watch(s.listener); err != nil {
		return err
	}
	events := make([]syscall.EpollEvent, 128)
	for {
		n, err := syscall.EpollWait(s.epoll, events, -1)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			if int(e.Fd) == s.listener {
				s.accept()
			} else if !s.serve(int(e.Fd)) {
				delete(s.open, int(e.Fd))
				_ = syscall.Close(int(e.Fd))
			}
		}
	}
}

func (s *Sink) watch(fd int) error {
	return syscall.EpollCtl(s.epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
}

func (s *Sink) accept() {
	for {
		fd, _, err := syscall.Accept4(s.listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
		if s.watch(fd) != nil {
			_ = syscall.Close(fd)
			continue
		}
		s.open[fd] = &session{}
		s.sessions.Add(1)
		_, _ = syscall.Write(fd, []byte(greeting))
	}
}

// serve reads once and answers once. It returns false at the connection's end.
func (s *Sink) serve(fd int) bool {
	x := s.open[fd]
	held := copy(s.buf, x.rest)
	n, err := syscall.Read(fd, s.buf[held:])
	if errors.Is(err, syscall.EAGAIN) {
		return true
	}
	if n <= 0 {
		return false
	}
	rest, out := x.take(s.buf[:held+n], s.out[:0])
	x.rest, s.out = append(x.rest[:0], rest...), out
	s.accepted.Add(x.accepted)
	s.octets.Add(x.octets)
	x.accepted, x.octets = 0, 0
	if len(out) > 0 {
		s.turns.Add(1)
		// Replies are small and the client reads them: they fit the socket's buffer.
		if _, err := syscall.Write(fd, out); err != nil {
			return false
		}
	}
	return !x.quit
}

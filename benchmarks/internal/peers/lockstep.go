package peers

import (
	"context"
	"io"
)

// A session is one connection of a client that has a call for each command.
type session struct {
	mail, rcpt  func(address string) error
	data        func() (io.WriteCloser, error)
	quit, close func() error
}

// inLockStep is a run of such a client: its sessions are kept open, each on a goroutine, and wait for the reply to every
// command, as such clients do.
func inLockStep(open func(address string) (*session, error)) func(context.Context, Job, *mailing) (int, error) {
	return func(_ context.Context, job Job, m *mailing) (int, error) {
		return pooled(job, m, func(take func() (string, bool)) error {
			s, err := open(job.Address)
			if err != nil {
				return err
			}
			defer s.close()
			for {
				returnPath, ok := take()
				if !ok {
					return s.quit()
				}
				if err := s.send(returnPath, m.content); err != nil {
					return err
				}
			}
		})
	}
}

// send is one transaction.
func (s *session) send(returnPath string, content []byte) error {
	if err := s.mail(returnPath); err != nil {
		return err
	}
	if err := s.rcpt(recipient); err != nil {
		return err
	}
	w, err := s.data()
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	return w.Close()
}

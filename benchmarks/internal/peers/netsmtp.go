package peers

import (
	"context"
	"net/smtp"
)

// runNetSMTP is the standard library's client, each connection on a goroutine
// and kept open.
func runNetSMTP(_ context.Context, job Job, m *mailing) (int, error) {
	return pooled(job, m, func(take func() (string, bool)) error {
		c, err := smtp.Dial(job.Address)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.Hello(LocalName); err != nil {
			return err
		}
		for {
			returnPath, ok := take()
			if !ok {
				return c.Quit()
			}
			if err := c.Mail(returnPath); err != nil {
				return err
			}
			if err := c.Rcpt(recipient); err != nil {
				return err
			}
			w, err := c.Data()
			if err != nil {
				return err
			}
			if _, err := w.Write(m.content); err != nil {
				return err
			}
			if err := w.Close(); err != nil {
				return err
			}
		}
	})
}

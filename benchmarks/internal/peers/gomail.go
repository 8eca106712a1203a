package peers

import (
	"context"
	"errors"

	"github.com/wneessen/go-mail"
)

// runGoMail is go-mail, each client on a goroutine with its connection kept open.
// It composes every message itself: that is how it is used, and part of its
// figures.
func runGoMail(ctx context.Context, job Job, m *mailing) (int, error) {
	host, port, err := splitAddress(job.Address)
	if err != nil {
		return 0, err
	}
	text := string(body(job.Size - 340)) // its header is that long
	return pooled(job, m, func(take func() (string, bool)) (err error) {
		c, err := mail.NewClient(host, mail.WithPort(port), mail.WithTLSPolicy(mail.NoTLS), mail.WithHELO(LocalName))
		if err != nil {
			return err
		}
		if err := c.DialWithContext(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		for {
			returnPath, ok := take()
			if !ok {
				return nil
			}
			message := mail.NewMsg(mail.WithEncoding(mail.NoEncoding))
			if err := errors.Join(
				message.EnvelopeFrom(returnPath),
				message.From("Sender <sender@bench.test>"),
				message.To(recipient),
			); err != nil {
				return err
			}
			message.Subject("A message of a benchmark")
			message.SetBodyString(mail.TypeTextPlain, text)
			if err := c.Send(message); err != nil {
				return err
			}
		}
	})
}

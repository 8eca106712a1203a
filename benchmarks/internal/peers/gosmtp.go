package peers

import (
	"io"

	"github.com/emersion/go-smtp"
)

// openGoSMTP is a session of go-smtp's client.
func openGoSMTP(address string) (*session, error) {
	c, err := smtp.Dial(address)
	if err != nil {
		return nil, err
	}
	return &session{
		mail:  func(returnPath string) error { return c.Mail(returnPath, nil) },
		rcpt:  func(recipient string) error { return c.Rcpt(recipient, nil) },
		data:  func() (io.WriteCloser, error) { return c.Data() },
		quit:  c.Quit,
		close: c.Close,
	}, c.Hello(LocalName)
}

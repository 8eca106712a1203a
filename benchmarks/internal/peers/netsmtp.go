package peers

import "net/smtp"

// openNetSMTP is a session of the standard library's client.
func openNetSMTP(address string) (*session, error) {
	c, err := smtp.Dial(address)
	if err != nil {
		return nil, err
	}
	return &session{mail: c.Mail, rcpt: c.Rcpt, data: c.Data, quit: c.Quit, close: c.Close}, c.Hello(LocalName)
}

package mxtest

import (
	"errors"
	"time"
)

// Limits are the loads under which a relay turns clients away. Zero fields set no limit.
type Limits struct {
	Connections    int           // open sessions; over it the greeting is 421 4.7.0 and the connection is closed
	ConnectionRate int           // new sessions a second; over it as above
	MessageRate    int           // mails accepted a second; over it MAIL is answered 450 4.7.1
	Messages       int           // mails in the queues; over it MAIL is answered 452 4.3.1, as a full disk does
	MessageSize    int           // octets; below the relay's MessageSizeLimit it takes its place, also in EHLO
	Recipients     int           // recipients of a transaction; more are answered 452 4.5.3
	Idle           time.Duration // silence after which a session is closed with 421 4.4.2
	Accept         time.Duration // time a relay takes to answer the final dot
}

func (l Limits) validate() error {
	if min(l.Connections, l.ConnectionRate, l.MessageRate, l.Messages, l.MessageSize, l.Recipients) < 0 || min(l.Idle, l.Accept) < 0 {
		return errors.New("mxtest: Limits cannot be negative; zero sets none")
	}
	return nil
}

package mxtest

import (
	"errors"
	"time"
)

// Limits are the loads under which a relay turns clients away. Zero fields set no limit.
//
// Without any of them a relay still serves only RelayConfig.SMTPDProcessLimit clients at a time. The others are connected,
// and wait in the order in which they came, without a greeting. Connections is checked before that wait, and counts those
// who wait; limits by client address are checked after it, and count those who are served, as Postfix's anvil does. A client has
// an address of its own through [Cluster.DialFrom].
type Limits struct {
	Connections       int           // open sessions of all clients; over it the greeting is 421 4.7.0 and the connection is closed
	ClientConnections int           // sessions of one client address; over it as above
	ConnectionRate    int           // new sessions a second of one client address; over it as above
	MessageRate       int           // mails a second from one client address; over it MAIL is answered 450 4.7.1
	Messages          int           // mails in the queues; over it MAIL is answered 452 4.3.1, as a full disk does
	MessageSize       int           // octets; below the relay's MessageSizeLimit it takes its place, also in EHLO
	Recipients        int           // recipients of a transaction; more are answered 452 4.5.3
	Idle              time.Duration // silence after which a session is closed with 421 4.4.2
	Accept            time.Duration // time a relay takes to answer the final dot
}

func (l Limits) validate() error {
	if min(l.Connections, l.ClientConnections, l.ConnectionRate, l.MessageRate, l.Messages, l.MessageSize, l.Recipients) < 0 || min(l.Idle, l.Accept) < 0 {
		return errors.New("mxtest: Limits cannot be negative; zero sets none")
	}
	return nil
}

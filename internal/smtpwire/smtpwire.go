// Package smtpwire is SMTP as octets, for both ends of a connection.
//
// The client half reads replies under limits ([ReplyReader]), parses the answer
// to EHLO ([ParseExtensions]), writes commands that cannot be injected into
// ([Mailbox], [AppendMail], [AppendRcpt]) and writes content dot-stuffed
// ([WriteContent]). The server half is what the embedded test MTA stands on. It
// knows nothing of relays, lanes or retries.
package smtpwire

import "errors"

// ErrProtocol is wrapped by every error about octets that are not SMTP: after
// it the connection must not be used again.
var ErrProtocol = errors.New("smtp protocol violation")

// Package peers is the clients that are measured: this library and what a user
// would pick instead, each doing the same job.
package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
)

// A Job is what a peer has to do: submit Messages messages of Size octets over
// Connections connections, which it keeps open, to the relays at Address.
type Job struct {
	Peer        string
	Address     string // host:port of the server, which stands behind every relay
	DNS         string // of a server that knows the relays of Domain as MX records
	Connections int
	Messages    int
	Size        int    // octets of content, CRLFs included
	Scratch     string // directory for files that a program needs
	Profile     string // directory for profiles of the process; empty: none
}

// Names of the messages' envelopes, and of the mail domain whose MX records name
// the relays.
const (
	Domain    = "relays.bench.test"
	LocalName = "client.bench.test"
	recipient = "you@destination.bench.test"
)

// A Peer is one client.
type Peer struct {
	Name string
	// run does the job in this process and returns how many messages were
	// accepted. Nil: the peer is a program.
	run func(context.Context, Job, *mailing) (int, error)
	// command is the program that does the job; its error says why the peer
	// cannot be had.
	command func(Job) (*exec.Cmd, error)
	// measures: the program measures itself and prints a Figure as JSON.
	measures bool
	// keys sign each message, each in a header field of its own.
	keys []keyMaker
	// oneReturnPath: all messages have the same, as those of smtp-source have.
	oneReturnPath bool
	// Bare is the peer that makes the same signatures and sends nothing; empty: there
	// is none. For such a peer itself, see Sends.
	Bare string
	bare bool
	// Inexact: the peer composes messages of its own, of about the size.
	Inexact bool
	// Slow: its runs take long to start.
	Slow bool
}

// All returns the peers, in the order of the tables.
func All() []Peer {
	rsa, openSSL, ed := []keyMaker{rsaKey}, []keyMaker{opensslKey}, []keyMaker{ed25519Key}
	both := []keyMaker{rsaKey, ed25519Key}
	return []Peer{
		{Name: "mxsend", run: runMxsend},
		{Name: "mxsend (one return path)", run: runMxsend, oneReturnPath: true},
		{Name: "mxsend+RSA", run: runMxsend, keys: rsa, Bare: "bare RSA"},
		{Name: "mxsend+RSA in OpenSSL", run: runMxsend, keys: openSSL, Bare: "bare RSA in OpenSSL"},
		{Name: "mxsend+Ed25519", run: runMxsend, keys: ed, Bare: "bare Ed25519"},
		{Name: "mxsend+both", run: runMxsend, keys: both, Bare: "bare both"},
		{Name: "smtp-source", command: smtpSource},
		{Name: "net/smtp", run: inLockStep(openNetSMTP)},
		{Name: "go-smtp", run: inLockStep(openGoSMTP)},
		{Name: "go-mail", run: runGoMail, Inexact: true},
		{Name: "nodemailer", command: nodemailer, measures: true, Slow: true},
		{Name: "floor", run: runFloor},
		{Name: "bare RSA", run: runBare, keys: rsa, bare: true},
		{Name: "bare RSA in OpenSSL", run: runBare, keys: openSSL, bare: true},
		{Name: "bare Ed25519", run: runBare, keys: ed, bare: true},
		{Name: "bare both", run: runBare, keys: both, bare: true},
	}
}

// Signatures is how many DKIM signatures the peer puts on each message.
func (p Peer) Signatures() int { return len(p.keys) }

// Sends says whether the peer sends mail at all: bare signing does not.
func (p Peer) Sends() bool { return !p.bare }

func find(name string) (Peer, error) {
	for _, p := range All() {
		if p.Name == name {
			return p, nil
		}
	}
	return Peer{}, fmt.Errorf("no peer is called %q", name)
}

// Available returns why the peer cannot run here; nil if it can. It may write to
// the scratch directory.
func (p Peer) Available(scratch string) error {
	if p.command == nil {
		_, err := makeKeys(p.keys)
		return err
	}
	_, err := p.command(Job{Address: "127.0.0.1:25", Connections: 1, Messages: 1, Size: 512, Scratch: scratch})
	return err
}

// pooled runs one session a connection side by side; the sessions share the
// messages.
func pooled(job Job, m *mailing, session func(take func() (returnPath string, ok bool)) error) (int, error) {
	errs := make(chan error, job.Connections)
	for range job.Connections {
		go func() { errs <- session(m.take) }()
	}
	var all []error
	for range job.Connections {
		all = append(all, <-errs)
	}
	// A session returns an error for the first message that was not accepted.
	if err := errors.Join(all...); err != nil {
		return 0, err
	}
	return job.Messages, nil
}

func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}

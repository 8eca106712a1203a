package main

import (
	"fmt"
	"time"
)

type options struct {
	quick   bool
	only    string
	peers   string
	rounds  int
	run     time.Duration
	profile string
	under   []string
}

// A benchCase is one table: the same job for every peer.
type benchCase struct {
	sink        string
	connections int
	size        int
	roundTrip   time.Duration
	peers       []string      // who is compared
	signed      bool          // signing is what is compared
	run         time.Duration // about how long one run should take
	rounds      int
}

// Who is compared: everybody where the client is the limit, and those that matter elsewhere. The floor is no client, but what one
// cannot do without.
var (
	core      = []string{"mxsend", "smtp-source", "net/smtp", "go-smtp"}
	withFloor = []string{"mxsend", "floor", "smtp-source", "net/smtp", "go-smtp"}
	stored    = []string{"mxsend", "mxsend (one return path)", "floor", "smtp-source", "net/smtp", "go-smtp", "go-mail", "nodemailer"}
	everybody = []string{"mxsend", "floor", "smtp-source", "net/smtp", "go-smtp", "go-mail", "nodemailer"}
	signers   = []string{
		"mxsend", "mxsend+RSA", "mxsend+RSA in OpenSSL", "mxsend+Ed25519", "mxsend+both",
		"bare RSA", "bare RSA in OpenSSL", "bare Ed25519", "bare both",
	}
)

// The sinks.
const (
	minimal     = "minimal sink"
	smtpSink    = "smtp-sink"
	testRelay   = "mxtest"
	realPostfix = "Postfix (discard)"
)

func (c benchCase) name() string {
	name := fmt.Sprintf("%s, %s, %d KiB", c.sink, c.width(), c.size>>10)
	if c.roundTrip > 0 {
		name += fmt.Sprintf(", %v round trip", c.roundTrip)
	}
	if c.signed {
		name += ", signed"
	}
	return name
}

// width is how many connections the case has, in words.
func (c benchCase) width() string {
	if c.connections == 1 {
		return "1 connection"
	}
	return fmt.Sprintf("%d connections", c.connections)
}

// cases lists what is measured, those of -quick first.
func cases(o options) []benchCase {
	const kib, ms = 1 << 10, time.Millisecond
	all := []benchCase{
		{sink: minimal, connections: 10, size: 4 * kib, peers: everybody},
		{sink: minimal, connections: 1, size: 4 * kib, roundTrip: ms, peers: core},
		{sink: smtpSink, connections: 10, size: 4 * kib, peers: withFloor},
	}
	if !o.quick {
		all = append(all,
			benchCase{sink: minimal, connections: maxConnections, size: 4 * kib, peers: everybody},
			benchCase{sink: minimal, connections: 1, size: 4 * kib, peers: core},
			benchCase{sink: minimal, connections: 10, size: 64 * kib, peers: everybody},
			benchCase{sink: minimal, connections: maxConnections, size: 64 * kib, peers: core},
			benchCase{sink: minimal, connections: 10, size: 4 * kib, peers: signers, signed: true},
			benchCase{sink: smtpSink, connections: maxConnections, size: 4 * kib, peers: core},
			benchCase{sink: smtpSink, connections: 10, size: 64 * kib, peers: core},
			benchCase{sink: minimal, connections: 10, size: 4 * kib, roundTrip: ms, peers: core},
			benchCase{sink: minimal, connections: maxConnections, size: 4 * kib, roundTrip: ms, peers: core},
			benchCase{sink: minimal, connections: 1, size: 64 * kib, roundTrip: ms, peers: core},
			benchCase{sink: minimal, connections: 1, size: 4 * kib, roundTrip: 10 * ms, peers: core},
			benchCase{sink: minimal, connections: 10, size: 4 * kib, roundTrip: 10 * ms, peers: core},
			benchCase{sink: minimal, connections: maxConnections, size: 4 * kib, roundTrip: 10 * ms, peers: core},
			benchCase{sink: testRelay, connections: 10, size: 4 * kib, peers: core},
			benchCase{sink: testRelay, connections: maxConnections, size: 4 * kib, peers: core},
			benchCase{sink: realPostfix, connections: 10, size: 4 * kib, peers: stored},
			benchCase{sink: realPostfix, connections: maxConnections, size: 4 * kib, peers: core},
			benchCase{sink: realPostfix, connections: 10, size: 64 * kib, peers: withFloor},
		)
	}
	for i := range all {
		all[i] = o.timed(all[i])
	}
	return all
}

// maxConnections is the most that a case has.
const maxConnections = 50

// startTrips is how many round trips a run has to last at least, so that the four or five of opening and closing a connection
// do not show.
const startTrips = 200

// timed sets how long and how often the peers of a case run.
func (o options) timed(c benchCase) benchCase {
	c.rounds, c.run = 5, time.Second
	if o.quick {
		c.rounds, c.run = 3, 200*time.Millisecond
	}
	if c.sink == realPostfix {
		// What it accepted goes through its queue after each run, which takes as long again.
		c.rounds, c.run = 3, 2*c.run
	}
	if o.run > 0 {
		c.run = o.run
	}
	if least := startTrips * c.roundTrip; c.run < least {
		c.rounds, c.run = 3, least
	}
	if o.rounds > 0 {
		c.rounds = o.rounds
	}
	return c
}

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
	run         time.Duration // about how long one run should take
}

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
	return name
}

// width is how many connections the case has, in words.
func (c benchCase) width() string {
	if c.connections == 1 {
		return "1 connection"
	}
	return fmt.Sprintf("%d connections", c.connections)
}

// cases lists what is measured. A single connection is measured only with a
// round-trip time: on loopback without one, its figures tell more about the
// processor's idle states than about the client.
func cases(o options) []benchCase {
	const kib = 1 << 10
	run := o.run
	if o.quick {
		if run == 0 {
			run = 200 * time.Millisecond
		}
		return []benchCase{
			{minimal, 10, 4 * kib, 0, run},
			{minimal, 1, 4 * kib, time.Millisecond, run},
			{smtpSink, 10, 4 * kib, 0, run},
		}
	}
	if run == 0 {
		run = time.Second
	}
	return []benchCase{
		{minimal, 10, 4 * kib, 0, run},
		{minimal, 50, 4 * kib, 0, run},
		{minimal, 10, 64 * kib, 0, run},
		{minimal, 50, 64 * kib, 0, run},
		{smtpSink, 10, 4 * kib, 0, run},
		{smtpSink, 50, 4 * kib, 0, run},
		{smtpSink, 10, 64 * kib, 0, run},
		{minimal, 1, 4 * kib, time.Millisecond, run},
		{minimal, 1, 64 * kib, time.Millisecond, run},
		{minimal, 1, 4 * kib, 10 * time.Millisecond, run},
		{minimal, 10, 4 * kib, time.Millisecond, run},
		{minimal, 50, 4 * kib, time.Millisecond, run},
		{minimal, 10, 4 * kib, 10 * time.Millisecond, run},
		{minimal, 50, 4 * kib, 10 * time.Millisecond, run},
		{smtpSink, 1, 4 * kib, time.Millisecond, run},
		{testRelay, 10, 4 * kib, 0, run},
		{testRelay, 50, 4 * kib, 0, run},
		{realPostfix, 10, 4 * kib, 0, 2 * run},
		{realPostfix, 50, 4 * kib, 0, 2 * run},
		{realPostfix, 10, 64 * kib, 0, 2 * run},
	}
}

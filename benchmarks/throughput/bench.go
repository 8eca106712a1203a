package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/peers"
	"github.com/mxsend/go-mxsend/benchmarks/internal/postfix"
	"github.com/mxsend/go-mxsend/benchmarks/internal/program"
	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
	"github.com/mxsend/go-mxsend/benchmarks/internal/sink"
)

// A bench is the standing part: sinks, name servers, and the peers that can run
// here.
type bench struct {
	options  options
	peers    []peers.Peer
	env      *program.Env
	scratch  string
	minimal  *sink.Process
	smtpSink *postfix.Sink             // nil: not to be had
	postfix  *postfix.Instance         // nil: not to be had, or not needed
	dns      map[int]*peers.NameServer // by the number of relays
}

func newBench(o options, e *program.Env) (_ *bench, err error) {
	b := &bench{options: o, env: e, dns: map[int]*peers.NameServer{}}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.scratch, err = os.MkdirTemp("", "mxsend-throughput-*"); err != nil {
		return nil, err
	}
	for _, p := range peers.All() {
		if o.peers != "" && !slices.Contains(strings.Split(o.peers, ","), p.Name) || o.quick && o.peers == "" && p.Signatures() > 0 {
			continue
		}
		if o.quick && o.peers == "" && p.Slow {
			e.Skip(p.Name, errors.New("it takes too long for -quick"))
			continue
		}
		if err := p.Available(b.scratch); err != nil {
			e.Skip(p.Name, err)
			continue
		}
		b.peers = append(b.peers, p)
	}
	if len(b.peers) == 0 {
		return nil, program.Misuse("-peers %q: none of them is known and can run here", o.peers)
	}
	if b.minimal, err = sink.Start(exec.Command(program.Self(), beSink)); err != nil {
		return nil, err
	}
	if b.smtpSink, err = postfix.StartSink(); err != nil {
		e.Skip(smtpSink, err)
	}
	if !o.quick {
		if b.postfix, err = postfix.Start(postfix.Config{}); err != nil {
			e.Skip(realPostfix, err)
		}
	}
	for _, relays := range []int{1, 2} {
		if b.dns[relays], err = peers.ServeDNS(relays); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *bench) close() {
	for _, s := range b.dns {
		if s != nil {
			_ = s.Close()
		}
	}
	if b.minimal != nil {
		_ = b.minimal.Close()
	}
	if b.smtpSink != nil {
		_ = b.smtpSink.Close()
	}
	if b.postfix != nil {
		_ = b.postfix.Stop()
	}
	_ = os.RemoveAll(b.scratch)
}

// A result is what the runs of one peer in one case gave.
type result struct {
	peer       peers.Peer
	rate       report.Sample // messages a second
	cpu        report.Sample // of the client, µs a message
	mallocs    report.Sample // a message
	roundTrips report.Sample // a message
}

// has says whether the sink of a case is to be had.
func (b *bench) has(c benchCase) bool {
	return c.sink == minimal || c.sink == testRelay || c.sink == smtpSink && b.smtpSink != nil || c.sink == realPostfix && b.postfix != nil
}

// measure has every peer do the job of a case in turn, as many rounds as asked,
// each round in another order.
func (b *bench) measure(ctx context.Context, c benchCase, s *stage) ([]*result, error) {
	compared := b.compared(c)
	results, count := make([]*result, len(compared)), make([]int, len(compared))
	for i, p := range compared {
		n, err := b.calibrate(ctx, c, s, p)
		if err != nil {
			return nil, err
		}
		results[i], count[i] = &result{peer: p}, n
	}
	for round := range c.rounds {
		for i := range compared {
			at := (round + i) % len(compared)
			m, err := b.once(ctx, c, s, compared[at], count[at])
			if err != nil {
				return nil, err
			}
			results[at].add(m)
			b.env.Progress("%s: round %d of %d: %s %.0f messages/s", c.name(), round+1, c.rounds, compared[at].Name, m.rate())
		}
	}
	return results, nil
}

// compared is the peers of a case, or those that were asked for.
func (b *bench) compared(c benchCase) (compared []peers.Peer) {
	for _, p := range b.peers {
		if b.options.peers != "" || slices.Contains(c.peers, p.Name) {
			compared = append(compared, p)
		}
	}
	return compared
}

// calibrate finds how many messages the peer submits in about the time that a run
// should take.
func (b *bench) calibrate(ctx context.Context, c benchCase, s *stage, p peers.Peer) (int, error) {
	// Enough that the opening of the connections does not show.
	const enough, most = 40, 400_000
	for n := 4 * c.connections; ; n = min(most, n*6) {
		b.env.Progress("%s: calibrating %s", c.name(), p.Name)
		m, err := b.once(ctx, c, s, p, n)
		if err != nil {
			return 0, err
		}
		if m.figure.Elapsed > c.run/3 || n == most {
			return min(most, max(n, enough*c.connections, int(m.rate()*c.run.Seconds()))), nil
		}
	}
}

// A measurement is one run of one peer.
type measurement struct {
	messages int
	figure   peers.Figure
	turns    int64
}

func (m measurement) rate() float64 { return float64(m.messages) / m.figure.Elapsed.Seconds() }

func (r *result) add(m measurement) {
	n := float64(m.messages)
	r.rate = append(r.rate, m.rate())
	r.cpu = append(r.cpu, float64(m.figure.CPU)/float64(time.Microsecond)/n)
	r.mallocs = append(r.mallocs, float64(m.figure.Mallocs)/n)
	r.roundTrips = append(r.roundTrips, float64(m.turns)/n)
}

// once runs a peer once and checks what it says against what the sink counted.
func (b *bench) once(ctx context.Context, c benchCase, s *stage, p peers.Peer, n int) (measurement, error) {
	before, err := s.totals(0)
	if err != nil {
		return measurement{}, err
	}
	job := peers.Job{
		Address: s.address, DNS: b.dns[peers.Relays(c.connections)].Address,
		Connections: c.connections, Messages: n, Size: c.size,
		Scratch: b.scratch, Profile: b.options.profile,
	}
	figure, err := p.Run(ctx, job, b.options.self)
	if err != nil {
		return measurement{}, err
	}
	if !p.Sends() {
		return measurement{messages: n, figure: figure}, ctx.Err()
	}
	after, err := s.totals(before.Accepted + int64(n))
	if err != nil {
		return measurement{}, err
	}
	counted := after.Minus(before)
	if figure.Accepted != n || counted.Accepted != int64(n) {
		return measurement{}, fmt.Errorf("void: %s was given %d messages, says that %d were accepted, and the sink counted %d", p.Name, n, figure.Accepted, counted.Accepted)
	}
	if want := int64(n) * int64(c.size); counted.Octets > 0 && !fits(p, counted.Octets, want, int64(n)) {
		return measurement{}, fmt.Errorf("void: %s sent %d octets of content in place of %d", p.Name, counted.Octets, want)
	}
	return measurement{n, figure, counted.Turns}, ctx.Err()
}

// fits says whether the peer sent as many octets as it was to: a peer that
// composes its own messages within two per cent, one that signs them with at most
// 1 KiB for each signature.
func fits(p peers.Peer, got, want, messages int64) bool {
	switch {
	case p.Inexact:
		return max(got-want, want-got)*50 < want
	case p.Signatures() > 0:
		return got > want && got <= want+messages*int64(p.Signatures())<<10
	}
	return got == want
}

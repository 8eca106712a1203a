// Throughput measures how fast mail is submitted: this library beside Postfix's smtp-source, net/smtp, go-smtp's client,
// go-mail and nodemailer's pool, all in one run, into the cheapest sink there can be, smtp-sink, a relay of mxtest and real
// Postfix. Each peer is a process of its own, and so is the sink; runs alternate, and what is shown are medians. Every mail
// that a peer says was accepted is counted at the sink, and a run whose count is off is void.
//
//	go run ./benchmarks/throughput                 # all tables, about twelve minutes
//	go run ./benchmarks/throughput -quick          # at most 20 s
//	go run ./benchmarks/throughput -json           # one object on standard output
//	go run -tags openssl ./benchmarks/throughput   # with an RSA key inside OpenSSL (needs its headers)
//
// Peers and sinks that the machine lacks are skipped with a word. Real Postfix needs root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/peers"
	"github.com/mxsend/go-mxsend/benchmarks/internal/program"
	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
	"github.com/mxsend/go-mxsend/benchmarks/internal/sink"
)

// Words that make this program another of its processes.
const (
	beSink   = "be-sink"
	beRelays = "be-relays"
	bePeer   = "be-peer"
)

func main() {
	o := &options{}
	program.Main(program.Program{
		Name: "throughput", Quick: "fewer cases, shorter runs",
		Flags: o.flags, Run: o.measure,
		Others: map[string]func(context.Context, []string) error{
			beSink:   func(context.Context, []string) error { return sink.Main(os.Stdin, os.Stdout) },
			beRelays: func(context.Context, []string) error { return serveRelays(os.Stdin, os.Stdout) },
			bePeer: func(ctx context.Context, args []string) error {
				if len(args) != 1 {
					return errors.New("a peer needs its job")
				}
				return peers.Main(ctx, args[0], os.Stdout)
			},
		},
	})
}

func (o *options) flags(f *flag.FlagSet) {
	f.StringVar(&o.only, "case", "", "only cases whose name contains this")
	f.StringVar(&o.peers, "peers", "", "only these peers, as in mxsend,smtp-source; each in every case")
	f.IntVar(&o.rounds, "rounds", 0, "runs of each peer in each case (default 5 or 3)")
	f.DurationVar(&o.run, "time", 0, "about how long one run takes (default 1s, 200ms with -quick, more where it has to be)")
	f.Func("under", "run peers written in Go under this `command`, as in 'strace -c -f -o calls.txt'; no figure is to be believed then",
		func(command string) error { o.under = strings.Fields(command); return nil })
	f.StringVar(&o.profile, "profile", "", "directory for CPU and allocation profiles of the last run in Go")
}

func (o *options) measure(ctx context.Context, e *program.Env) error {
	if o.rounds < 0 || o.run < 0 {
		return program.Misuse("-rounds and -time cannot be negative")
	}
	o.quick = e.Quick
	b, err := newBench(*o, e)
	if err != nil {
		return err
	}
	defer b.close()
	e.Report().Reference = reference
	var all []measured
	for _, c := range cases(*o) {
		if !strings.Contains(c.name(), o.only) || !b.has(c) {
			continue
		}
		t, results, err := b.runCase(ctx, c, e.Report())
		if err != nil {
			return fmt.Errorf("%s: %w", c.name(), err)
		}
		all = append(all, measured{c, results})
		if err := e.Table(t); err != nil {
			return err
		}
	}
	if len(all) == 0 {
		return program.Misuse("-case %q is in the name of no case that can be measured here", o.only)
	}
	return plots(e, all)
}

// runCase measures one case, adds its rows to the report and returns its table.
func (b *bench) runCase(ctx context.Context, c benchCase, r *report.Report) (*report.Table, []*result, error) {
	s, err := b.stage(c)
	if err != nil {
		return nil, nil, err
	}
	defer s.close()
	results, err := b.measure(ctx, c, s)
	if err != nil {
		return nil, nil, err
	}
	addRows(r, c, results)
	t := table(c, results)
	if s.trip > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("a round trip through the proxy took %v", s.trip.Round(10*time.Microsecond)))
		r.Add(c.name()+": round trip of the proxy", "ms", report.Sample{s.trip.Seconds() * 1000})
	}
	return t, results, nil
}

// self makes this program a peer.
func (o options) self(spec string) *exec.Cmd {
	words := append(slices.Clone(o.under), program.Self(), bePeer, spec)
	return exec.Command(words[0], words[1:]...)
}

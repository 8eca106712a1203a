// Throughput measures how fast mail is submitted: this library beside Postfix's
// smtp-source, net/smtp, go-smtp's client, go-mail and nodemailer's pool, all in
// one run, into the cheapest sink there can be, smtp-sink,
// a relay of mxtest and real Postfix. Each
// peer is a process of its own, and so is the sink; runs alternate, and what is
// shown are medians. Every mail that a peer says was accepted is counted at the
// sink, and a run whose count is off is void.
//
//	go run ./benchmarks/throughput          # the whole table, a quarter of an hour
//	go run ./benchmarks/throughput -quick   # at most 20 s
//	go run ./benchmarks/throughput -json    # one object on standard output
//
// Peers and sinks that the machine lacks are skipped with a word. Real Postfix
// needs root.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/peers"
	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
	"github.com/mxsend/go-mxsend/benchmarks/internal/sink"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "throughput:", err)
		os.Exit(1)
	}
}

// Words that make this program another of its processes.
const (
	beSink   = "be-sink"
	beRelays = "be-relays"
	bePeer   = "be-peer"
)

func run(ctx context.Context) error {
	if len(os.Args) > 1 && os.Args[1] == beSink {
		return sink.Main(os.Stdin, os.Stdout)
	}
	if len(os.Args) > 1 && os.Args[1] == beRelays {
		return serveRelays(os.Stdin, os.Stdout)
	}
	if len(os.Args) > 2 && os.Args[1] == bePeer {
		return peers.Main(ctx, os.Args[2], os.Stdout)
	}
	var o options
	asJSON := flag.Bool("json", false, "print one JSON object in place of tables")
	flag.BoolVar(&o.quick, "quick", false, "at most 20 seconds: fewer cases, shorter runs")
	flag.StringVar(&o.only, "case", "", "only cases whose name contains this")
	flag.StringVar(&o.peers, "peers", "", "only these peers, as in mxsend,smtp-source")
	flag.IntVar(&o.rounds, "rounds", 0, "runs of each peer in each case (default 5, 3 with -quick)")
	flag.DurationVar(&o.run, "time", 0, "about how long one run takes (default 1s, 200ms with -quick)")
	under := flag.String("under", "", "run peers written in Go under this command, as in 'strace -c -f -o calls.txt'; no figure is to be believed then")
	flag.StringVar(&o.profile, "profile", "", "directory for CPU and allocation profiles of the last run in Go")
	plotDir := flag.String("plots", "", "directory for plots, as SVG and PNG")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	o.under = strings.Fields(*under)
	b, err := newBench(o)
	if err != nil {
		return err
	}
	defer b.close()
	r := &report.Report{Benchmark: "throughput", Machine: report.ThisMachine(), Reference: "smtp-source", Skipped: b.skipped}
	if !*asJSON {
		m := r.Machine
		fmt.Printf("%s/%s, %s, %d cores, %s\n", m.OS, m.Arch, m.CPU, m.Cores, m.Go)
		for _, s := range b.skipped {
			fmt.Println("skipped:", s)
		}
		fmt.Println()
	}
	var all []measured
	for _, c := range cases(o) {
		if !strings.Contains(c.name(), o.only) || !b.has(c) {
			continue
		}
		t, results, err := b.runCase(ctx, c, r)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name(), err)
		}
		all = append(all, measured{c, results})
		if !*asJSON {
			if err := t.Write(os.Stdout); err != nil {
				return err
			}
		}
	}
	if *plotDir != "" {
		if err := plots(*plotDir, all); err != nil {
			return err
		}
	}
	if *asJSON {
		return r.WriteJSON(os.Stdout)
	}
	return nil
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
	words := append(slices.Clone(o.under), executable(), bePeer, spec)
	return exec.Command(words[0], words[1:]...)
}

func executable() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

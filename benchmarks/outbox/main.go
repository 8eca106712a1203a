// Outbox measures what durability costs: how many transactional mails a second can be enqueued, how long it takes to load 1.7
// million recipients, how fast a mailing goes out with every intent and every result in the database, how much memory the
// process needs, and what a question about the mailing costs. On SQLite and Postgres, with the commits of the disk at hand
// and with commits that take 5 ms more; beside what applications do today, a loop that sends a mail and updates its row.
// The relays are a sink in a process of its own, which counts.
//
//	go run ./benchmarks/outbox           # 1.7 million, some ten minutes
//	go run ./benchmarks/outbox -quick    # at most 20 s
//	go run ./benchmarks/outbox -json     # one object on standard output
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/program"
	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
	"github.com/mxsend/go-mxsend/benchmarks/internal/sink"
	"github.com/mxsend/go-mxsend/internal/pgserver"
)

// The words that make this program another of its processes.
const (
	beSink    = "be-sink"
	beMeasure = "be-measure"
)

// size is how much is measured.
type size struct {
	dir     string
	n       int // recipients
	mails   int // transactional ones, one a transaction
	batched int // those in batches
	peer    time.Duration
}

func main() {
	var s size
	program.Main(program.Program{
		Name: "outbox", Quick: "20,000 recipients, and no slow commits",
		Flags: func(f *flag.FlagSet) {
			f.IntVar(&s.n, "n", 1_700_000, "recipients")
			f.StringVar(&s.dir, "dir", "", "`directory` for the SQLite file (default: a temporary one)")
		},
		Run: s.run,
		Others: map[string]func(context.Context, []string) error{
			beSink: func(context.Context, []string) error { return sink.Main(os.Stdin, os.Stdout) },
			beMeasure: func(ctx context.Context, args []string) error {
				var job job
				if len(args) != 1 {
					return errors.New("this is for the program itself")
				}
				if err := json.Unmarshal([]byte(args[0]), &job); err != nil {
					return err
				}
				f, err := job.measure(ctx)
				if err != nil {
					return err
				}
				return json.NewEncoder(os.Stdout).Encode(f)
			},
		},
	})
}

func (s *size) run(ctx context.Context, e *program.Env) (err error) {
	if s.n < 1000 {
		return program.Misuse("-n has to be 1000 at least")
	}
	s.mails, s.batched, s.peer = 20_000, 100_000, 10*time.Second
	if e.Quick {
		s.n, s.mails, s.batched, s.peer = 20_000, 500, 2500, time.Second
	}
	dir, err := os.MkdirTemp(s.dir, "outbox")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	relay, err := sink.Start(exec.Command(program.Self(), beSink))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, relay.Close()) }()

	var cases []job
	add := func(name, database string, slow bool) {
		j := job{Name: name, Database: database, Relay: relay.Address, N: s.n, Mails: s.mails, Batched: s.batched, Peer: s.peer}
		if slow { // a tenth: it is rates that are compared
			j.SlowCommit, j.N, j.Mails, j.Batched = slowCommit, max(s.n/10, 1000), s.mails/10, s.batched/10
		}
		cases = append(cases, j)
	}
	add("SQLite", filepath.Join(dir, "fast.db"), false)
	if !e.Quick {
		add("SQLite, commits 5 ms slower", filepath.Join(dir, "slow.db"), true)
	}
	server, err := pgserver.Start(ctx, true)
	if errors.Is(err, pgserver.ErrMissing) {
		e.Skip("Postgres", err)
	} else if err != nil {
		return err
	} else {
		defer server.Close()
		for _, c := range []struct {
			name string
			slow bool
		}{{"Postgres", false}, {"Postgres, commits 5 ms slower", true}} {
			if c.slow && e.Quick {
				continue
			}
			url, err := server.Create(ctx, fmt.Sprintf("bench_%t", c.slow))
			if err != nil {
				return err
			}
			add(c.name, url, c.slow)
		}
	}
	table := &report.Table{
		Title: fmt.Sprintf("The outbox: mails of %d octets, a mailing of %d recipients", contentSize, s.n),
		Header: []string{"", "enqueue/s, one a transaction", "enqueue/s, batches of 250", "load, s", "mailing, recipients/s", "most open intents", "resident MiB",
			"Status, ms", "a loop over go-mail, recipients/s"},
	}
	for _, j := range cases {
		e.Progress("%s", j.Name)
		before, err := relay.Totals()
		if err != nil {
			return err
		}
		f, err := j.start(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", j.Name, err)
		}
		after, err := relay.Totals()
		if err != nil {
			return err
		}
		if got, want := after.Minus(before).Accepted, int64(f.Accepted+f.PeerAccepted); got != want {
			return fmt.Errorf("void: %s: the database has %d mails accepted, and the sink counted %d", j.Name, want, got)
		}
		add := func(what, unit string, v float64) string {
			e.Report().Add(j.Name+": "+what, unit, report.Sample{v})
			return report.Figure(v)
		}
		table.Rows = append(table.Rows, []string{
			j.Name, add("enqueued one a transaction", "messages/s", f.Single), add("enqueued in batches of 250", "messages/s", f.Batched),
			add("loading", "s", f.Load), add("mailing", "recipients/s", f.Rate), add("most open intents", "1", float64(f.MostOpen)),
			add("resident memory, largest", "MiB", f.Resident), add("Status, median", "ms", f.Status),
			add("a loop over go-mail that updates a row", "recipients/s", f.PeerRate),
		})
	}
	table.Notes = append(table.Notes, "the gate is 1000 open intents; the loop is one goroutine with one connection, as it is written today")
	return e.Table(table)
}

// start measures in a process of its own, so that memory is the outbox's alone.
func (j job) start(ctx context.Context) (f figures, err error) {
	text, err := json.Marshal(j)
	if err != nil {
		return f, err
	}
	cmd := exec.CommandContext(ctx, program.Self(), beMeasure, string(text))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return f, err
	}
	return f, json.Unmarshal(out.Bytes(), &f)
}

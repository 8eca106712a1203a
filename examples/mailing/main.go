// Mailing sends a mailing that survives its own process.
//
//	go run ./examples/mailing          # 20,000 recipients on this machine, with everything that goes wrong, and a page to see it on
//	mailing send -name news -csv list.csv -templates dir -template news -from "Shop <news@shop.example.com>" \
//	        -return-path bounces@shop.example.com -relays relays.example.com
//	mailing status | pause | resume -name news
//
// Interrupted or killed, send goes on where it was when it is given again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/mxsend/go-mxsend/examples/internal/command"
	"github.com/mxsend/go-mxsend/mxsend/outbox"
)

const about = `mailing sends a mailing that survives its own process.

  mailing                          20,000 recipients on this machine: one relay is switched off, and the process that
                                   sends is killed half-way and started again; then the database is held against the relays.
                                   It prints where its dashboard is: with -rate 500 there is time to look
  mailing send -name … -csv …      sends to a list over your own relays; given again, it goes on where it was
  mailing status [-name …]         says how it does
  mailing pause, resume -name …    stops it, whatever process sends it, and has it go on

Each has -h. Exit status: 0 where all is well; without arguments only if the database and the relays agree.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "mailing:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	name := ""
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		name, args = args[0], args[1:]
	}
	switch name {
	case "":
		flags := flag.NewFlagSet("mailing", flag.ContinueOnError)
		n := flags.Int("n", 20_000, "how many recipients")
		rate := flags.Float64("rate", 0, "recipients a second (0: unlimited), to have time to look")
		address := flags.String("http", "127.0.0.1:0", httpUsage)
		if err := command.Parse(flags, args, about, stderr); err != nil {
			return err
		}
		if *n < 100 {
			return fmt.Errorf("-n %d: take 100 at least, or nothing is seen", *n)
		}
		return demo(ctx, *n, *rate, *address, stdout, stderr)
	case "send":
		return send(ctx, args, stderr)
	case "status", "pause", "resume":
		return operate(ctx, name, args, stdout, stderr)
	case senderCommand:
		return sender(ctx, args)
	}
	return fmt.Errorf("unknown command %q: there are send, status, pause and resume (-h says more)", name)
}

// operate looks at a mailing, or changes what becomes of it, from a process that sends nothing.
func operate(ctx context.Context, what string, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("mailing "+what, flag.ContinueOnError)
	database := flags.String("db", "outbox.db", "SQLite `file`, or the URL of a Postgres database (postgres://…)")
	name := flags.String("name", "", "the mailing (status: empty for the newest ten)")
	if err := command.Parse(flags, args, "mailing "+what+" works on what mailing send has stored.", stderr); err != nil {
		return err
	}
	b, err := outbox.New(ctx, outbox.Config{Database: *database})
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	switch what {
	case "pause":
		return b.Pause(ctx, *name, "by an operator")
	case "resume":
		return b.Resume(ctx, *name)
	}
	if *name == "" {
		all, err := b.Mailings(ctx, 10)
		for _, s := range all {
			show(stdout, s)
		}
		return err
	}
	s, err := b.Status(ctx, *name)
	if err == nil {
		show(stdout, s)
	}
	return err
}

func show(w io.Writer, s outbox.Status) {
	fmt.Fprintf(w, "%s: %s", s.Mailing.Name, s.State)
	if s.Why != "" {
		fmt.Fprintf(w, " (%s)", s.Why)
	}
	fmt.Fprintf(w, ", %d recipients\n", s.Recipients)
	for o := outbox.Pending; o <= outbox.Skipped; o++ {
		if n := s.Outcomes[o]; n > 0 {
			fmt.Fprintf(w, "  %-14s %9d\n", o, n)
		}
	}
	for _, r := range s.Returned {
		fmt.Fprintf(w, "  came back: %s, %s: %d\n", r.Kind, r.Category, r.Count)
	}
}

// Quickstart shows the whole of mxsend on one machine, with nothing installed but Go: a mailing and a trickle of
// transactional mail, signed and with VERP return paths, are submitted over relays found by MX records; one relay is
// switched off half-way; what bounces is read and joined to its recipient; and a ledger of every mail proves that
// nothing was lost.
//
//	go run ./examples/quickstart           # 2,000 mails and a table
//	go run ./examples/quickstart -n 200    # fewer
//	go run ./examples/quickstart -json     # one object instead
//
// It exits with status 0 only if the ledger is exact and nothing is lost.
//
// With -relays it sends through relays that are there already, such as the four Postfix that examples/postfix/up starts. There is no
// ledger then: what it tells is what an application can know, and -receipts writes it down mail by mail.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/mxsend/go-mxsend/examples/internal/bar"
	"github.com/mxsend/go-mxsend/examples/internal/command"
)

const about = `quickstart shows the whole of mxsend on this machine: a mailing and transactional mail over two relays, one of which
is switched off half-way; bounces joined to their recipients; and a ledger of every mail.

With -relays it sends through relays that are there already. There is no ledger then.

Exit status: 0 only if the ledger is exact and nothing is lost (with -relays: if every mail was accepted, and every bounce joined
to its recipient), else 1.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	n := flags.Int("n", 2000, "how many bulk mails to send")
	asJSON := flags.Bool("json", false, "print one JSON object instead of tables")
	csvFile := flags.String("csv", "", "`file` of recipients, one \"id,name,address\" a line (default: those that ship with it)")
	emlFile := flags.String("eml", "", "`file` that holds the mail (default: the one that ships with it)")
	var relays realRelays
	relays.flags(flags)
	if err := command.Parse(flags, args, about, stderr); err != nil {
		return err
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if err := relays.check(func(name string) bool { return given[name] }); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unknown argument %q: give flags only; -h lists them", flags.Arg(0))
	case *n < 1:
		return fmt.Errorf("-n %d: send one mail at the least", *n)
	}
	recipients, err := loadRecipients(*csvFile, *n)
	if err != nil {
		return err
	}
	template, err := loadTemplate(*emlFile)
	if err != nil {
		return err
	}

	var real *realRelays
	if relays.domain != "" {
		real = &relays
	}
	w, err := newWorld(real)
	if err != nil {
		return err
	}
	defer w.Close()
	start := time.Now()
	mailing := w.newMailing(template, recipients)
	var progress io.Writer = stderr
	if *asJSON {
		progress = io.Discard
	}
	if err := w.ready(ctx, progress); err != nil {
		return err
	}
	fmt.Fprintf(progress, "%d mails, and transactional ones beside them, over %s\n", len(recipients), w.describe())
	if err := mailing.send(ctx, bar.New(progress, len(recipients))); err != nil {
		return err
	}
	if err := w.settle(ctx, progress); err != nil {
		return err
	}
	report := w.report(mailing, time.Since(start))
	if *asJSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(report); err != nil {
			return err
		}
	} else {
		report.print(stdout)
	}
	if real != nil {
		if err := real.writeReceipts(w, mailing.sent); err != nil {
			return err
		}
	}
	return report.verdict()
}

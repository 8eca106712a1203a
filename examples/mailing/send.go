package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/mxsend/go-mxsend/examples/internal/bar"
	"github.com/mxsend/go-mxsend/examples/internal/command"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/outbox"
)

const aboutSend = `mailing send sends a mailing to a list over your own relays. The list is CSV with a head; its column "address" or
"email" is the address, and every other column is for the templates. For -template news the directory holds
news.subject, and news.txt or news.html or both.

The database keeps what became of everybody. Interrupted or killed, it goes on where it was when it is given again.`

// send is the whole of what an application does for a mailing.
func send(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("mailing send", flag.ContinueOnError)
	database := flags.String("db", "outbox.db", "SQLite `file`, or the URL of a Postgres database (postgres://…)")
	relays := flags.String("relays", "", "mail `domain` whose MX records name the relays")
	list := flags.String("csv", "", "`file` of recipients")
	templates := flags.String("templates", ".", "`directory` of templates")
	from := flags.String("from", "", "the author: \"Shop <news@shop.example.com>\"")
	returnPath := flags.String("return-path", "", "`address` where bounces go")
	address := flags.String("http", "", httpUsage)
	clear := flags.Bool("no-tls", false, "send in clear")
	var m outbox.Mailing
	flags.StringVar(&m.Name, "name", "", "the mailing's name, which is never used for another")
	flags.StringVar(&m.List, "list", "", "what recipients can unsubscribe from")
	flags.StringVar(&m.Template, "template", "news", "`name` of the template")
	flags.Float64Var(&m.Rate, "rate", 0, "recipients a second (0: unlimited)")
	flags.IntVar(&m.Canary, "canary", 0, "send to that many first, and wait for mailing resume")
	flags.BoolVar(&m.SkipBroken, "skip-broken", false, "send to the good lines of a list with broken ones")
	if err := command.Parse(flags, args, aboutSend, stderr); err != nil {
		return err
	}
	for _, required := range []struct{ flag, value string }{
		{"-name", m.Name}, {"-relays", *relays}, {"-csv", *list}, {"-from", *from}, {"-return-path", *returnPath},
	} {
		if required.value == "" {
			return fmt.Errorf("%s is missing (-h lists the flags)", required.flag)
		}
	}
	render, err := outbox.Templates(outbox.Letters{FS: os.DirFS(*templates), From: *from})
	if err != nil {
		return err
	}
	cfg := mxsend.Config{Domain: *relays}
	if *clear {
		cfg.TLS = mxsend.TLSDisabled
	}
	client, err := mxsend.New(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	b, err := outbox.New(ctx, outbox.Config{
		Database: *database, Client: client, Logger: slog.New(slog.NewTextHandler(stderr, nil)),
		Render: func(ctx context.Context, d outbox.Draft) (*mxsend.Message, error) {
			message, err := render(ctx, d)
			if err == nil {
				message.ReturnPath = *returnPath
			}
			return message, err
		},
	})
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	closeDashboard, err := serveDashboard(b, *address, stderr)
	if err != nil {
		return err
	}
	defer closeDashboard()
	file, err := os.Open(*list)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	loaded, err := b.Start(ctx, m, outbox.CSV(file))
	for _, broken := range loaded.Errors {
		fmt.Fprintln(stderr, broken)
	}
	if err != nil {
		return err
	}
	s, err := watch(ctx, b, m.Name, bar.New(stderr, int(max(loaded.Recipients, 1))), outbox.Status.Ended)
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted; given again, it goes on where it was")
	}
	if err == nil {
		show(stderr, s)
	}
	return err
}

// watch shows progress until the mailing is as wanted.
func watch(ctx context.Context, b *outbox.Box, name string, progress *bar.Bar, until func(outbox.Status) bool) (outbox.Status, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := b.Status(ctx, name)
		if err != nil {
			return s, err
		}
		progress.Show(int(s.Recipients - s.Outcomes[outbox.Pending]))
		if until(s) {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-tick.C:
		}
	}
}

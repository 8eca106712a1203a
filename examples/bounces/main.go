// Command bounces shows what bounces, complaints and automatic replies say.
//
//	go run ./examples/bounces [-json] FILE|DIR…
//
// reads .eml files, mboxes and Maildirs and prints a table, or with -json one
// line a file. A FILE "-" is the standard input. With
//
//	go run ./examples/bounces -listen 127.0.0.1:2424 -domain bounce.example.com -key FILE
//
// it runs the receiver instead, over LMTP (-smtp for SMTP), and prints each
// event; -policy adds the policy service for the Postfix in front of it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/mxsend/go-mxsend/examples/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bounces:", err)
		os.Exit(1)
	}
}

const about = `bounces shows what bounces, complaints and automatic replies say.

  bounces [-json] FILE|DIR…      reads .eml files, mboxes and Maildirs; - is standard input
  bounces -listen 127.0.0.1:2424 -domain bounce.example.com -key FILE
                                 receives them over LMTP, and prints each

Exit status: 0, or 1 where something could not be read or the receiver could not run.`

// run is main with its world passed in.
func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("bounces", flag.ContinueOnError)
	flags.BoolVar(&o.json, "json", false, "print one JSON object a line")
	flags.StringVar(&o.listen, "listen", "", "run the receiver on this `address`")
	flags.StringVar(&o.policy, "policy", "", "with -listen: answer Postfix's policy requests on this `address`")
	flags.BoolVar(&o.smtp, "smtp", false, "with -listen: speak SMTP instead of LMTP")
	flags.StringVar(&o.domain, "domain", "bounce.example.com", "with -listen: the `domain` of the return paths")
	flags.StringVar(&o.prefix, "prefix", "b", "with -listen: the `prefix` of the return paths")
	flags.StringVar(&o.key, "key", "", "with -listen: a `file` that holds the secret; without one, a new secret is made")
	flags.Func("feedback", "with -listen: an `address` enrolled for complaints; may be repeated", func(s string) error {
		o.feedback = append(o.feedback, s)
		return nil
	})
	flags.Func("relay", "the `name` of a relay of your own; may be repeated", func(s string) error {
		o.relays = append(o.relays, s)
		return nil
	})
	if err := command.Parse(flags, args, about, out); err != nil {
		return err
	}
	if o.listen != "" {
		return receive(ctx, o, out)
	}
	if flags.NArg() == 0 {
		return fmt.Errorf("name a file or directory to read, or -listen an address (-h for help)")
	}
	return read(o, flags.Args(), out)
}

type options struct {
	json, smtp          bool
	listen, policy      string
	domain, prefix, key string
	feedback, relays    []string
}

// Preflight checks all that mail depends on before any is sent: the relays that DNS names, their certificates and
// what they offer, the signer's published keys, and what receivers will look at: SPF, reverse DNS, DMARC, alignment.
//
//	go run ./examples/preflight -demo                        # an installation in this process, with mistakes
//	go run ./examples/preflight -domain relays.example.com   # the relays only
//	go run ./examples/preflight -domain relays.example.com -ca relays-ca.pem \
//		-dkim-domain example.com -selector s1 -key s1.pem \
//		-from example.com -return-path bounce.example.com \
//		-outbound 192.0.2.11,192.0.2.12,192.0.2.21,192.0.2.22   # primaries and graveyards
//
// Several keys are given as several -selector and -key in pairs, with one -dkim-domain for all or one for each; several
// return paths, as where each lane has its own, as -return-path bounce.example.com,t.example.com.
//
// It prints a table, or with -json one object. No mail is sent. The exit status is 0 where there is no error, 1 where
// there is one or the check could not be finished, 2 where the flags make no sense (seen when the command is built; go
// run itself ends with 1).
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

	"github.com/mxsend/go-mxsend/mxsend"
)

// Exit statuses.
const (
	exitOK     = 0
	exitErrors = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintln(stderr, "preflight:", err)
		return exitUsage
	}
	if o.demo {
		cluster, err := o.startDemo()
		if err != nil {
			fmt.Fprintln(stderr, "preflight:", err)
			return exitErrors
		}
		defer cluster.Close()
	}
	return o.check(ctx, stdout, stderr)
}

// check checks, prints, and says by its status whether all is well.
func (o *options) check(ctx context.Context, stdout, stderr io.Writer) int {
	client, err := mxsend.New(o.config)
	if err != nil {
		fmt.Fprintln(stderr, "preflight:", err)
		return exitUsage
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	result, err := client.Check(ctx) // what it found before an error is worth seeing
	status := exitOK
	if err != nil || !result.OK() {
		status = exitErrors
	}
	if perr := o.print(stdout, result); err == nil {
		err = perr
	}
	if err != nil {
		fmt.Fprintln(stderr, "preflight:", err)
		return exitErrors
	}
	return status
}

func (o *options) print(w io.Writer, r mxsend.CheckResult) error {
	if o.json {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			OK bool `json:"ok"`
			mxsend.CheckResult
		}{r.OK(), r})
	}
	verdict := "ready to send"
	if !r.OK() {
		verdict = "not ready to send"
	}
	_, err := fmt.Fprintf(w, "%s\n%s (errors: %d, warnings: %d)\n", r, verdict, len(r.Errors()), len(r.Warnings()))
	return err
}

// Command postfix is what lies around the five Postfix instances that "up" starts on one machine: the name server of their zone,
// and the destinations outside, some of which misbehave. "up" builds and starts it; there is no other use for it.
//
// Every mail that a destination takes becomes a line of JSON on standard output: from where, under which return path, for whom, and
// what is to be said about its DKIM signatures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/mxsend/go-mxsend/examples/internal/command"
)

const about = `postfix is the name server and the destinations around the Postfix instances that examples/postfix/up starts.

  postfix -net 127.0.19 shop.test.zone 19.0.127.in-addr.arpa.zone

It serves the zones on .53, and what is not in them as destinations on .100 and up; it ends with SIGTERM.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "postfix:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("postfix", flag.ContinueOnError)
	network := flags.String("net", "127.0.19", "first three `octets` of the addresses")
	if err := command.Parse(flags, args, about, stderr); err != nil {
		return err
	}
	if ip := net.ParseIP(*network + ".53"); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("-net %q: give the first three octets of loopback addresses, such as 127.0.19", *network)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	zone, err := loadZone(*network, flags.Args())
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	if err := zone.serve(ctx, &all, *network+".53:53"); err != nil {
		return err
	}
	log := &deliveryLog{out: stdout, zone: zone}
	for i := range destinations {
		if err := destinations[i].serve(ctx, &all, destinations[i].address(*network)+":25", log); err != nil {
			return err
		}
	}
	fmt.Fprintln(stderr, "ready")
	<-ctx.Done()
	return nil
}

// Webshop stores an order and enqueues its confirmation in one transaction: the mail is sent exactly if the order exists. The
// order's page shows what became of the mail, and what came back.
//
//	go run ./examples/webshop                            # on this machine, with relays of its own
//	curl -d 'email=jane@example.test&item=book' http://127.0.0.1:8080/orders
//	curl http://127.0.0.1:8080/orders/1
//
// Mail to gone@… bounces.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/mxsend/go-mxsend/examples/internal/command"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
	"github.com/mxsend/go-mxsend/mxsend/outbox"
	"github.com/mxsend/go-mxsend/verp"
	"github.com/mxsend/go-mxsend/verp/bounce"
)

const about = `webshop stores orders and mails their confirmations, in one transaction each:

  curl -d 'email=jane@example.test&item=book' http://127.0.0.1:8080/orders
  curl http://127.0.0.1:8080/orders/1

It brings relays of its own along, which deliver to nobody; mail to gone@… bounces.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "webshop:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("webshop", flag.ContinueOnError)
	address := flags.String("addr", "127.0.0.1:8080", "`address` to listen on")
	if err := command.Parse(flags, args, about, stderr); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "webshop")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s, err := newShop(ctx, filepath.Join(dir, "shop.db"))
	if err != nil {
		return err
	}
	defer s.close()
	l, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "orders are taken at http://%s/orders\n", l.Addr())
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stopped()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// A shop is the application, and around it what it needs: relays, which a real one has already, and a receiver of bounces.
type shop struct {
	box      *outbox.Box
	client   *mxsend.Client
	cluster  *mxtest.Cluster
	receiver *bounce.Receiver
}

func newShop(ctx context.Context, database string) (_ *shop, err error) {
	s := &shop{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	codec, err := verp.New(verp.Config{Prefix: "order", Domain: "bounce.shop.test", Keys: []verp.Key{{ID: 1, Secret: []byte("a secret of this demonstration!!")}}})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if s.cluster, err = mxtest.Start(mxtest.Config{Domain: "relays.shop.test", Bounces: "lmtp:" + l.Addr().String()}); err != nil {
		return nil, err
	}
	s.cluster.Destination("example.test").Do(mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 no such mailbox"), "gone")
	s.client, err = mxsend.New(mxsend.Config{
		Domain: s.cluster.Domain(), Resolver: mxsend.NewResolver(s.cluster.DNSAddr()), Dial: s.cluster.Dial, TLSConfig: s.cluster.TLSConfig(),
	})
	if err != nil {
		return nil, err
	}
	if s.box, err = outbox.New(ctx, outbox.Config{Database: database, Client: s.client, VERP: codec}); err != nil {
		return nil, err
	}
	// Bounces find their order by themselves: Record is all there is to it.
	s.receiver = &bounce.Receiver{Codec: codec, Handle: s.box.Record, Hostname: "bounce.shop.test"}
	go func() { _ = s.receiver.ServeLMTP(l) }()
	_, err = s.box.DB().ExecContext(ctx, "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, email TEXT NOT NULL, item TEXT NOT NULL)")
	return s, err
}

func (s *shop) close() {
	if s.box != nil {
		_ = s.box.Close()
	}
	if s.client != nil {
		_ = s.client.Close()
	}
	if s.receiver != nil {
		_ = s.receiver.Close()
	}
	if s.cluster != nil {
		_ = s.cluster.Close()
	}
}

package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/mxsend/go-mxsend/examples/internal/desk"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
	"github.com/mxsend/go-mxsend/verp"
)

// deskFlags are the flags that concern the desk.
type deskFlags struct{ http, key, domain, prefix string }

func (f *deskFlags) define(flags *flag.FlagSet) {
	flags.StringVar(&f.http, "http", "127.0.0.1:2580", "`address` of the desk; empty: none. Whoever reaches it reads all mail")
	flags.StringVar(&f.key, "key", "", "a `file` that holds the secret of the return paths, which the desk then decodes")
	flags.StringVar(&f.domain, "domain", "bounce.example.com", "with -key: the `domain` of the return paths")
	flags.StringVar(&f.prefix, "prefix", "b", "with -key: the `prefix` of the return paths")
}

// open serves the desk of a cluster until the function it returns is called.
func (f *deskFlags) open(c *mxtest.Cluster, stdout, stderr io.Writer) (func(), error) {
	if f.http == "" {
		return func() {}, nil
	}
	var options desk.Options
	if f.key != "" {
		secret, err := os.ReadFile(f.key)
		if err != nil {
			return nil, err
		}
		if options.VERP, err = verp.New(verp.Config{Prefix: f.prefix, Domain: f.domain, Keys: []verp.Key{{ID: 1, Secret: bytes.TrimSpace(secret)}}}); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen("tcp", f.http)
	if err != nil {
		return nil, fmt.Errorf("the desk: %w: choose another address with -http", err)
	}
	if at := listener.Addr().(*net.TCPAddr); !at.IP.IsLoopback() {
		options.AnyHost = true
		fmt.Fprintf(stderr, "relays: the desk is open to everybody who reaches %s: they read all mail, and switch relays off\n", at)
	}
	d, err := desk.New(c, options)
	if err != nil {
		listener.Close()
		return nil, err
	}
	server := &http.Server{Handler: d, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(stdout, "the desk is at http://%s/\n", listener.Addr())
	return func() {
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(stderr, "relays: the desk:", err)
		}
		d.Close()
	}, nil
}

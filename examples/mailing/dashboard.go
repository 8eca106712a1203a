package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/mxsend/go-mxsend/internal/page"
	"github.com/mxsend/go-mxsend/mxsend/outbox"
	"github.com/mxsend/go-mxsend/mxsend/outbox/dashboard"
)

// httpUsage describes the flag -http.
const httpUsage = "`address` of the dashboard; empty: none. Who reaches it may stop the mailing"

// serveDashboard serves the dashboard until the function it returns is called. There is no password, so it answers to names of this
// machine only; an application mounts it behind the authentication that it has.
func serveDashboard(b *outbox.Box, address string, stderr io.Writer) (func(), error) {
	if address == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("the dashboard: %w: choose another address with -http", err)
	}
	if at := listener.Addr().(*net.TCPAddr); !at.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("the dashboard: %s is open to others, and there is no password: give a loopback address with -http", at), listener.Close())
	}
	pages := dashboard.Handler(b, dashboard.Options{Control: true, Addresses: true, Actor: func(*http.Request) string { return "whoever sits here" }})
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !page.OnLoopback(r.Host) {
				http.Error(w, "This page answers as localhost or a loopback address only.", http.StatusMisdirectedRequest)
				return
			}
			pages.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(stderr, "the dashboard is at http://%s/\n", listener.Addr())
	return func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(stderr, "mailing: the dashboard:", err)
		}
	}, nil
}

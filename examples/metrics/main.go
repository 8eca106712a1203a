// Metrics sends a mailing and transactional mail over relays of its own, one of which fails now and then, and serves what
// mxsend tells OpenTelemetry at /metrics, for Prometheus.
//
//	go run ./examples/metrics                                          # http://127.0.0.1:9464/metrics
//	cd examples/metrics && prometheus --config.file=prometheus.yml     # scrapes it, with the alert rules
//
// dashboard.json is for Grafana: Dashboards, New, Import.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/mxsend/go-mxsend/examples/internal/command"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxotel"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

const about = `metrics sends mail over relays of its own, one of which is switched off for a while again and again, and serves
the metrics of it for Prometheus until it is interrupted.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "metrics:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("metrics", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:9464", "`address` to serve /metrics at")
	outage := flags.Duration("outage", 15*time.Second, "for how `long` of each minute a relay is switched off")
	if err := command.Parse(flags, args, about, stderr); err != nil {
		return err
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	defer l.Close()
	cluster, err := mxtest.Start(mxtest.Config{KeepContent: -1})
	if err != nil {
		return err
	}
	defer cluster.Close()

	// The part that an application has, too.
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return err
	}
	telemetry, err := mxotel.New(mxotel.Options{MeterProvider: metric.NewMeterProvider(metric.WithReader(exporter))})
	if err != nil {
		return err
	}
	client, err := mxsend.New(mxsend.Config{
		Domain: cluster.Domain(), Resolver: mxsend.NewResolver(cluster.DNSAddr()), Dial: cluster.Dial, TLSConfig: cluster.TLSConfig(),
		LocalName: "app.example.com", Logger: slog.New(slog.NewTextHandler(stderr, nil)),
		Bulk:     mxsend.LaneConfig{Rate: 100},
		Observer: telemetry.Observer(),
	})
	if err != nil {
		return err
	}
	defer client.Close()
	unregister, err := telemetry.Register(client)
	if err != nil {
		return err
	}
	defer func() { _ = unregister() }()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	defer server.Close()
	go func() { _ = server.Serve(l) }()
	fmt.Fprintf(stderr, "metrics at http://%s/metrics\n", l.Addr())

	var work sync.WaitGroup
	work.Go(func() { transactional(ctx, client) })
	work.Go(func() { outages(ctx, cluster.Primary(1), *outage) })
	for range client.SendAll(ctx, mailing) {
	}
	work.Wait()
	return nil
}

func message(to string) *mxsend.Message {
	return &mxsend.Message{
		ReturnPath: "b@bounce.example.com", Recipients: []string{to},
		Content: []byte("From: Shop <shop@example.com>\r\nSubject: Hello\r\n\r\nHello\r\n"),
	}
}

// mailing is one without end; SendAll's context ends it.
func mailing(yield func(*mxsend.Message) bool) {
	for i := 0; yield(message(fmt.Sprintf("u%d@example.net", i))); i++ {
	}
}

// transactional sends ten mails a second. Each twentieth has no recipient that could exist.
func transactional(ctx context.Context, client *mxsend.Client) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		to := "jane@example.net"
		if i%20 == 0 {
			to = "jane"
		}
		_, _ = client.Send(ctx, message(to)) // its outcome is in the metrics
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// outages has a relay switched off for a while of each minute.
func outages(ctx context.Context, relay *mxtest.Relay, outage time.Duration) {
	wait := func(d time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	for ctx.Err() == nil && outage > 0 {
		wait(max(0, time.Minute-outage))
		relay.Stop()
		wait(outage)
		relay.Start()
	}
}

package mxotel_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxotel"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// A world is a cluster in memory and virtual time, a Client for it, and the real SDK.
type world struct {
	*mxsend.Client
	t         *testing.T
	cluster   *mxtest.Cluster
	telemetry *mxotel.Telemetry
	reader    *metric.ManualReader
	spans     *tracetest.SpanRecorder
	tracer    trace.Tracer
}

func inWorld(t *testing.T, options mxotel.Options, change func(*mxsend.Config), f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, reader: metric.NewManualReader(), spans: tracetest.NewSpanRecorder()}
		tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(w.spans))
		w.tracer = tracers.Tracer("test")
		options.TracerProvider = tracers
		if options.MeterProvider == nil {
			options.MeterProvider = metric.NewMeterProvider(metric.WithReader(w.reader))
		}
		var err error
		if w.telemetry, err = mxotel.New(options); err != nil {
			t.Fatal(err)
		}
		w.cluster = mxtest.NewCluster(t, mxtest.Config{Memory: true, Latency: time.Millisecond})
		cfg := mxsend.Config{
			Domain: w.cluster.Domain(), Resolver: mxsend.NewResolverVia(w.cluster.Dial, w.cluster.DNSAddr()), Dial: w.cluster.Dial,
			TLSConfig: w.cluster.TLSConfig(), LocalName: "app.example.com", Observer: w.telemetry.Observer(),
		}
		cfg.Logger = slog.New(slog.DiscardHandler)
		if change != nil {
			change(&cfg)
		}
		if w.Client, err = mxsend.New(cfg); err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		f(w)
	})
}

func message(i int) *mxsend.Message {
	return &mxsend.Message{
		ReturnPath: "b@bounce.example.com", Recipients: []string{fmt.Sprintf("u%d@example.net", i)}, Ref: fmt.Sprint(i),
		Content: []byte("From: shop@example.com\r\nSubject: Hello\r\n\r\nHello\r\n"),
	}
}

// values are the data points of a metric: its attributes in alphabetical order, and
// what was counted.
func (w *world) values(name string) (values []string) {
	synctest.Wait() // what tells of it may still be told
	var all metricdata.ResourceMetrics
	if err := w.reader.Collect(context.Background(), &all); err != nil {
		w.t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			add := func(set attribute.Set, n any) {
				values = append(values, fmt.Sprint(set.Encoded(attribute.DefaultEncoder()), " ", n))
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					add(p.Attributes, p.Value)
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					add(p.Attributes, p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					add(p.Attributes, p.Count)
				}
			default:
				w.t.Errorf("%s is a %T", name, data)
			}
		}
	}
	slices.Sort(values)
	return values
}

func (w *world) want(name string, want ...string) {
	w.t.Helper()
	if got := w.values(name); !slices.Equal(got, want) {
		w.t.Errorf("%s: got %q, want %q", name, got, want)
	}
}

// A message's transactions are children of the span it was sent within, and say how
// they went and where.
func TestSpans(t *testing.T) {
	inWorld(t, mxotel.Options{}, nil, func(w *world) {
		for i := range 2 {
			w.cluster.Primary(i).Inject(mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtRcpt, Reply: "550 5.1.1 <u1@example.net> unknown", Recipient: "u1@example.net", Times: mxtest.Always})
		}
		ctx, parent := w.tracer.Start(w.t.Context(), "parent")
		if _, err := w.Send(ctx, message(0)); err != nil {
			t.Error(err)
		}
		if _, err := w.Send(ctx, message(1)); !errors.Is(err, mxsend.ErrRejected) {
			t.Error(err)
		}
		parent.End()
		for r := range w.SendAll(ctx, slices.Values([]*mxsend.Message{message(2)})) {
			if r.Err != nil {
				t.Error(r.Err)
			}
		}
		synctest.Wait()
		spans := w.spans.Ended()
		if len(spans) != 3 {
			t.Fatalf("%d spans, want the parent and two transactions, and none of Bulk", len(spans))
		}
		var got []string
		for _, s := range spans {
			if s.Name() == "parent" {
				continue
			}
			if s.Parent().SpanID() != parent.SpanContext().SpanID() || s.SpanKind() != trace.SpanKindClient {
				t.Errorf("%s: parent %v, kind %v", s.Name(), s.Parent(), s.SpanKind())
			}
			if took := s.EndTime().Sub(s.StartTime()); took <= 0 || took > time.Second {
				t.Errorf("%s took %v", s.Name(), took)
			}
			if strings.Contains(fmt.Sprint(s.Attributes(), s.Status()), "example.net") {
				t.Errorf("%s shows an address: %v %v", s.Name(), s.Attributes(), s.Status())
			}
			set := attribute.NewSet(s.Attributes()...)
			relay, _ := set.Value("server.address")
			text := strings.ReplaceAll(set.Encoded(attribute.DefaultEncoder()), relay.AsString(), "RELAY")
			got = append(got, fmt.Sprint(s.Status().Code, " ", text))
		}
		slices.Sort(got)
		want := []string{
			fmt.Sprint(codes.Error, " error.type=550,mxsend.lane=transactional,mxsend.ref=1,mxsend.reply.code=550,mxsend.reply.enhanced_status_code=5.1.1,"+
				"mxsend.stage=RCPT,network.protocol.name=smtp,server.address=RELAY,tls.established=true"),
			fmt.Sprint(codes.Unset, " mxsend.lane=transactional,mxsend.ref=0,mxsend.reply.code=250,mxsend.reply.enhanced_status_code=2.0.0,"+
				"mxsend.stage=final dot,network.protocol.name=smtp,server.address=RELAY,tls.established=true"),
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

// Bulk is traced where that is asked for.
func TestBulkSpans(t *testing.T) {
	inWorld(t, mxotel.Options{BulkSpans: true}, nil, func(w *world) {
		for r := range w.SendAll(w.t.Context(), slices.Values([]*mxsend.Message{message(1), message(2)})) {
			if r.Err != nil {
				t.Error(r.Err)
			}
		}
		synctest.Wait()
		if n := len(w.spans.Ended()); n != 2 {
			t.Errorf("%d spans", n)
		}
	})
}

// Every recipient is counted once, under its outcome, and every transaction.
func TestMetrics(t *testing.T) {
	inWorld(t, mxotel.Options{}, func(cfg *mxsend.Config) { cfg.Weights = map[string]int{"p2.mail.test": 0} }, func(w *world) {
		unregister, err := w.telemetry.Register(w.Client, attribute.String("client", "shop"))
		if err != nil {
			t.Fatal(err)
		}
		m := message(1)
		m.Recipients = []string{"a@example.net", "b@example.net", "not an address"}
		if _, err := w.Send(w.t.Context(), m); !errors.Is(err, mxsend.ErrInvalidMessage) {
			t.Error(err)
		}
		odd := message(2)
		odd.Lane = 7
		if _, err := w.Send(w.t.Context(), odd); !errors.Is(err, mxsend.ErrInvalidMessage) {
			t.Error(err)
		}
		for range w.SendAll(w.t.Context(), slices.Values([]*mxsend.Message{message(3), message(4)})) {
		}
		w.want("mxsend.recipients",
			"mxsend.lane=bulk,mxsend.outcome=accepted 2", "mxsend.lane=transactional,mxsend.outcome=accepted 2", "mxsend.lane=transactional,mxsend.outcome=rejected 2")
		w.want("mxsend.transaction.duration", "mxsend.lane=bulk,server.address=p1.mail.test 2", "mxsend.lane=transactional,server.address=p1.mail.test 1")
		w.want("mxsend.lookups", "mxsend.domain=mail.test 1")
		w.want("mxsend.lane.held", "client=shop,mxsend.lane=bulk 0", "client=shop,mxsend.lane=transactional 0")
		w.want("mxsend.relay.weight",
			fmt.Sprintf("client=shop,mxsend.domain=mail.test,server.address=p1.mail.test,server.port=%d 1", w.cluster.Port()),
			fmt.Sprintf("client=shop,mxsend.domain=mail.test,server.address=p2.mail.test,server.port=%d 0", w.cluster.Port()))
		if got := w.values("mxsend.connection.create_time"); len(got) != 1 || !strings.HasPrefix(got[0], "server.address=p1.mail.test ") {
			t.Errorf("connections: %q", got)
		}
		if err := unregister(); err != nil {
			t.Error(err)
		}
		w.want("mxsend.lane.held")
	})
}

// An outage shows: connections that fail, ejections, the lane that is held.
func TestOutage(t *testing.T) {
	inWorld(t, mxotel.Options{}, nil, func(w *world) {
		if _, err := w.telemetry.Register(w.Client); err != nil {
			t.Fatal(err)
		}
		w.cluster.Primary(0).Inject(mxtest.Fault{Kind: mxtest.Answer, At: mxtest.AtMail, Reply: "451 4.3.0 ill", Times: mxtest.Always})
		paused := false
		for i := range 20 {
			paused = paused || slices.ContainsFunc(w.values("mxsend.relay.paused"), func(v string) bool { return strings.HasSuffix(v, " 1") })
			time.Sleep(500 * time.Millisecond)
			if _, err := w.Send(w.t.Context(), message(i)); err != nil {
				t.Error(err)
			}
		}
		w.want("mxsend.relay.ejections", "error.type=451,server.address=p1.mail.test 1")
		if !paused {
			t.Error("no relay was ever paused")
		}
		w.cluster.Primary(0).Stop()
		w.cluster.Primary(1).Stop()
		ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
		defer cancel()
		if _, err := w.Send(ctx, message(20)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		w.want("mxsend.lane.held", "mxsend.lane=bulk 1", "mxsend.lane=transactional 1")
		w.want("mxsend.recipients", "mxsend.lane=transactional,mxsend.outcome=accepted 20", "mxsend.lane=transactional,mxsend.outcome=deferred 1")
		if got := strings.Join(w.values("mxsend.connection.create_time"), "\n"); !strings.Contains(got, "error.type=connect,server.address=p2.mail.test") {
			t.Errorf("connections: %q", got)
		}
	})
}

// What a real Prometheus exporter makes of it.
func TestPrometheus(t *testing.T) {
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		t.Fatal(err)
	}
	inWorld(t, mxotel.Options{MeterProvider: metric.NewMeterProvider(metric.WithReader(exporter))}, nil, func(w *world) {
		if _, err := w.telemetry.Register(w.Client); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Send(w.t.Context(), message(0)); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		for name, series := range map[string]int{
			"mxsend_recipients_total": 1, "mxsend_transaction_duration_seconds": 1, "mxsend_connection_create_time_seconds": 1,
			"mxsend_lookups_total": 1, "mxsend_lane_queued": 2, "mxsend_lane_held": 2, "mxsend_relay_connections": 2, "mxsend_relay_paused": 2,
		} {
			if n, err := testutil.GatherAndCount(registry, name); err != nil || n != series {
				families, _ := registry.Gather()
				var names []string
				for _, f := range families {
					names = append(names, f.GetName())
				}
				t.Errorf("%s: %d series (%v); there are %q", name, n, err, names)
			}
		}
	})
}

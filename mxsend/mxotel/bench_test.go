package mxotel_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxotel"
)

// BenchmarkMessage is what telling of a message costs that one transaction delivered to
// one recipient, with the SDK: metrics alone, as for Bulk, and with a span.
func BenchmarkMessage(b *testing.B) {
	for _, bench := range []struct {
		name    string
		lane    mxsend.Lane
		sampler sdktrace.Sampler
	}{
		{"metrics", mxsend.Bulk, sdktrace.AlwaysSample()},
		{"span not sampled", mxsend.Transactional, sdktrace.NeverSample()},
		{"span", mxsend.Transactional, sdktrace.AlwaysSample()},
	} {
		b.Run(bench.name, func(b *testing.B) {
			telemetry, err := mxotel.New(mxotel.Options{
				MeterProvider:  metric.NewMeterProvider(metric.WithReader(metric.NewManualReader())),
				TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSampler(bench.sampler), sdktrace.WithSyncer(tracetest.NewNoopExporter())),
			})
			if err != nil {
				b.Fatal(err)
			}
			o := telemetry.Observer()
			ctx := context.Background()
			attempt := mxsend.Attempt{Relay: "p1.relays.test", TLS: true, Stage: mxsend.StageFinalDot,
				Reply: mxsend.Reply{Code: 250, Enhanced: "2.0.0"}, Start: time.Now(), Duration: time.Millisecond}
			receipt := mxsend.Receipt{Ref: "1", Recipients: []mxsend.RecipientResult{{Outcome: mxsend.Accepted}}, Attempts: []mxsend.Attempt{attempt}}
			b.ReportAllocs()
			for b.Loop() {
				o.Attempted(ctx, receipt.Ref, bench.lane, attempt)
				o.Finished(ctx, receipt, bench.lane)
			}
		})
	}
}

package mxotel

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/mxsend/go-mxsend/mxsend"
)

// Observer returns what Config.Observer takes; mxsend.Observers combines it with
// others.
func (t *Telemetry) Observer() *mxsend.Observer {
	ctx := context.Background()
	return &mxsend.Observer{
		LookedUp: func(domain string, _ mxsend.Relays, err error) {
			t.lookups.Add(ctx, 1, t.sets.of(key{domain: domain, errorType: errorType(err)}))
		},
		Connected: func(relay, _ string, took time.Duration, err error) {
			t.connects.Record(ctx, took.Seconds(), t.sets.of(key{relay: relay, errorType: errorType(err)}))
		},
		Disconnected: func(relay, _ string, err error) {
			if err != nil {
				t.losses.Add(ctx, 1, t.sets.of(key{relay: relay, errorType: errorType(err)}))
			}
		},
		Ejected: func(relay string, _ time.Time, reason error) {
			t.ejections.Add(ctx, 1, t.sets.of(key{relay: relay, errorType: errorType(reason)}))
		},
		Attempted: t.attempted,
		Finished: func(ctx context.Context, receipt mxsend.Receipt, lane mxsend.Lane) {
			var counts [5]int64
			for i := range receipt.Recipients {
				counts[receipt.Recipients[i].Outcome]++
			}
			if lane > mxsend.Bulk {
				lane = mxsend.Transactional // an invalid message
			}
			for outcome, n := range counts {
				if n > 0 {
					t.recipients.Add(ctx, n, t.outcomes[lane][outcome])
				}
			}
		},
	}
}

// attempted records a transaction, and makes a span of it after the fact: it has the
// transaction's times. The duration is recorded within the span, so that it may be its
// metric's exemplar.
func (t *Telemetry) attempted(ctx context.Context, ref string, lane mxsend.Lane, a mxsend.Attempt) {
	failure := errorType(a.Err)
	if lane != mxsend.Bulk || t.bulkSpans {
		var span trace.Span
		ctx, span = t.tracer.Start(ctx, "smtp transaction", trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(a.Start))
		if span.IsRecording() {
			span.SetAttributes(attributes(ref, lane, a, failure)...)
			if a.Err != nil {
				span.SetStatus(codes.Error, a.Err.Error())
			}
		}
		defer span.End(trace.WithTimestamp(a.Start.Add(a.Duration)))
	}
	t.transactions.Record(ctx, a.Duration.Seconds(), t.sets.of(key{relay: a.Relay, lane: lane, errorType: failure}))
}

// attributes are a span's.
func attributes(ref string, lane mxsend.Lane, a mxsend.Attempt, failure string) []attribute.KeyValue {
	all := append(make([]attribute.KeyValue, 0, 9),
		semconv.NetworkProtocolName("smtp"), semconv.ServerAddress(a.Relay), semconv.TLSEstablished(a.TLS),
		laneAttribute(lane), stageKey.String(a.Stage.String()))
	if ref != "" {
		all = append(all, refKey.String(ref))
	}
	if a.Reply.Code != 0 {
		all = append(all, codeKey.Int(a.Reply.Code))
	}
	if a.Reply.Enhanced != "" {
		all = append(all, enhancedKey.String(a.Reply.Enhanced))
	}
	if failure != "" {
		all = append(all, semconv.ErrorTypeKey.String(failure))
	}
	return all
}

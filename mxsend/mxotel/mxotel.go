// Package mxotel tells OpenTelemetry what an mxsend.Client does: metrics of every
// message, transaction, connection and relay, and a span for every transaction, as a
// child of the span in the context given to Send.
//
//	telemetry, err := mxotel.New(mxotel.Options{})
//	client, err := mxsend.New(mxsend.Config{Domain: "mail.example.com", Observer: telemetry.Observer()})
//	unregister, err := telemetry.Register(client)
//
// The metrics, with the attributes that they bear:
//
//	mxsend.recipients                counter, {recipient}    mxsend.lane, mxsend.outcome
//	mxsend.transaction.duration      histogram, s            mxsend.lane, server.address, error.type
//	mxsend.connection.create_time    histogram, s            server.address, error.type
//	mxsend.connection.losses         counter, {connection}   server.address, error.type
//	mxsend.relay.ejections           counter, {ejection}     server.address, error.type
//	mxsend.lookups                   counter, {lookup}       mxsend.domain, error.type
//
// and, of a Client that was registered, read when metrics are collected:
//
//	mxsend.lane.queued, .waiting     up-down counter, {message}      mxsend.lane
//	mxsend.lane.held                 gauge, 0 or 1                   mxsend.lane
//	mxsend.relay.connections         up-down counter, {connection}   mxsend.domain, server.address, server.port
//	mxsend.relay.connections.limit   gauge, {connection}             the same
//	mxsend.relay.in_flight           up-down counter, {message}      the same
//	mxsend.relay.weight              gauge                           the same
//	mxsend.relay.paused              gauge, 0 or 1                   the same
//
// server.address is the relay's MX host name. error.type is the reply code where a
// relay replied, else a word such as "timeout"; it is left out where nothing failed. No
// attribute, name or text holds an address of the mail.
package mxotel

import (
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/mxsend/go-mxsend/mxsend"
)

const scope = "github.com/mxsend/go-mxsend/mxsend/mxotel"

// Options say where to. The zero value works.
type Options struct {
	// MeterProvider gets the metrics. Nil: otel.GetMeterProvider().
	MeterProvider metric.MeterProvider
	// TracerProvider gets the spans. Nil: otel.GetTracerProvider().
	TracerProvider trace.TracerProvider
	// BulkSpans has the transactions of Bulk mail traced as well. A mailing is one call
	// of SendAll, and so one parent with a child for each of its messages: that is more
	// than most tracing back ends take. False: spans for Transactional mail only.
	BulkSpans bool
}

// A Telemetry hands on what one or several Clients do. It is safe for concurrent use.
type Telemetry struct {
	meter     metric.Meter
	tracer    trace.Tracer
	bulkSpans bool

	transactions metric.Float64Histogram
	connects     metric.Float64Histogram
	recipients   metric.Int64Counter
	losses       metric.Int64Counter
	ejections    metric.Int64Counter
	lookups      metric.Int64Counter

	outcomes [3][5]metric.MeasurementOption // by lane and outcome
	sets     sets
}

// durations are bounds of buckets in seconds, from a relay next door to one that is
// awaited for ten minutes after the final dot.
var durations = metric.WithExplicitBucketBoundaries(
	.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 600)

// New makes the instruments. Its error is the MeterProvider's.
func New(o Options) (*Telemetry, error) {
	if o.MeterProvider == nil {
		o.MeterProvider = otel.GetMeterProvider()
	}
	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	t := &Telemetry{
		meter: o.MeterProvider.Meter(scope), tracer: o.TracerProvider.Tracer(scope),
		bulkSpans: o.BulkSpans,
		sets:      sets{known: map[key]metric.MeasurementOption{}},
	}
	for lane := range t.outcomes {
		for outcome := range t.outcomes[lane] {
			t.outcomes[lane][outcome] = metric.WithAttributes(
				laneAttribute(mxsend.Lane(lane)), outcomeKey.String(word(mxsend.Outcome(outcome).String())))
		}
	}
	var err error
	failed := func(e error) {
		if e != nil && err == nil {
			err = fmt.Errorf("mxotel: %w", e)
		}
	}
	counter := func(name, unit, what string) metric.Int64Counter {
		c, e := t.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		failed(e)
		return c
	}
	histogram := func(name, what string) metric.Float64Histogram {
		h, e := t.meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(what), durations)
		failed(e)
		return h
	}
	t.recipients = counter("mxsend.recipients", "{recipient}", "Recipients that have their outcome.")
	t.transactions = histogram("mxsend.transaction.duration", "Transactions, from MAIL to the last reply, and waits for a connection that could not be opened.")
	t.connects = histogram("mxsend.connection.create_time", "Opening a connection: TCP, greeting, EHLO, TLS and AUTH.")
	t.losses = counter("mxsend.connection.losses", "{connection}", "Connections that ended although the Client had not closed them.")
	t.ejections = counter("mxsend.relay.ejections", "{ejection}", "Times that a relay was ejected.")
	t.lookups = counter("mxsend.lookups", "{lookup}", "Lookups of the relays of a mail domain.")
	return t, err
}

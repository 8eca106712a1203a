package mxotel

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/mxsend/go-mxsend/mxsend"
)

// Register has Client.Stats read whenever metrics are collected. Where a program has
// several Clients, attributes tell them apart; they are added to those of each metric.
// Call unregister before the Client is forgotten. The error is the MeterProvider's.
func (t *Telemetry) Register(client *mxsend.Client, attributes ...attribute.KeyValue) (unregister func() error, err error) {
	failed := func(e error) {
		if e != nil && err == nil {
			err = fmt.Errorf("mxotel: %w", e)
		}
	}
	var all []metric.Observable
	number := func(name, unit, what string) metric.Int64Observable {
		i, e := t.meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(what))
		failed(e)
		all = append(all, i)
		return i
	}
	gauge := func(name, unit, what string) metric.Int64Observable {
		i, e := t.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(what))
		failed(e)
		all = append(all, i)
		return i
	}
	queued := number("mxsend.lane.queued", "{message}", "Messages that wait for a free connection.")
	waiting := number("mxsend.lane.waiting", "{message}", "Messages that wait for their next round.")
	held := gauge("mxsend.lane.held", "", "1 while no relay is usable.")
	connections := number("mxsend.relay.connections", "{connection}", "Connections that are open, or being opened.")
	limit := gauge("mxsend.relay.connections.limit", "{connection}", "Connections that the Client may have, as configured or learned.")
	inFlight := number("mxsend.relay.in_flight", "{message}", "Messages on the relay's connections.")
	weight := gauge("mxsend.relay.weight", "", "The relay's share, in proportion to the others'.")
	paused := gauge("mxsend.relay.paused", "", "1 while the relay gets no mail, having failed.")
	if err != nil {
		return nil, err
	}
	observe := func(_ context.Context, o metric.Observer) error {
		stats := client.Stats()
		for lane, s := range map[mxsend.Lane]mxsend.LaneStats{mxsend.Transactional: stats.Transactional, mxsend.Bulk: stats.Bulk} {
			with := metric.WithAttributes(append(attributes[:len(attributes):len(attributes)], laneAttribute(lane))...)
			o.ObserveInt64(queued, int64(s.Queued), with)
			o.ObserveInt64(waiting, int64(s.Waiting), with)
			o.ObserveInt64(held, one(s.Held), with)
		}
		now := time.Now()
		for _, s := range stats.Relays {
			with := metric.WithAttributes(append(attributes[:len(attributes):len(attributes)],
				domainKey.String(s.Domain), semconv.ServerAddress(s.Name), semconv.ServerPort(s.Port))...)
			o.ObserveInt64(connections, int64(s.Connections), with)
			o.ObserveInt64(limit, int64(s.Limit), with)
			o.ObserveInt64(inFlight, int64(s.InFlight), with)
			o.ObserveInt64(weight, int64(s.Weight), with)
			o.ObserveInt64(paused, one(now.Before(s.PausedUntil)), with)
		}
		return nil
	}
	registration, e := t.meter.RegisterCallback(observe, all...)
	if failed(e); err != nil {
		return nil, err
	}
	return registration.Unregister, nil
}

func one(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

package cookbook

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxotel"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

func newMeasuredClient(cfg mxsend.Config, meters *metric.MeterProvider) (*mxsend.Client, error) {
	telemetry, err := mxotel.New(mxotel.Options{MeterProvider: meters})
	if err != nil {
		return nil, err
	}
	cfg.Observer = mxsend.Observers(telemetry.Observer(), cfg.Observer) // beside one of your own
	client, err := mxsend.New(cfg)
	if err != nil {
		return nil, err
	}
	_, err = telemetry.Register(client)
	return client, err
}

func TestMetrics(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{})
	reader := metric.NewManualReader()
	finished := make(chan struct{}, 1)
	client, err := newMeasuredClient(mxsend.Config{
		Domain: cluster.Domain(), Resolver: mxsend.NewResolver(cluster.DNSAddr()), Dial: cluster.Dial, TLSConfig: cluster.TLSConfig(), LocalName: "app.example.com",
		Observer: &mxsend.Observer{Finished: func(context.Context, mxsend.Receipt, mxsend.Lane) { finished <- struct{}{} }},
	}, metric.NewMeterProvider(metric.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Send(t.Context(), passwordMail("jane")); err != nil {
		t.Fatal(err)
	}
	<-finished // the Observer before it has been told
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		names[m.Name] = true
	}
	for _, name := range []string{"mxsend.recipients", "mxsend.transaction.duration", "mxsend.lane.held", "mxsend.relay.connections"} {
		if !names[name] {
			t.Errorf("no %s in %v", name, names)
		}
	}
}

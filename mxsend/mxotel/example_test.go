package mxotel_test

import (
	"fmt"

	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxotel"
)

func ExampleNew() {
	telemetry, err := mxotel.New(mxotel.Options{MeterProvider: metric.NewMeterProvider()}) // with a reader: Prometheus', OTLP's …
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := mxsend.New(mxsend.Config{Domain: "relays.example.com", LocalName: "app.example.com", Observer: telemetry.Observer()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	unregister, err := telemetry.Register(client)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unregister()
	fmt.Println(client)
	// Output: mxsend.Client(relays.example.com)
}

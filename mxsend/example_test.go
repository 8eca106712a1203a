package mxsend_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// newClient returns a Client for the relays of a cluster.
func newClient(cluster *mxtest.Cluster) *mxsend.Client {
	client, err := mxsend.New(mxsend.Config{
		Domain:    cluster.Domain(),
		Resolver:  mxsend.NewResolver(cluster.DNSAddr()),
		Dial:      cluster.Dial,
		TLSConfig: cluster.TLSConfig(),
		LocalName: "app.example.com",
	})
	if err != nil {
		panic(err)
	}
	return client
}

const exampleMail = "From: Shop <shop@example.com>\r\nTo: jane@example.net\r\nSubject: Hello\r\n\r\nHello\r\n"

func ExampleClient_Send() {
	cluster, err := mxtest.Start(mxtest.Config{})
	if err != nil {
		panic(err)
	}
	defer cluster.Close()
	client := newClient(cluster)
	defer client.Close()

	receipt, err := client.Send(context.Background(), &mxsend.Message{
		ReturnPath: "b+2f9k@bounce.example.com",
		Recipients: []string{"jane@example.net", "not an address"},
		Content:    []byte(exampleMail),
		Ref:        "order 4711",
	})
	for _, r := range receipt.Recipients {
		fmt.Println(r.Address, "is", r.Outcome)
	}
	fmt.Println(errors.Is(err, mxsend.ErrRejected), errors.Is(err, mxsend.ErrInDoubt))
	// Output:
	// jane@example.net is accepted
	// not an address is rejected
	// true false
}

func ExampleClient_SendAll() {
	cluster, err := mxtest.Start(mxtest.Config{})
	if err != nil {
		panic(err)
	}
	defer cluster.Close()
	client := newClient(cluster)
	defer client.Close()

	var messages iter.Seq[*mxsend.Message] = func(yield func(*mxsend.Message) bool) {
		for i := range 1000 {
			if !yield(&mxsend.Message{
				ReturnPath: fmt.Sprintf("b+%d@bounce.example.com", i),
				Recipients: []string{fmt.Sprintf("reader%d@example.net", i)},
				Content:    []byte(exampleMail),
				Ref:        fmt.Sprint(i),
			}) {
				return
			}
		}
	}
	accepted := 0
	for result := range client.SendAll(context.Background(), messages) {
		if result.Err != nil {
			fmt.Println(result.Receipt.Ref, result.Err)
		}
		accepted += result.Receipt.Count(mxsend.Accepted)
	}
	fmt.Println(accepted, "accepted")
	// Output: 1000 accepted
}

// A relay with a new address is warmed up: its share of the mail doubles every
// other day until it is a full one. An application calls SetWeights with this
// once a day.
func ExampleClient_SetWeights() {
	began := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	ramp := func(now time.Time) map[string]int {
		const full = 64
		weight := full
		if pairs := int(now.Sub(began).Hours() / 48); pairs < 6 {
			weight = 1 << pairs
		}
		return map[string]int{"p1.relays.example.com": full, "p2.relays.example.com": full, "p3.relays.example.com": weight}
	}
	client, err := mxsend.New(mxsend.Config{Domain: "relays.example.com", Weights: ramp(began)})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	for _, day := range []int{0, 4, 30} {
		weights := ramp(began.AddDate(0, 0, day))
		if err := client.SetWeights(weights); err != nil {
			panic(err)
		}
		fmt.Println("day", day, "weight", weights["p3.relays.example.com"])
	}
	// Output:
	// day 0 weight 1
	// day 4 weight 4
	// day 30 weight 64
}

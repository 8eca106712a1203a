package mxtest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// newSender is what an application under test would have of its own: a client of the cluster's relays.
func newSender(c *mxtest.Cluster) *mxsend.Client {
	s, err := mxsend.New(mxsend.Config{
		Domain: c.Domain(), Port: c.Port(), Resolver: mxsend.NewResolver(c.DNSAddr()), Dial: c.Dial, TLSConfig: c.TLSConfig(),
		LocalName: "app.test",
	})
	if err != nil {
		log.Fatal(err)
	}
	return s
}

// order is one of its mails.
func order(to string) *mxsend.Message {
	return &mxsend.Message{
		ReturnPath: "bounces@app.test", Recipients: []string{to},
		Content: []byte("From: Shop <shop@app.test>\r\nTo: " + to + "\r\nMessage-ID: <4711@app.test>\r\n\r\nHello.\r\n"),
	}
}

// A cluster is started, mail goes through it, and the ledger says what became of it.
func Example() {
	cluster, err := mxtest.Start(mxtest.Config{}) // in a test: mxtest.NewCluster(t, mxtest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	sender := newSender(cluster)
	defer sender.Close()

	if _, err := sender.Send(context.Background(), order("jane@example.test")); err != nil {
		log.Fatal(err)
	}
	cluster.WaitIdle(context.Background())
	mail := cluster.Ledger().Find("4711@app.test")[0]
	fmt.Println(mail.Recipients[0].Address, "is", mail.Recipients[0].Place)
	// Output: jane@example.test is delivered
}

// Fail-over: one primary is switched off, and mail goes through the other.
func ExampleRelay_Stop() {
	cluster, err := mxtest.Start(mxtest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	sender := newSender(cluster)
	defer sender.Close()

	cluster.Primary(0).Stop()
	for range 10 {
		if _, err := sender.Send(context.Background(), order("jane@example.test")); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(cluster.Ledger().Counts().ByRelay)
	// Output: map[p2.mail.test:10]
}

// Greylisting: the primary hands the mail to a graveyard, which is on another network and so greylisted anew.
func ExampleGreylist() {
	cluster, err := mxtest.Start(mxtest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	sender := newSender(cluster)
	defer sender.Close()

	cluster.Destination("grey.test").Do(mxtest.Greylist(200 * time.Millisecond))
	if _, err := sender.Send(context.Background(), order("jane@grey.test")); err != nil {
		log.Fatal(err)
	}
	cluster.WaitIdle(context.Background())
	jane := cluster.Ledger().FindRecipient("jane@grey.test")[0].Recipients[0]
	fmt.Println(jane.Place, "at", jane.Relay, "with", jane.Status)

	cluster.Destination("grey.test").Reset() // time passes
	cluster.Graveyard(0).Flush()
	cluster.Ledger().WaitDelivered(context.Background(), "jane@grey.test")
	jane = cluster.Ledger().FindRecipient("jane@grey.test")[0].Recipients[0]
	fmt.Println(jane.Place, "after", jane.Attempts, "attempts")
	// Output:
	// deferred at g1.mail.test with 4.7.1
	// delivered after 3 attempts
}

// A bounce arrives at the return path.
func ExampleLedger_Notifications() {
	cluster, err := mxtest.Start(mxtest.Config{}) // Config.Bounces would hand it to the application
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	sender := newSender(cluster)
	defer sender.Close()

	cluster.Destination("example.test").Do(mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 no such user"), "jane")
	if _, err := sender.Send(context.Background(), order("jane@example.test")); err != nil {
		log.Fatal(err) // the relay took it; that it bounces is known only later
	}
	cluster.Ledger().WaitBounces(context.Background(), 1)
	for _, n := range cluster.Ledger().Notifications() {
		fmt.Println(n.Action, n.Recipients, "told to", n.To)
	}
	// Output: failed [jane@example.test] told to bounces@app.test
}

// In doubt: the connection breaks after the final dot, and only the ledger knows that the relay has the mail.
func ExampleCutAfterDot() {
	cluster, err := mxtest.Start(mxtest.Config{Primaries: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	sender := newSender(cluster)
	defer sender.Close()

	cluster.Primary(0).Inject(mxtest.CutAfterDot(true))
	_, err = sender.Send(context.Background(), order("jane@example.test"))
	fmt.Println(errors.Is(err, mxsend.ErrInDoubt), cluster.Ledger().Counts().Mails)
	// Output: true 1
}

// Transactional mail under bulk: both primaries take 20 ms for a mail, which 60 bulk mails wait for in turn; the
// transactional one does not.
func ExampleLimits() {
	cluster, err := mxtest.Start(mxtest.Config{Limits: mxtest.Limits{Accept: 20 * time.Millisecond, Connections: 4}})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	sender := newSender(cluster)
	defer sender.Close()

	bulk := slices.Repeat([]*mxsend.Message{order("bulk@example.test")}, 60)
	done := make(chan time.Time)
	go func() {
		for range sender.SendAll(context.Background(), slices.Values(bulk)) {
		}
		done <- time.Now()
	}()
	cluster.WaitFor(context.Background(), func(c mxtest.Counts) bool { return c.Mails > 5 })
	if _, err := sender.Send(context.Background(), order("jane@example.test")); err != nil {
		log.Fatal(err)
	}
	transactional := time.Now()
	fmt.Println("transactional mail overtook bulk:", transactional.Before(<-done))
	// Output: transactional mail overtook bulk: true
}

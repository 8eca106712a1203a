// Package readme holds the code of the README, so that it compiles, and a test that it is the same.
package readme

import (
	"context"
	"database/sql"
	"io"
	"iter"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/mxsend/go-mxsend/examples/internal/snippets"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
	"github.com/mxsend/go-mxsend/mxsend/outbox"
	"github.com/mxsend/go-mxsend/mxsend/outbox/dashboard"
	"github.com/mxsend/go-mxsend/verp"
)

var _ = send
var _ = sendAll
var _ = durable
var _ = watch

func send(ctx context.Context, content []byte) error {
	client, err := mxsend.New(mxsend.Config{Domain: "relays.example.com"}) // its MX records name the relays
	if err != nil {
		return err
	}
	defer client.Close()
	receipt, err := client.Send(ctx, &mxsend.Message{
		ReturnPath: "b+2f9k@bounce.example.com",
		Recipients: []string{"jane@example.net"},
		Content:    content, // a complete message, header and body
	})
	_ = receipt
	return err
}

func sendAll(ctx context.Context, client *mxsend.Client, messages iter.Seq[*mxsend.Message]) {
	for result := range client.SendAll(ctx, messages) { // messages is an iter.Seq[*mxsend.Message]
		for _, r := range result.Receipt.Recipients {
			switch r.Outcome {
			case mxsend.Accepted:
				accepted(result.Receipt.Ref, r.Relay, r.QueueID)
			case mxsend.InDoubt:
				inDoubt(result.Receipt.Ref, r.Err) // sent again, it might arrive twice
			default:
				notAccepted(result.Receipt.Ref, r.Outcome, r.Err)
			}
		}
	}
}

func durable(ctx context.Context, client *mxsend.Client, codec *verp.Codec, file io.Reader, tx *sql.Tx, content []byte) error {
	render := func(context.Context, outbox.Draft) (*mxsend.Message, error) { return message, nil }
	box, err := outbox.New(ctx, outbox.Config{Database: "mail.db", Client: client, VERP: codec, Render: render})
	if err != nil {
		return err
	}
	loaded, err := box.Start(ctx, outbox.Mailing{Name: "news-2026-11", Template: "news", Canary: 1000}, outbox.CSV(file))
	if err != nil {
		return err
	}
	_, err = box.Enqueue(ctx, tx, outbox.Mail{Ref: "order-4711", To: "jane@example.net", Content: content}) // sent exactly if tx commits
	_ = loaded
	return err
}

func watch(mux *http.ServeMux, box *outbox.Box, user func(*http.Request) string, authenticated func(http.Handler) http.Handler) {
	page := dashboard.Handler(box, dashboard.Options{Control: true, Actor: user})
	mux.Handle("/mailings/", authenticated(http.StripPrefix("/mailings", page)))
}

func accepted(ref, relay, queueID string)                         {}
func inDoubt(ref string, err error)                               {}
func notAccepted(ref string, outcome mxsend.Outcome, cause error) {}

var message = &mxsend.Message{
	ReturnPath: "b+2f9k@bounce.example.com",
	Recipients: []string{"jane@example.net"},
	Content:    []byte("From: Shop <shop@example.com>\r\nTo: jane@example.net\r\nSubject: Hello\r\n\r\nHello\r\n"),
}

func TestFailOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in memory and in virtual time: no ports, no waiting
		cluster := mxtest.NewCluster(t, mxtest.Config{Memory: true}) // two primaries, two graveyards
		client, err := mxsend.New(mxsend.Config{
			Domain: cluster.Domain(), Resolver: mxsend.NewResolverVia(cluster.Dial, cluster.DNSAddr()),
			Dial: cluster.Dial, TLSConfig: cluster.TLSConfig(),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		cluster.Primary(0).Stop()
		receipt, err := client.Send(t.Context(), message)
		if err != nil || receipt.Recipients[0].Relay != cluster.Primary(1).Name() {
			t.Errorf("got %+v, %v", receipt, err)
		}
		cluster.Ledger().AssertNothingLost(t)
	})
}

// TestSnippets holds every Go snippet of the README against this file, whatever the indentation.
func TestSnippets(t *testing.T) { snippets.Check(t, "../../README.md") }

package outbox_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"

	"github.com/mxsend/go-mxsend/mxsend/outbox"
	"github.com/mxsend/go-mxsend/verp"
	"github.com/mxsend/go-mxsend/verp/bounce"
)

// A process without a Client stores mail that others send.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	box, err := outbox.New(ctx, outbox.Config{Database: filepath.Join(dir, "mail.db")})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = box.Close() }()

	loaded, err := box.Start(ctx, outbox.Mailing{Name: "news"}, func(yield func(outbox.Recipient, error) bool) {
		_ = yield(outbox.Recipient{Address: "jane@example.net"}, nil) && yield(outbox.Recipient{Address: "bob@example.net"}, nil)
	})
	if err != nil {
		log.Fatal(err)
	}
	status, err := box.Status(ctx, "news")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(loaded.Recipients, "recipients,", status.State, "and", status.Outcomes[outbox.Pending], "pending")
	// Output: 2 recipients, running and 2 pending
}

// The order and its confirmation are stored together, or neither is.
func ExampleBox_Enqueue() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	box, err := outbox.New(ctx, outbox.Config{Database: filepath.Join(dir, "shop.db")})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = box.Close() }()

	tx, err := box.DB().BeginTx(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	// … the order's own statements …
	_, err = box.Enqueue(ctx, tx, outbox.Mail{
		Ref: "order-4711", To: "jane@example.net", ReturnPath: "bounces@shop.example.com",
		Content: []byte("From: shop@shop.example.com\r\nTo: jane@example.net\r\nSubject: Your order\r\n\r\nThank you.\r\n"),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		log.Fatal(err)
	}
	mail, err := box.MailByRef(ctx, "order-4711")
	fmt.Println(mail.Address+":", mail.Outcome, err)
	// Output: jane@example.net: pending <nil>
}

// What comes back is received, verified and recorded.
func ExampleBox_Record() {
	var (
		box   *outbox.Box // from New, with the same Codec as Config.VERP
		codec *verp.Codec
	)
	receiver := &bounce.Receiver{Codec: codec, Handle: box.Record}
	mux := http.NewServeMux()
	mux.Handle("/unsubscribe/", box.Unsubscribe())
	_, _ = receiver, mux // receiver.ServeLMTP(listener), http.ListenAndServe(address, mux)
}

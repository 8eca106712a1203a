//lint:file-ignore U1000,SA4006 This is code of the README, which leaves out what becomes of errors; it is compiled, and not run.

package readme

import (
	"context"
	"database/sql"
	"io"
	"net/http"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/outbox"
	"github.com/mxsend/go-mxsend/mxsend/outbox/dashboard"
	"github.com/mxsend/go-mxsend/verp"
)

func durable(ctx context.Context, tx *sql.Tx, client *mxsend.Client, codec *verp.Codec, file io.Reader, content []byte,
	render func(context.Context, outbox.Draft) (*mxsend.Message, error)) (outbox.Loaded, error) {
	box, err := outbox.New(ctx, outbox.Config{Database: "mail.db", Client: client, VERP: codec, Render: render})
	// …
	loaded, err := box.Start(ctx, outbox.Mailing{Name: "news-2026-11", Template: "news", Canary: 1000}, outbox.CSV(file))
	// …
	_, err = box.Enqueue(ctx, tx, outbox.Mail{Ref: "order-4711", To: "jane@example.net", Content: content}) // sent exactly if tx commits
	return loaded, err
}

func watched(mux *http.ServeMux, box *outbox.Box, user func(*http.Request) string, authenticated func(http.Handler) http.Handler) {
	page := dashboard.Handler(box, dashboard.Options{Control: true, Actor: user})
	mux.Handle("/mailings/", authenticated(http.StripPrefix("/mailings", page)))
}

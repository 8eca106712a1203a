package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"iter"
	"net"
	"testing"

	"github.com/mxsend/go-mxsend/examples/internal/snippets"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/verp"
	"github.com/mxsend/go-mxsend/verp/bounce"
)

// The code of the page for developers, so that it compiles.
var _, _ = sends, comesBack

func sends(ctx context.Context, ca *x509.CertPool, returnPath, recipient string, content []byte, mailing iter.Seq[*mxsend.Message], inDoubt func(ref string, err error)) error {
	client, err := mxsend.New(mxsend.Config{
		Domain:    "relays.shop.test",
		TLSConfig: &tls.Config{RootCAs: ca}, // ca.pem, of the postmaster
	})
	if err != nil {
		return err
	}
	defer client.Close() // one Client for the whole life of the application

	receipt, err := client.Send(ctx, &mxsend.Message{ReturnPath: returnPath, Recipients: []string{recipient}, Content: content})

	for result := range client.SendAll(ctx, mailing) { // beside it, and Send never waits for it
		if errors.Is(result.Err, mxsend.ErrInDoubt) {
			inDoubt(result.Receipt.Ref, result.Err)
		}
	}
	_ = receipt
	return err
}

func comesBack(l net.Listener, codec *verp.Codec, store func(key string, id uint64, about *bounce.Report) error) error {
	receiver := &bounce.Receiver{Codec: codec, Handle: func(ctx context.Context, e bounce.Event) error {
		if id, ok := e.Token.Uint64(); ok {
			return store(e.Key, id, e.Report) // on disk, when it returns nil
		}
		return nil
	}}
	return receiver.ServeLMTP(l)
}

func TestSnippets(t *testing.T) { snippets.Check(t, "DEVELOPERS.md") }

// Package readme holds the code of the README, and of the page for developers in examples/postfix, so that it compiles, and a test
// that it is the same.
package readme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"iter"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
	"github.com/mxsend/go-mxsend/verp"
	"github.com/mxsend/go-mxsend/verp/bounce"
)

var _ = send
var _ = sendAll
var _ = developers
var _ = comesBack

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

func accepted(ref, relay, queueID string)                         {}
func inDoubt(ref string, err error)                               {}
func notAccepted(ref string, outcome mxsend.Outcome, cause error) {}

func developers(ctx context.Context, ca *x509.CertPool, returnPath, recipient string, content []byte, mailing iter.Seq[*mxsend.Message]) error {
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

// TestSnippets holds every Go snippet of the documents against this file, whatever the indentation.
func TestSnippets(t *testing.T) {
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	here := plain(string(source))
	for _, document := range []string{"../../README.md", "../postfix/DEVELOPERS.md"} {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		snippets := strings.Split(string(text), "```go\n")[1:]
		if len(snippets) == 0 {
			t.Fatalf("no snippet found in %s", document)
		}
		for i, s := range snippets {
			code, _, _ := strings.Cut(s, "```")
			if !strings.Contains(here, plain(code)) {
				t.Errorf("snippet %d of %s does not stand in readme_test.go:\n%s", i+1, document, code)
			}
		}
	}
}

func plain(code string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(code, "\n") {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return strings.TrimSpace(b.String())
}

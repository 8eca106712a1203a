package dkim_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/dkim"
)

func Example() {
	// LoadKey reads keys from files; these are made for the example.
	rsaKey, err := dkim.GenerateKey(dkim.RSA2048)
	if err != nil {
		log.Fatal(err)
	}
	edKey, err := dkim.GenerateKey(dkim.Ed25519)
	if err != nil {
		log.Fatal(err)
	}
	signer, err := dkim.NewSigner(dkim.Config{Domain: "example.org", Keys: []dkim.Key{
		{Selector: "r2026", Signer: rsaKey},
		{Selector: "e2026", Signer: edKey},
	}})
	if err != nil {
		log.Fatal(err)
	}
	content, err := dkim.Prepare([]byte("From: news@example.org\nSubject: hello\n\nHello.\n"), dkim.PrepareOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fields, err := signer.Sign(context.Background(), content)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Count(string(fields), "DKIM-Signature:"), "signatures")
	fmt.Println("verified:", signer.Verify(append(fields, content...)))
	fmt.Println(signer)
	// Output:
	// 2 signatures
	// verified: <nil>
	// dkim.Signer for example.org: r2026 (RSA-2048), e2026 (Ed25519)
}

// A refusal says what is wrong with the message.
func ExampleRefusal() {
	key, err := dkim.GenerateKey(dkim.Ed25519)
	if err != nil {
		log.Fatal(err)
	}
	signer, err := dkim.NewSigner(dkim.Config{Domain: "example.org", Keys: []dkim.Key{{Selector: "s", Signer: key}}})
	if err != nil {
		log.Fatal(err)
	}
	_, err = signer.Sign(context.Background(), []byte("From: news@example.org\r\n\r\nHello.\r\n"))
	var refusal *dkim.Refusal
	if errors.As(err, &refusal) && refusal.Reason == dkim.MissingDate {
		fmt.Println(err)
	}
	// Output: dkim: refused: no Date field: a relay would add one and break the signature; add it, or use Prepare
}

// CheckRecords tells what a receiver would stumble over.
func ExampleSigner_CheckRecords() {
	key, err := dkim.GenerateKey(dkim.RSA2048)
	if err != nil {
		log.Fatal(err)
	}
	signer, err := dkim.NewSigner(dkim.Config{Domain: "example.org", Keys: []dkim.Key{{Selector: "s", Signer: key}}})
	if err != nil {
		log.Fatal(err)
	}
	record, err := dkim.Record(key.Public())
	if err != nil {
		log.Fatal(err)
	}
	zone := map[string][]string{"s._domainkey.example.org": {record + "; t=y"}}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	lookupTXT := func(_ context.Context, name string) ([]string, error) { return zone[name], nil }
	err = signer.CheckRecords(ctx, lookupTXT, func(severity, subject, text string) {
		fmt.Println(severity + ": " + subject + ": " + text)
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: warning: s._domainkey.example.org: t=y: receivers may treat the mail as unsigned; remove y from t= when the tests are over
}

package bounce_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/mxsend/go-mxsend/verp"
	"github.com/mxsend/go-mxsend/verp/bounce"
)

func ExampleParse() {
	report, err := bounce.Parse(strings.NewReader(`From: MAILER-DAEMON@relay.example
To: bounce@example.com
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary=xyz

--xyz
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example

Final-Recipient: rfc822; jane@example.net
Action: failed
Status: 5.2.2
Remote-MTA: dns; mx.example.net
Diagnostic-Code: smtp; 552 5.2.2 Mailbox full
--xyz--
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range report.Recipients {
		fmt.Println(report.Kind, r.Address, r.Status, r.Category, "hard:", r.Hard())
	}
	// Output: failed jane@example.net 5.2.2 mailbox-full hard: false
}

// What an application does with an event: count it once, and stop mail where the
// event alone is reason enough.
func ExampleEvent_Suppresses() {
	seen := make(map[string]bool) // in a database, with what follows in one transaction
	handle := func(_ context.Context, e bounce.Event) error {
		if seen[e.Key] {
			return nil
		}
		seen[e.Key] = true
		if id, ok := e.Token.Uint64(); ok && e.Suppresses() {
			fmt.Println("no more mail to subscriber", id)
		}
		return nil
	}
	e := bounce.Event{Key: "1", Verdict: bounce.Valid, Report: &bounce.Report{Kind: bounce.Complaint}}
	e.Token.ID = verp.FromUint64(4711)
	for range 2 {
		if err := handle(context.Background(), e); err != nil {
			fmt.Println(err)
		}
	}
	// Output: no more mail to subscriber 4711
}

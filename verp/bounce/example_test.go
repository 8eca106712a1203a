package bounce_test

import (
	"fmt"
	"strings"

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
		fmt.Println(report.Kind, r.Address, r.Status, r.Category, "hard:", r.Category.Hard())
	}
	// Output: failed jane@example.net 5.2.2 mailbox-full hard: false
}

// Package mxsend submits mail at volume through an organisation's own relays.
//
// A [Client] finds its relays by the MX records of an internal mail domain,
// balances over them by weight and load, fails over between them, keeps
// transactional mail from waiting behind a mailing, signs, and reports exactly
// one [Outcome] for every recipient of every message.
//
//	client, err := mxsend.New(mxsend.Config{Domain: "relays.example.com"})
//	…
//	receipt, err := client.Send(ctx, &mxsend.Message{
//		ReturnPath: "bounces@example.com",
//		Recipients: []string{"user@example.net"},
//		Content:    content,
//	})
//
// # What an outcome says
//
// Accepted means that a relay gave a complete positive reply to the final dot,
// and nothing more: the mail is in that relay's queue. Whether it was delivered
// comes back, if at all, to the return path; packages verp and verp/bounce read
// it. InDoubt means that the whole message was handed over and no complete
// reply came: the relay may have it or not, and nobody can know. Rejected,
// Deferred and NotAttempted mean that no relay has taken the message for that
// recipient.
//
// # Bugs
//
// A relay that loses mail after its positive reply cannot be noticed from here.
package mxsend

// Package outbox makes sending durable: a mailing that survives a crash, a deploy or a lost machine without skipping anybody,
// and without writing to anybody twice unseen; a transactional mail that is sent exactly if the order it belongs to was
// committed; and an answer, weeks later, to what became of one recipient.
//
// It stores everything in SQLite, where nothing has to be installed, or in Postgres, where any number of machines share the work.
//
//	box, err := outbox.New(ctx, outbox.Config{Database: "mail.db", Client: client, Render: render})
//
// # Transactional mail
//
// Enqueue stores a mail in the application's own transaction:
//
//	tx, err := box.DB().BeginTx(ctx, nil)
//	…
//	_, err = tx.ExecContext(ctx, "INSERT INTO orders …")
//	_, err = box.Enqueue(ctx, tx, outbox.Mail{Ref: "order-4711", To: "jane@example.net", Content: content})
//	err = tx.Commit()
//
// Committed, it goes out at once through the Transactional lane; rolled back, it never was. MailByRef says what became of it.
//
// # Mailings
//
// Start stores a mailing with its recipients, and whatever process has a Client sends it:
//
//	loaded, err := box.Start(ctx, outbox.Mailing{Name: "news-2026-11", Template: "news", Canary: 1000}, outbox.CSV(file))
//	…
//	status, err := box.Status(ctx, "news-2026-11")
//
// Recipients are sent to in an order that is shuffled, so that those of one provider do not come in a row. Pause, Resume, Cancel and
// SetRate reach all processes. What is Deferred is tried again in rounds (Config.Retry); Resend makes another round. A Canary
// goes out first; AutoPause stops a mailing that too many refuse; Preview sends one message to oneself.
//
// # What comes back
//
// Record is a Handle for bounce.Receiver. It joins bounces, delays, complaints and automatic replies to their recipients by the
// token in the return path (Config.VERP), counts each once, and suppresses addresses that do not exist, and those who complain.
// Unsubscribe is the handler for one-click unsubscribing. Transactional mail is never suppressed.
//
// # What is in doubt, and why
//
// A recipient's intent is committed before a message is handed over, and its result after it. If the process dies in between,
// nobody can know whether a relay took the mail: the recipient is InDoubt. Config.Gate bounds how many there can be for each
// process that dies; most of them were never handed over. Nobody else is skipped and nobody is sent to twice. By Config.InDoubt they
// are left, for Resend to decide, or sent again and marked as possible duplicates.
//
// A process that cannot write to the database for Config.Lease stops by itself; after twice that time (20 s by default) another
// takes over what it had in hand. One that was suspended for longer finds that out before it hands over anything more; what was
// on a connection already may still go, and is in doubt anyway. What it knows is written down when it is back.
//
// # When the database fails
//
// Nothing is handed over whose intent is not durable. While the database is away, full, or reports errors, Enqueue and Start fail,
// what is under way ends, and everything goes on by itself when it is back. A commit that was not answered is looked up before
// it is made again, so nothing is counted twice.
//
// # Personal data
//
// The database holds addresses and Data of recipients, the content of transactional mail until it is finished, outcomes with the
// relays' replies, in which addresses are masked, and events without addresses. Retention says how long; Forget removes an
// address at once. What stays are sums, and for suppressed addresses a keyed hash (Config.Key).
//
// # Bugs
//
// SQLite has one writer at a time: a process on the same file that is suspended amid a transaction has all others wait. On
// Postgres the server ends such a transaction after a lease; so a transaction of the application's on DB must not stand idle
// for longer either.
//
// MySQL and its relatives are not covered.
package outbox

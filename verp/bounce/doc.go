// Package bounce reads what comes back to return paths: delivery status
// notifications, the notices of systems that write none, complaints, delay
// warnings and automatic replies.
//
// [Parse] turns one message into a [Report]. It knows RFC 3464 and 6533
// notifications, RFC 5965 feedback reports, and the texts that mail systems
// without either send. It works in bounded time and memory on whatever it is
// given, follows no link and opens no archive.
//
// [Receiver] is the SMTP and LMTP server for the hosts that return paths point
// to. It verifies the return path with a [verp.Codec], so that a forged bounce
// is refused, and hands each message on as an [Event].
//
// # What counts against a recipient
//
// [Event.Suppresses] answers it in one call: true for a verified report that
// says of all its recipients that they are Hard, and for a verified complaint or
// unsubscription. In detail, two things must hold before an address is given up:
// the event's Verdict is Valid, and the recipient is Hard (see [Recipient.Hard]).
// A Report alone proves nothing, for anyone can write one. What is Permanent but
// not Hard was refused for another reason than the address: repeat such mail
// sparingly, and look for the reason on the sender's side. Events may come
// twice, so count one only if its Key is new.
//
// Hard is what failed because the mailbox does not exist (MailboxUnknown), its
// host does not exist or takes no mail (HostUnknown), or the recipient has moved.
// Nothing else is: no mailbox that is full or switched off, no delay, no mail
// given up after its time in the queue, no refusal of a sender, a content or a
// relay, and no name servers that did not answer. Where two sources contradict
// each other about this, the address is kept.
//
// # How the Kind is decided
//
// A message is asked in this order what it is; the first that fits decides.
//
//  1. A feedback report, or the form in which Outlook.com sends complaints:
//     Complaint. Who complained is what the report says (Original-Rcpt-To), or
//     the provider noted in the enclosed mail, or else its only To.
//  2. A delivery status notification: the Kind of its gravest Action. The fields
//     of a recipient's group may come in any order; what the fields lack is taken
//     from the text about the same recipient.
//  3. A bounce that the message encloses, because somebody has forwarded it or
//     it could not be delivered itself.
//  4. A receipt (RFC 8098) that the mail was read or deleted: AutoReply.
//  5. A mail by which the reader's program has followed a List-Unsubscribe link:
//     Unsubscribe.
//  6. A notification of Amazon SES in JSON.
//  7. A notice in words. Two things must speak for it: a mail system as the
//     sender, the subject, the text, a transcript. Warnings are told from failures
//     by what they alone say; a sentence about what may or will be claims nothing.
//  8. A message that says of itself that a program wrote it, or whose subject does
//     in one of many languages: AutoReply.
//
// The recipients of a notice are the addresses that its lines are about. An
// address in prose, that of the sender or of whom to ask, or the To of a mail that
// is summed up is none. A notice may so be left without a recipient: its Kind says
// what it is, and the return path who it is about.
//
// The reason is looked for in the status code, the comment behind it, the reply
// that is quoted, and the text about the recipient. The most exact one counts.
// Evidence says which.
//
// # Behind Postfix
//
// Let the hosts that receive mail for the domain of the return paths hand it
// on over LMTP. They must refuse forged and foreign return paths at RCPT
// already: a Postfix that accepts first and is refused later bounces the mail,
// and the sender of a forged bounce is as forged. Two ways are tested; in
// both, 127.0.0.1 stands for the host of the Receiver.
//
// A policy service, answered by [Receiver.ServePolicy], costs no more than a
// look at the signature:
//
//	relay_domains = bounce.example.com
//	relay_transport = lmtp:inet:127.0.0.1:2424
//	smtpd_relay_restrictions = reject_unauth_destination
//	smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:2425
//
// Address verification needs nothing but LMTP, but Postfix then probes each
// return path by itself and caches the result: enough for thousands of bounces
// an hour. The reject code must be set, or Postfix answers 450, and the probes
// need the null sender, which a Receiver takes like any:
//
//	relay_domains = bounce.example.com
//	relay_transport = lmtp:inet:127.0.0.1:2424
//	smtpd_relay_restrictions = reject_unauth_destination
//	smtpd_recipient_restrictions = reject_unverified_recipient
//	unverified_recipient_reject_code = 550
//	unverified_recipient_tempfail_action = defer
//	address_verify_sender =
//	address_verify_poll_count = 3
//	address_verify_poll_delay = 1s
//
// Add one's own mynetworks and restrictions as usual. In both cases a Receiver
// that is down, or whose Handle fails, leaves the mail in Postfix's queue.
// Give the Receiver an address that only these hosts reach: it asks for no
// authentication.
//
// # Diagnostics
//
// A message that Handle fails on is logged at Error with that error, its Key and
// its Verdict, never with an address or content, unless the error holds some. The
// host that handed it over gets 451 and keeps it.
//
// # Bugs
//
// Notices in languages other than English are understood in part: their codes
// and addresses always, their words only for the commonest phrases. Text in
// charsets that are not based on ASCII is read as if it were.
//
// A mailbox that its system calls unknown only after DATA, or in a reply
// without an enhanced status code whose command is not known, is Filtered and
// not MailboxUnknown: filters use the same words.
package bounce

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
// Two things must hold before an address is given up: the event's Verdict is
// Valid, and the recipient's Category is Hard (see [Category.Hard]). A Report
// alone proves nothing, for anyone can write one. What is Permanent but not
// Hard was refused for another reason than the address: repeat such mail
// sparingly, and look for the reason on the sender's side. Events may come
// twice, so count one only if its Key is new.
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
// A message that Handle fails on is logged at Error with its Key and Verdict,
// never with an address or content. What happens on connections is logged at
// Debug.
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

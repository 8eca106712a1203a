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
// Valid, and the recipient's Category is Permanent in its own right (see
// [Category.Hard]). A Report alone proves nothing, for anyone can write one.
package bounce

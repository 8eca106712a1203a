// Package dkim signs mail (RFC 6376, RFC 8301, RFC 8463) as an application hands it over, and refuses
// what would not verify at the receiver.
//
// A [Signer] signs with any number of keys, relaxed/relaxed, SHA-256, never with l=. It signs the
// octets it is given and nothing else: what is sent must be what was signed, with the result of Sign
// put before it. What a relay would change on the way (a missing Date, a Bcc, a line of 999 octets)
// is refused with a [Reason] instead of being signed; [Prepare] mends most of it beforehand.
//
// Bodies that come again, as in a mailing whose mails differ in the header only, are recognised and
// not hashed again: up to four bodies of up to 256 KiB are kept a signer.
//
// # Diagnostics
//
// A [*Refusal] is about the message and final: its Reason says what is wrong, its text what to do.
// Any other error of Sign is about a key or the context, and another attempt may succeed. NewSigner
// and SetKeys report all that is wrong with a configuration at once. [Signer.CheckRecords] reports what
// is wrong with the published records, each finding graded and with its remedy. No error holds an
// address, content of a message, or anything of a private key.
//
// # Bugs
//
// What stands in a header is taken as it is: two Content-Type fields, say, are signed both. Write
// complete addresses: Postfix appends its own domain to those without one, in the mail of clients
// that it takes for local (local_header_rewrite_clients), and so breaks the signature.
//
// Whether From and signing domain belong together is told without a list of public suffixes: one
// must be the other, or below it. Two domains side by side (a.example.org, b.example.org) that DMARC
// would take as aligned need [Config].AllowUnaligned.
//
// A secret cannot be wiped from the memory of a Go program, so none is.
package dkim

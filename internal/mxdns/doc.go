// Package mxdns finds the relays of a mail domain: a stub resolver for MX, A, AAAA, TXT and PTR records
// that keeps their times to live.
//
// [Resolver.LookupRelays] does the whole of RFC 5321 §5.1: the MX records of a domain, or the domain
// itself where it has none, and every address of every host they name. Answers are cached for their time
// to live, bounded to 5 seconds below and an hour above; asked for again shortly before they expire; and
// served beyond it, for a bounded time and marked as stale, while name servers fail (RFC 8767).
//
// # Trust
//
// Answers are accepted only from the address asked, with the question's id, name, type and class. Records
// of other names are ignored, wherever in an answer they stand, and nothing is cached but under the name
// asked for. There is no DNSSEC: who must know which relay it talks to verifies its certificate.
//
// # Bugs
//
// Where there is no resolv.conf that names a server (Windows, or macOS at times) lookups go through
// net.Resolver, which tells no times to live and cannot tell a domain that does not exist from one without
// the records asked for: answers are then kept for a minute. Search lists are not applied: every name is
// complete.
package mxdns

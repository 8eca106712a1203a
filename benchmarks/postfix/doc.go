// Package postfix compares the relay model of mxtest with real Postfix, cell by cell.
//
// Its test starts Postfix in mount and network namespaces of its own: three primaries, whose fallback relays are both up, one
// up, and both down; two graveyards; a relay with a short schedule of retries; a DNS server; and one scripted sink for each
// way a destination can behave. The same mails go through a cluster of mxtest in virtual time, and what becomes of them must be
// the same: delivered, handed over, bounced or deferred, with the same enhanced status code, and the same fields in the
// notifications.
//
// It has been run against Postfix 3.7.11 (Debian 12). The setup that the model is of ran 2.7.2, whose queue manager has the same
// parameters and defaults for all that is compared here. Of what stands in the main.cf below, 2.7 does not know compatibility_level,
// maillog_file, maillog_file_prefixes, smtpd_relay_restrictions, and inline: tables; it has no SMTPUTF8, so that its notifications are
// never of the global kind; and to it a null MX is a host that cannot be found, as RFC 7505 is younger.
//
// It needs Linux, root, Postfix (3.5 or later, for its logging), unshare, ip and script, and skips where one of them is missing.
// No packet leaves its network namespace.
package postfix

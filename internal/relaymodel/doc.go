// Package relaymodel is the queue manager and the delivery agent of a relay as Postfix has them, without
// any I/O: events and the time go in, actions come out. The embedded test MTA runs it against the clock; a
// simulation runs a week of it in seconds.
//
// A [Queue] holds what one relay has accepted: incoming, active and deferred, with Postfix's limits, its
// concurrency feedback for each destination, and its schedule of retries. [Deliver] is what a delivery agent
// does with one delivery: the MX hosts of a destination in turn, and then smtp_fallback_relay.
//
// Mails, recipients and destinations are integers. What they mean (addresses, content, replies) is the
// driver's affair; it gets its own numbers back with every action.
//
// Modelled after Postfix 3.7: qmgr(8), SCHEDULER_README, smtp(8), postconf(5).
package relaymodel

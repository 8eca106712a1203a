// Package mxtest is an embedded test MTA for applications that send mail through relays of their
// own: what net/http/httptest is to HTTP.
//
// A [Cluster] is an internal mail domain with its DNS, its primaries (which try each delivery once and
// hand what fails temporarily to smtp_fallback_relay), its graveyards (which retry with a long
// backoff), and the destinations of the world outside, which do what a test scripts. The client under
// test speaks real SMTP to the primaries and graveyards; from there on everything happens inside the
// process, by a model of Postfix's queue manager and delivery agent.
//
//	cluster := mxtest.NewCluster(t, mxtest.Config{})
//	cluster.Destination("full.test").Reject(mxtest.AtRcpt, "452 4.2.2 mailbox full")
//	// … send through cluster.Domain(), cluster.DNSAddr(), cluster.Port(), cluster.Dial …
//	cluster.Ledger().AssertNothingLost(t)
//
// What a delivered mail says is asserted on it as its recipient reads it:
//
//	m := cluster.Ledger().AssertOneMail(t, "jane@example.test")
//	m.AssertSubject(t, "Your order 4711")
//	m.AssertText(t, "Thank you")
//	link := m.AssertLink(t, "https://shop.test/track/")
//
// # Networks
//
// Each relay has an address of its own, 10.0.0.11 and on for primaries, 10.0.0.21 and on for graveyards,
// which exists only inside the cluster: [Cluster.Dial] maps it to a port of 127.0.0.1, since not every
// system has more loopback addresses than one. With Config.Memory nothing touches a socket, and
// the cluster may live inside a testing/synctest bubble, where five days of queue life take
// milliseconds. Elsewhere [Cluster.Advance] lets them pass for the queues. Clients that are to be told apart by
// their addresses dial with [Cluster.DialFrom].
//
// # Diagnostics
//
// A cluster made with [NewCluster] prints its ledger when the test has failed. [Ledger.Dump] prints it at
// any time, [Relay.Transcripts] shows what was said on the wire where Config.Transcripts is set.
//
// # Limits
//
// It is a test double and no mail server: it listens on loopback only, delivers to nowhere but its own
// scripted destinations and Config.Bounces, and keeps everything in memory.
package mxtest

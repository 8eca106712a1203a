// Package memnet is a network in memory: stream connections and datagrams that behave as a kernel's do,
// with latency, bandwidth, hosts that refuse or vanish, and cuts at an exact octet.
//
// Writes are buffered: a Write returns once its octets are in the connection's buffer, so that two ends
// that both write before they read do not deadlock, as they would over net.Pipe. All waiting is done on
// condition variables, channels and timers, and no lock is held while waiting. A Network made inside a
// testing/synctest bubble therefore lets the bubble's fake clock advance, and latencies are exact.
//
// With neither Latency nor Bandwidth an octet costs a copy in and a copy out, and no timer and no
// goroutine; the package can carry benchmarks.
//
// # How it differs from TCP
//
// There are no windows, no loss and no congestion: octets arrive one Latency after the link had room for
// them, in order. A host that becomes a [BlackHole] swallows what is under way; the octets wait with the
// sender and arrive after the host is [Up] again, as retransmission would have it. There is no keep-alive
// and no user time-out: only deadlines end a silent connection. A Close with unread octets ends the
// stream for the peer with io.EOF, where kernels may send a reset; [Conn.Reset] gives the reset.
package memnet

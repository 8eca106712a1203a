package mxsend

import "time"

// An Observer is told what a Client does. Any func may be nil. They are called
// from many goroutines at once, by whichever caused what they tell; those of one
// connection come one after another, in order. A panic in one is recovered and
// logged.
//
// No lock is held, so a func may do anything with the Client, as may the Logger's
// handler: Stats, SetWeights, Send, SendAll, Shutdown and Close work, and so does
// waiting for another goroutine that calls them. Who sends from here must see to
// it that the calls which that brings do not send again without end. A func
// should return within a millisecond: one that takes longer than ten holds up no
// message, but the calls of its connection behind it, which wait in memory. Close
// does not wait for a call that is still being made.
//
// What else a Config is given is called with no lock held, too: Retry,
// AllowRecipient, Signer, Resolver, Dial, Auth and the functions of TLSConfig. But
// something waits for each of them (a message's next round, the message, the
// lookup, the connection), so they may not wait for that, nor call Close, except
// Retry and AllowRecipient. The Write of a connection of Dial's is called while
// others wait for that connection: it may call Stats and SetWeights, but not wait
// for a message.
type Observer struct {
	// LookedUp: the relays of a domain were looked up.
	LookedUp func(domain string, relays Relays, err error)
	// Connected: a connection became usable, or could not (err not nil).
	Connected func(relay, address string, took time.Duration, err error)
	// Disconnected: a connection that had become usable is gone; err is nil
	// where the Client closed it.
	Disconnected func(relay, address string, err error)
	// Ejected and Restored: a relay was put out for a while, and taken back.
	Ejected  func(relay string, until time.Time, reason error)
	Restored func(relay string)
	// Held: a lane has something to send, and for a second no relay of its domain was
	// usable; reason wraps ErrNoRelay and says why. Resumed: a relay has answered a
	// message of the lane since. Each is told once for such a change.
	Held    func(lane Lane, reason error)
	Resumed func(lane Lane)
	// Attempted: a transaction ended, well or not, or a connection that the
	// message waited for could not be used. What is in Receipt.Attempts is told
	// here, and what no longer fits there, too.
	Attempted func(ref string, lane Lane, attempt Attempt)
	// Finished: a message has its outcome. The Receipt is the func's own.
	Finished func(receipt Receipt, lane Lane)
}

package mxsend

import "time"

// An Observer is told what a Client does. Any func may be nil. They are called
// from many goroutines at once, never under a lock, and should return soon; a
// panic in one is recovered and logged.
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
	// Attempted: a transaction ended, well or not.
	Attempted func(ref string, lane Lane, attempt Attempt)
	// Finished: a message has its outcome.
	Finished func(receipt Receipt, lane Lane)
}

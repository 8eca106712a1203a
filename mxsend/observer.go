package mxsend

import (
	"context"
	"time"
)

// An Observer is told what a Client does. Any of its funcs may be nil.
//
// Order and concurrency: the funcs are called from many goroutines at once. The calls
// that tell of one connection, and of the messages on it, are made one after another
// and in order: each message's Attempted before its Finished, all of them after
// Connected and before Disconnected. Between connections there is no order. A panic in
// a func is recovered and logged, and the Client goes on.
//
// Time: a func should return within a millisecond. One that takes longer holds up no
// message, but the further calls of its connection wait behind it in memory. Close does
// not wait for calls that are still being made.
//
// Re-entrancy: the Client holds no lock during a call, so a func, like the handler of
// the Logger, may call any method of the Client: Stats, SetWeights, Send, SendAll,
// Shutdown and Close. It may also wait for another goroutine that does. A func that
// sends must make sure that what it sends does not make it send again without end.
//
// The same is true of what else a Config is given (Retry, AllowRecipient, Signer,
// Resolver, Dial, Auth and the functions of TLSConfig), with one difference: something
// waits for each of these calls, namely the message, its next round, the lookup or the
// connection. So such a function must not wait for what waits for it, and none but
// Retry and AllowRecipient may call Close. The Write method of a connection that Dial
// returned is called while others wait for that connection: it may call Stats and
// SetWeights, but must not wait for a message.
type Observer struct {
	// LookedUp: the relays of a mail domain were looked up.
	LookedUp func(domain string, relays Relays, err error)
	// Connected: a connection became usable, or, with an err, could not be opened.
	Connected func(relay, address string, took time.Duration, err error)
	// Disconnected: a connection that had become usable has ended. The err is nil
	// where the Client closed it.
	Disconnected func(relay, address string, err error)
	// Ejected: a relay gets no mail until that time, since it failed; when the time is
	// over, single messages and connections probe it.
	Ejected func(relay string, until time.Time, reason error)
	// Restored: a relay that was ejected has accepted a message, and gets its share again.
	Restored func(relay string)
	// Held: a lane has something to send, and no relay of its domain was usable for a
	// second. The reason wraps ErrNoRelay and says why. It is told once, until Resumed.
	Held func(lane Lane, reason error)
	// Resumed: a relay has answered a message of a lane that was held.
	Resumed func(lane Lane)
	// Attempted: a transaction ended, well or not, or a connection that the message
	// waited for could not be opened. Every attempt is told, also those beyond the 16
	// that Receipt.Attempts keeps. The ctx is the one given to Send or SendAll, so that a
	// span may find its parent; it may have ended.
	Attempted func(ctx context.Context, ref string, lane Lane, attempt Attempt)
	// Finished: every recipient of a message has its outcome. The ctx is that of
	// Attempted; the slices of the Receipt are the func's own.
	Finished func(ctx context.Context, receipt Receipt, lane Lane)
}

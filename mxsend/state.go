package mxsend

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/mxsend/go-mxsend/internal/smtpsession"
	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// A Client submits messages through the relays of a mail domain. It is safe for
// concurrent use; one Client serves a whole program. It connects when there is
// something to send, and keeps no connection open for long without need.
type Client struct {
	cfg    Config
	ctx    context.Context // ends when the Client is cut
	cancel context.CancelFunc
	// goroutines are the connections' and the lookups'; Close waits for them.
	goroutines sync.WaitGroup
	entries    sync.Pool // of *entry, out of use
	// leaveResolver does so when the Client is cut for the first time.
	leaveResolver sync.Once

	// mu guards all that follows, every pool, relay, lane and entry, and of a
	// conn the fields said to be. Nothing is read, written, slept or called back
	// under it. Lock order: a session's, Client.mu, then run.mu.
	mu             sync.Mutex
	pools          map[poolKey]*pool
	unknownWeights map[string]bool // hosts of Config.Weights that the log was told of
	lanes          [2]*lane        // Transactional, Bulk
	relayIDs       int
	draw           func() uint32 // a lot, for a new relay
	live           int           // entries between submission and outcome
	closed         bool
	drained        chan struct{} // closed when closed and live is zero for the first time
	isDrained      bool
	afterUnlock    []func()
	alarm          *time.Timer
	alarmAt        time.Time
}

// A lane is one of the two queues. Client.mu guards it.
type lane struct {
	id      Lane
	pool    *pool
	queue   entryList // ready to be placed
	waiting entryList // for their next round
	dialing int       // connections being opened for its entries, not yet slow
	limiter *rate.Limiter
	runs    map[*run]struct{}
	live    int  // entries between submission and outcome
	stuck   bool // no relay was usable when it was last looked at
	// stuckSince is when it was, with something to send, for the first time since a
	// relay answered a message; held: Logger and Observer were told.
	stuckSince time.Time
	held       bool
	outcomes   [5]uint64
}

func (c *Client) lane(id Lane) *lane {
	if id == Bulk {
		return c.lanes[1]
	}
	return c.lanes[0]
}

// A conn is a connection to a relay as the dispatcher sees it: what is on it, and
// whether it takes more. Its goroutine, run, opens it and then runs the SMTP session
// on it, whose Owner it is.
type conn struct {
	client  *Client
	relay   *relay
	lane    Lane // that it was opened for
	opening time.Time
	stage   atomic.Uint32 // that opening it has reached

	// What opening it came to. Others look at it only once that is over.
	address    string
	nc         net.Conn
	raw        net.Conn  // beneath TLS; nc where there is none
	tls        *tls.Conn // nil where there is none
	replies    *smtpwire.ReplyReader
	extensions smtpwire.Extensions
	secured    bool
	born       time.Time
	greeted    time.Duration        // how long the greeting took
	entered    time.Time            // when it was put into service
	luck       float64              // in [0, 1): what tells its age from that of others
	session    *smtpsession.Session // has a lock of its own, which comes before Client.mu

	// Client.mu guards these.
	state     connState
	slow      bool   // being opened for so long that nobody counts on it
	cur       *entry // in the content slot
	next      *entry // in the envelope slot
	slotFree  bool   // the envelope slot may be filled
	leaving   bool   // to be closed as soon as nothing is on it
	resting   Lane   // of the refused message for whose sake it rests; zero: it does not
	restTimer *time.Timer
	turnDue   bool // somebody is about to take a turn
	idleSince time.Time
	counted   tally
}

type connState uint8

const (
	connOpening connState = iota
	connReady
	connGone
)

package mxsend

import (
	"math/rand/v2"
	"time"

	"github.com/mxsend/go-mxsend/internal/smtpsession"
	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// slowDial is how long nobody else tries to connect for the sake of an entry
// that a connection is being opened for.
const slowDial = time.Second

// openConn starts a connection to r on behalf of a lane. Client.mu is held.
func (c *Client) openConn(r *relay, l *lane, now time.Time) {
	cn := &conn{client: c, relay: r, lane: l.id, opening: now}
	r.conns = append(r.conns, cn)
	r.connections++
	l.dialing++
	cn.recount()
	c.goroutines.Add(1)
	go cn.run()
}

// run opens the connection, and is the first reader of its session.
func (c *conn) run() {
	if err := c.open(c.client.ctx); err != nil {
		c.client.openFailed(c, err)
		return
	}
	c.entered, c.luck = time.Now(), rand.Float64()
	c.session = smtpsession.New(smtpsession.Config{
		Owner: c, Conn: c.nc, Raw: c.raw, Replies: c.replies, Extensions: &c.extensions,
		Opened: c.born, FinalDot: c.client.cfg.Limits.FinalDot,
	})
	c.session.Run()
}

// signal has somebody attend to what was left for the connection. Client.mu is
// held.
func (c *conn) signal() {
	if c.turnDue || c.state != connReady {
		return // whoever takes the next turn sees it
	}
	c.turnDue = true
	c.client.goroutines.Add(1)
	go c.session.Attend()
}

// leave has the connection close as soon as nothing is on it. Client.mu is held.
func (c *conn) leave() {
	if !c.leaving {
		c.leaving = true
		c.recount()
		c.signal()
	}
}

// takeContent has an entry, or nil, take the content slot. Client.mu is held.
func (c *conn) takeContent(e *entry) {
	c.cur = e
	c.session.SetCancelled(e != nil && e.cancelled != nil)
}

// After how long without a reply to the message before it an entry in the
// envelope slot is given back.
const (
	lateTransactional = time.Second
	lateBulk          = 10 * time.Second
)

// begin begins the transaction of an entry in a slot with those of its recipients that
// may be tried now and that the relay, for all that it lacks, can take. The session's
// lock and Client.mu are held.
func (c *conn) begin(e *entry, now time.Time) {
	need := e.need()
	t := c.session.Begin(e.mail(need, &c.client.cfg.Limits), now)
	able := need&needSMTPUTF8 != 0 || c.extensions.SMTPUTF8
	for i := range e.rcpts {
		to := &e.rcpts[i]
		nonASCII := to.mailbox.NonASCII()
		if !to.ready() || nonASCII && !able {
			continue
		}
		t.AddRecipient(to.mailbox, i)
		if nonASCII {
			t.AskSMTPUTF8()
		}
	}
}

// mail is what a transaction of the entry submits.
func (e *entry) mail(need need, limits *Limits) smtpsession.Mail {
	dsn := &e.msg.DSN
	m := smtpsession.Mail{
		ReturnPath: e.returnPath,
		Params: smtpwire.MailParams{
			Size:       e.size,
			EightBit:   need&needEightBitMIME != 0,
			SMTPUTF8:   need&needSMTPUTF8 != 0,
			RequireTLS: need&needRequireTLS != 0,
			Ret:        dsn.Return,
			EnvID:      dsn.EnvelopeID,
		},
		Rcpt:   smtpwire.RcptParams{Notify: dsn.Notify},
		ORcpt:  dsn.OriginalRecipient,
		Header: e.header, Content: e.content, Dots: e.dots,
		Patience: limits.Reply, Late: lateBulk,
	}
	if m.Params.Ret == "" {
		m.Params.Ret = "HDRS"
	}
	if e.lane == Transactional {
		m.Patience, m.Late = limits.ReplyTransactional, lateTransactional
	}
	return m
}

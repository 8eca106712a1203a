package mxsend

import (
	"fmt"
	"sync"

	"github.com/mxsend/go-mxsend/internal/smtpwire"
)

// A wireReply is a reply as it came from the reader. Its text lies in the batch
// that brought it.
type wireReply struct {
	code     int
	enhanced smtpwire.EnhancedCode
	from, to int   // of its text in batch.text
	at       int64 // octets offered to the connection before it was read
}

// A batch is what the reader has read since the owner last looked.
type batch struct {
	replies []wireReply
	text    []byte
	err     error  // the connection's end; after it nothing comes
	partial string // the beginning of a reply that was cut off
}

func (b *batch) reply(r wireReply) Reply {
	return newReply(r.code, r.enhanced, b.text[r.from:r.to])
}

// An inbox passes replies from a connection's reader to its owner.
type inbox struct {
	mu sync.Mutex
	batch
}

// Limits on replies that the owner has not looked at: more than any honest relay
// has to say.
const (
	maxUnreadReplies = 16 << 10
	maxUnreadText    = 4 << 20
)

// take swaps the batch for an empty one made of spent, which must not be used any
// more.
func (in *inbox) take(spent *batch) {
	spent.replies, spent.text = spent.replies[:0], spent.text[:0]
	spent.err, spent.partial = nil, ""
	in.mu.Lock()
	in.batch, *spent = *spent, in.batch
	in.mu.Unlock()
}

// unread says whether replies wait to be looked at.
func (in *inbox) unread() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.replies) > 0 || in.err != nil
}

func (in *inbox) put(r smtpwire.Reply, at int64) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.replies) >= maxUnreadReplies || len(in.text) >= maxUnreadText {
		return fmt.Errorf("%w: replies to nothing", smtpwire.ErrProtocol)
	}
	from := len(in.text)
	in.text = append(in.text, r.Text...)
	in.replies = append(in.replies, wireReply{r.Code, r.Enhanced, from, len(in.text), at})
	return nil
}

func (in *inbox) end(err error, partial string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.err, in.partial = err, partial
}

// read is the reader of a connection: it reads replies until the connection
// ends, and wakes the owner whenever it would have to wait for more.
func (c *conn) read() {
	defer close(c.readerDone)
	for {
		r, err := c.replies.Next()
		if err == nil {
			err = c.in.put(r, c.out.handed.offered.Load())
		}
		if err != nil {
			c.in.end(err, c.replies.Partial())
			c.signal()
			return
		}
		if !c.replies.HasReply() {
			c.signal()
		}
	}
}

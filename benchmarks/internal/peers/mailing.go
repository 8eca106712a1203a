package peers

import (
	"crypto"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/mxsend/go-mxsend/mxsend"
)

// A mailing is the messages of a job: one content, a return path each (but see Peer.oneReturnPath). It is made
// before the clock starts, so that the figures are those of the peer alone.
type mailing struct {
	content     []byte
	returnPaths string // all in one, each pathLen long
	keys        []crypto.Signer
	signer      mxsend.Signer // with the keys; nil: there are none
	next        atomic.Int64
	n           int64
}

const (
	pathFormat = "b+%08d@bounces.bench.test"
	pathLen    = len("b+00000000@bounces.bench.test")
)

// newMailing makes the messages of a job, with so many different return paths.
func newMailing(job Job, returnPaths int) *mailing {
	var b strings.Builder
	b.Grow(returnPaths * pathLen)
	for i := range returnPaths {
		fmt.Fprintf(&b, pathFormat, i)
	}
	return &mailing{content: Content(job.Size), returnPaths: b.String(), n: int64(job.Messages)}
}

// take returns the return path of the next message.
func (m *mailing) take() (returnPath string, ok bool) {
	i := m.next.Add(1) - 1
	if i >= m.n {
		return "", false
	}
	at := int(i) * pathLen % len(m.returnPaths)
	return m.returnPaths[at : at+pathLen], true
}

const header = "From: Sender <sender@bench.test>\r\n" +
	"To: You <you@destination.bench.test>\r\n" +
	"Subject: A message of a benchmark\r\n" +
	"Date: Mon, 5 Jan 2026 10:00:00 +0000\r\n" +
	"Message-ID: <1@bench.test>\r\n" +
	"MIME-Version: 1.0\r\n" +
	"Content-Type: text/plain; charset=us-ascii\r\n\r\n"

// Content is a message of exactly that size, with lines of 72 octets.
func Content(size int) []byte { return append([]byte(header), body(size-len(header))...) }

func body(size int) []byte {
	const line = "The quick brown fox jumps over the lazy dog, and then it does so anew.\r\n"
	b := make([]byte, 0, size+len(line))
	for len(b)+2*len(line) <= size {
		b = append(b, line...)
	}
	for size-len(b) > 2 {
		b = append(b, 'x')
		if size-len(b) > len(line) && len(b)%len(line) == len(line)-2 {
			b = append(b, '\r', '\n')
		}
	}
	return append(b, '\r', '\n')
}

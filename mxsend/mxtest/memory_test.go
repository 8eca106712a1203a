package mxtest_test

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// bounces is an LMTP receiver that keeps what it gets.
type bounces struct {
	mu       sync.Mutex
	refuse   int // refuses that many first
	to, mail []string
}

func (b *bounces) NewSession(*smtp.Conn) (smtp.Session, error) { return &bounceSession{b: b}, nil }

type bounceSession struct {
	b  *bounces
	to string
}

func (s *bounceSession) Mail(string, *smtp.MailOptions) error      { return nil }
func (s *bounceSession) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = to; return nil }
func (s *bounceSession) Reset()                                    {}
func (s *bounceSession) Logout() error                             { return nil }
func (s *bounceSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if s.b.refuse > 0 {
		s.b.refuse--
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "not now"}
	}
	s.b.to, s.b.mail = append(s.b.to, s.to), append(s.b.mail, string(text))
	return err
}

func serveBounces(t *testing.T, b *bounces, l net.Listener) {
	server := smtp.NewServer(b)
	server.LMTP, server.Domain = true, "app.test"
	var wg sync.WaitGroup
	wg.Go(func() { server.Serve(l) })
	t.Cleanup(func() { server.Close(); wg.Wait() })
}

// Five days of queue life in a bubble: the attempts follow the schedule, the mail expires, and its notification is
// handed over although the receiver is not there at first.
func TestFiveDaysInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mxtest.NewCluster(t, mxtest.Config{Memory: true, Latency: time.Millisecond, Bounces: "lmtp:10.1.0.1:24"})
		l, err := c.Listen("tcp", "10.1.0.1:24")
		if err != nil {
			t.Fatal(err)
		}
		b := &bounces{refuse: 1}
		serveBounces(t, b, l)
		c.Destination("down.test").Do(mxtest.Refuse())
		s := client(t, c, c.Primary(0))
		if err := send(s, "bounce+x=u=down.test@app.test", mail("m3", "u@down.test"), "u@down.test"); err != nil {
			t.Fatal(err)
		}
		s.Quit()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*24*time.Hour)
		defer cancel()
		if err := c.Ledger().WaitBounces(ctx, 1); err != nil {
			t.Fatal(err)
		}
		if age := time.Since(began); age < 5*24*time.Hour || age > 5*24*time.Hour+5*time.Hour {
			t.Errorf("expired after %v, want five days, and at most a backoff and a queue run more", age)
		}
		m := c.Ledger().Find("m3@app.test")[0].Recipients[0]
		if m.Place != mxtest.Bounced || m.Relay != "g1.mail.test" || m.Status != "4.4.1" {
			t.Errorf("got %+v", m)
		}
		if len(b.mail) != 1 || b.to[0] != "bounce+x=u=down.test@app.test" || !strings.Contains(b.mail[0], "Action: failed\r\nStatus: 4.4.1\r\n") {
			t.Errorf("got notification to %q: %q", b.to, b.mail)
		}
		if n := c.Ledger().Counts().Expired; n != 1 {
			t.Errorf("got %d expired, want 1", n)
		}
	})
}

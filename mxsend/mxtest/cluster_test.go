package mxtest_test

import (
	"bytes"
	"context"
	"fmt"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// client opens a session with a relay, over TLS.
func client(t testing.TB, c *mxtest.Cluster, r *mxtest.Relay) *smtp.Client {
	t.Helper()
	conn, err := c.Dial(context.Background(), "tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	s, err := smtp.NewClient(conn, r.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	cfg := c.TLSConfig()
	cfg.ServerName = r.Name()
	if err := s.StartTLS(cfg); err != nil {
		t.Fatal(err)
	}
	return s
}

// mail is a mail from shop@app.test.
func mail(id string, to ...string) string {
	return "From: Shop <shop@app.test>\r\nTo: " + strings.Join(to, ", ") + "\r\nSubject: Your order\r\nMessage-ID: <" + id + "@app.test>\r\n\r\nHello,\r\n.\r\n..dots\r\n"
}

// send sends a mail over a session.
func send(s *smtp.Client, from, content string, to ...string) error {
	if err := s.Mail(from); err != nil {
		return err
	}
	for _, a := range to {
		if err := s.Rcpt(a); err != nil {
			return err
		}
	}
	w, err := s.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(content)); err != nil {
		return err
	}
	return w.Close()
}

func idle(t testing.TB, c *mxtest.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c.WaitIdle(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestDelivery(t *testing.T) {
	c := mxtest.NewCluster(t, mxtest.Config{})
	content := mail("m1", "jane@example.test")
	if err := send(client(t, c, c.Primary(0)), "bounce@app.test", content, "jane@example.test"); err != nil {
		t.Fatal(err)
	}
	idle(t, c)
	l := c.Ledger()
	l.AssertNothingLost(t)
	l.AssertDelivered(t, "jane@example.test")
	mails := l.Find("m1@app.test")
	if len(mails) != 1 {
		t.Fatalf("got %d mails, want 1", len(mails))
	}
	m := mails[0]
	if got := string(m.Content); got != content {
		t.Errorf("content: got %q, want %q", got, content)
	}
	if m.Relay != "p1.mail.test" || !m.TLS || m.ReturnPath != "bounce@app.test" || m.BareLF {
		t.Errorf("got %+v", m)
	}
	d := l.Deliveries("example.test")
	if len(d) != 1 || !bytes.HasSuffix(d[0].Content, []byte(content)) || !strings.HasPrefix(string(d[0].Content), "Received: from localhost") {
		t.Errorf("got deliveries %+v", d)
	}
	if got := l.Counts(); got.Accepted != 1 || got.Delivered != 1 || got.ByRelay["p1.mail.test"] != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestOutcomes(t *testing.T) {
	c := mxtest.NewCluster(t, mxtest.Config{})
	c.Destination("mixed.test").
		Do(mxtest.Reject(mxtest.AtRcpt, "450 4.2.1 come back later"), "grete").
		Do(mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 no such user"), "hugo@mixed.test")
	to := []string{"anna@mixed.test", "grete@mixed.test", "hugo@mixed.test"}
	if err := send(client(t, c, c.Primary(1)), "bounce@app.test", mail("m2", to...), to...); err != nil {
		t.Fatal(err)
	}
	idle(t, c)
	got := c.Ledger().Find("m2@app.test")[0].Recipients
	for i, want := range []mxtest.Recipient{
		{Place: mxtest.Delivered, Relay: "p2.mail.test", Status: "2.0.0", Attempts: 1},
		{Place: mxtest.Deferred, Relay: "g1.mail.test", Status: "4.2.1", Attempts: 2},
		{Place: mxtest.Bounced, Relay: "p2.mail.test", Status: "5.1.1", Attempts: 1},
	} {
		g := got[i]
		if g.Place != want.Place || g.Relay != want.Relay || g.Status != want.Status || g.Attempts != want.Attempts {
			t.Errorf("%s: got %v at %s, %s after %d attempts; want %v at %s, %s after %d", g.Address, g.Place, g.Relay, g.Status, g.Attempts, want.Place, want.Relay, want.Status, want.Attempts)
		}
	}
	counts := c.Ledger().Counts()
	want := mxtest.Counts{Mails: 1, Accepted: 3, ByRelay: map[string]int{"p2.mail.test": 1}, Delivered: 1, Deferred: 1, Bounced: 1, AtGraveyard: 1, HandedOver: 1, Notifications: 1, NotificationsDelivered: 1}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", counts, want)
	}
	notes := c.Ledger().Notifications()
	if len(notes) != 1 || notes[0].To != "bounce@app.test" || !bytes.Contains(notes[0].Content, []byte("Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n")) {
		t.Errorf("got notifications %+v", notes)
	}
}

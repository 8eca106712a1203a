package bounce

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/mxsend/go-mxsend/verp"
)

func testCodec(t testing.TB) *verp.Codec {
	t.Helper()
	c, err := verp.New(verp.Config{
		Prefix: "b", Domain: "bounce.example.com",
		Keys: []verp.Key{{ID: 1, Secret: bytes.Repeat([]byte("k"), 32)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// events collects what Handle is given.
type events struct {
	mu   sync.Mutex
	got  []Event
	fail int // so many calls fail first
}

func (e *events) handle(_ context.Context, ev Event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail > 0 {
		e.fail--
		return errors.New("database is down")
	}
	ev.Raw = bytes.Clone(ev.Raw)
	e.got = append(e.got, ev)
	return nil
}

// start serves r on loopback and returns a client.
func start(t *testing.T, r *Receiver, lmtp bool) *smtp.Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		if lmtp {
			served <- r.ServeLMTP(l)
		} else {
			served <- r.Serve(l)
		}
	}()
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := smtp.NewClient(conn)
	if lmtp {
		c = smtp.NewClientLMTP(conn)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// submit sends a message and returns the first error.
func submit(c *smtp.Client, to string, message []byte) error {
	if err := c.Mail("", nil); err != nil {
		return err
	}
	if err := c.Rcpt(to, nil); err != nil {
		_ = c.Reset()
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(message); err != nil {
		return err
	}
	return w.Close()
}

func code(err error) int {
	var e *smtp.SMTPError
	if errors.As(err, &e) {
		return e.Code
	}
	if err == nil {
		return 250
	}
	return 0
}

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const testNotice = "From: MAILER-DAEMON@relay.example\r\nTo: b@bounce.example.com\r\nSubject: Undelivered\r\n" +
	"Content-Type: multipart/report; report-type=delivery-status; boundary=xyz\r\n\r\n" +
	"--xyz\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n" +
	"--xyz\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; relay.example\r\n\r\n" +
	"Final-Recipient: rfc822; jane@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n" +
	"Remote-MTA: dns; mx.example.net\r\nDiagnostic-Code: smtp; 550 5.1.1 No such user\r\n\r\n" +
	"--xyz\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <one@example.com>\r\nSubject: Your order\r\n\r\n--xyz--\r\n"

func TestReceiver(t *testing.T) {
	for _, lmtp := range []bool{false, true} {
		name := map[bool]string{false: "SMTP", true: "LMTP"}[lmtp]
		t.Run(name, func(t *testing.T) {
			codec := testCodec(t)
			returnPath, _ := codec.Encode(verp.FromUint64(4711))
			var e events
			c := start(t, &Receiver{Codec: codec, Handle: e.handle}, lmtp)
			if err := submit(c, returnPath, []byte(testNotice)); err != nil {
				t.Fatal(err)
			}
			if len(e.got) != 1 {
				t.Fatalf("%d events, want 1", len(e.got))
			}
			got := e.got[0]
			if id, _ := got.Token.Uint64(); got.Verdict != Valid || id != 4711 {
				t.Errorf("verdict %v, id %d; want valid, 4711", got.Verdict, id)
			}
			if got.Recipient != returnPath || got.Sender != "" || got.Key == "" {
				t.Errorf("event %+v", got)
			}
			r := got.Report
			if r == nil || r.Kind != Failed || len(r.Recipients) != 1 || r.MessageID != "<one@example.com>" || r.ReportingMTA != "relay.example" {
				t.Fatalf("report %+v", r)
			}
			rcpt := r.Recipients[0]
			if rcpt.Address != "jane@example.net" || rcpt.Action != "failed" || rcpt.Status != "5.1.1" || rcpt.Code != 550 ||
				!rcpt.Permanent || rcpt.Category != MailboxUnknown || rcpt.RemoteMTA != "mx.example.net" {
				t.Errorf("recipient %+v", rcpt)
			}
		})
	}
}

func TestReceiverRefuses(t *testing.T) {
	codec := testCodec(t)
	genuine, _ := codec.Encode([]byte{1})
	forged := "b+a" + strings.TrimPrefix(genuine, "b+")
	var e events
	c := start(t, &Receiver{Codec: codec, Handle: e.handle}, true)
	for name, address := range map[string]string{
		"forged": forged, "word": "b+hello@bounce.example.com", "person": "jane@bounce.example.com", "other domain": "jane@example.net",
	} {
		if got := code(submit(c, address, []byte(testNotice))); got != 550 {
			t.Errorf("%s: %d, want 550", name, got)
		}
	}
	if len(e.got) != 0 {
		t.Errorf("%d events, want none", len(e.got))
	}
}

func TestReceiverKeepsNothingBack(t *testing.T) {
	for _, lmtp := range []bool{false, true} {
		codec := testCodec(t)
		returnPath, _ := codec.Encode([]byte{1})
		e := events{fail: 1}
		c := start(t, &Receiver{Codec: codec, Handle: e.handle}, lmtp)
		if got := code(submit(c, returnPath, []byte(testNotice))); got != 451 {
			t.Errorf("first try: %d, want 451", got)
		}
		if len(e.got) != 0 {
			t.Errorf("%d events after a failure", len(e.got))
		}
		if err := submit(c, returnPath, []byte(testNotice)); err != nil {
			t.Errorf("second try: %v", err)
		}
		if len(e.got) != 1 {
			t.Errorf("%d events, want 1", len(e.got))
		}
	}
}

func TestReceiverSize(t *testing.T) {
	codec := testCodec(t)
	returnPath, _ := codec.Encode([]byte{1})
	var e events
	c := start(t, &Receiver{Codec: codec, Handle: e.handle, MaxSize: 4 << 20, Timeout: time.Minute}, false)
	big := append([]byte(testNotice), bytes.Repeat([]byte("filler line of a large original mail\r\n"), 60_000)...)
	if err := submit(c, returnPath, big); err != nil {
		t.Fatal(err)
	}
	if got := e.got[0]; len(got.Raw) != maxInput || !got.Report.Truncated || got.Report.Kind != Failed {
		t.Errorf("raw %d octets, truncated %v, kind %v", len(got.Raw), got.Report.Truncated, got.Report.Kind)
	}
	tooBig := bytes.Repeat([]byte("filler line of a large original mail\r\n"), 120_000)
	if got := code(submit(c, returnPath, append([]byte(testNotice), tooBig...))); got != 552 {
		t.Errorf("over MaxSize: %d, want 552", got)
	}
}

func TestReceiverNeeds(t *testing.T) {
	for name, r := range map[string]*Receiver{
		"Handle":              {Codec: testCodec(t)},
		"something to accept": {Handle: func(context.Context, Event) error { return nil }},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Serve(l); err == nil {
			t.Errorf("Serve without %s: no error", name)
		}
	}
}

package bounce

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/mxsend/go-mxsend/verp"
)

// talk is a client that writes what it is told and reads lines, over a net.Pipe
// to r.
type talk struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// dialogue starts a conversation with r; in a bubble, it must be hung up.
func dialogue(t *testing.T, r *Receiver, lmtp bool) *talk {
	t.Helper()
	ours, theirs := net.Pipe()
	r.mu.Lock()
	if r.ctx == nil {
		r.ctx, r.cancel = context.WithCancel(context.Background())
	}
	r.mu.Unlock()
	go func() {
		defer theirs.Close()
		r.converse(theirs, lmtp)
	}()
	c := &talk{t, ours, bufio.NewReader(ours)}
	c.expect("220")
	c.say(map[bool]string{false: "EHLO", true: "LHLO"}[lmtp] + " client.example\r\n")
	c.expect("250")
	return c
}

// hangUp ends a dialogue in a bubble.
func (c *talk) hangUp() { c.conn.Close(); synctest.Wait() }

func (c *talk) say(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, s); err != nil {
		c.t.Fatalf("writing %.40q: %v", s, err)
	}
}

// expect reads one reply and returns it.
func (c *talk) expect(code string) string {
	c.t.Helper()
	var all strings.Builder
	for {
		l, err := c.in.ReadString('\n')
		if err != nil {
			c.t.Fatalf("want %s: %v", code, err)
		}
		all.WriteString(l)
		if len(l) < 4 || l[3] != '-' {
			break
		}
	}
	if !strings.HasPrefix(all.String(), code) {
		c.t.Fatalf("got %q, want %s", all.String(), code)
	}
	return all.String()
}

// closed checks that no more comes.
func (c *talk) closed() {
	c.t.Helper()
	if b, err := io.ReadAll(c.in); err != nil && !errors.Is(err, io.ErrClosedPipe) || len(b) > 0 {
		c.t.Errorf("after the last reply: %q, %v", b, err)
	}
}

func (c *talk) transaction(to string) {
	c.t.Helper()
	c.say("MAIL FROM:<>\r\n")
	c.expect("250")
	c.say("RCPT TO:<" + to + ">\r\n")
	c.expect("250")
	c.say("DATA\r\n")
	c.expect("354")
}

// buffer is the size of the connection's read buffer, at which lines are cut.
const buffer = 16 << 10

func bothProtocols(t *testing.T, f func(t *testing.T, lmtp bool)) {
	for _, lmtp := range []bool{false, true} {
		t.Run(map[bool]string{false: "SMTP", true: "LMTP"}[lmtp], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, lmtp) })
		})
	}
}

// TestStalledData: a message that stops half-way stays with its sender, and what
// comes of it later is not taken for commands.
func TestStalledData(t *testing.T) {
	bothProtocols(t, func(t *testing.T, lmtp bool) {
		codec := testCodec(t)
		returnPath, _ := codec.Encode([]byte{1})
		var e events
		r := &Receiver{Codec: codec, Handle: e.handle, Timeout: time.Minute, TLSConfig: nil}
		c := dialogue(t, r, lmtp)
		c.transaction(returnPath)
		for _, l := range strings.SplitAfter(testNotice, "\n")[:6] {
			c.say(l)
			time.Sleep(50 * time.Second) // each line is in time
		}
		time.Sleep(11 * time.Second)
		c.expect("421 4.4.2 ")
		if _, err := io.WriteString(c.conn, "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<"+returnPath+">\r\nDATA\r\n"); err == nil {
			t.Error("the connection is still open")
		}
		c.closed()
		if len(e.got) != 0 {
			t.Errorf("%d events of half a message", len(e.got))
		}
		c.hangUp()
	})
}

// TestBrokenData: a connection that is lost within a message hands nothing on.
func TestBrokenData(t *testing.T) {
	bothProtocols(t, func(t *testing.T, lmtp bool) {
		codec := testCodec(t)
		returnPath, _ := codec.Encode([]byte{1})
		var e events
		c := dialogue(t, &Receiver{Codec: codec, Handle: e.handle}, lmtp)
		c.transaction(returnPath)
		c.say(testNotice)
		c.hangUp()
		if len(e.got) != 0 {
			t.Errorf("%d events of a message without its end", len(e.got))
		}
	})
}

// TestLongLine: a line of a message may have any length; a command may not.
func TestLongLine(t *testing.T) {
	bothProtocols(t, func(t *testing.T, lmtp bool) {
		codec := testCodec(t)
		returnPath, _ := codec.Encode([]byte{1})
		var e events
		c := dialogue(t, &Receiver{Codec: codec, Handle: e.handle}, lmtp)
		for _, n := range []int{buffer - 1, buffer, buffer + 1, 65 << 10, 900 << 10, 3 << 20} {
			c.transaction(returnPath)
			c.say(strings.Replace(testNotice, "Sorry.", strings.Repeat("x", n), 1) + ".\r\n")
			c.expect("250")
			got := e.got[len(e.got)-1]
			if n < 1<<20 && (len(got.Report.Recipients) != 1 || got.Report.Truncated) {
				t.Errorf("a line of %d octets: %+v", n, got.Report)
			}
			if n > 1<<20 && (!got.Report.Truncated || len(got.Raw) != maxInput) {
				t.Errorf("a line of %d octets: truncated %v, raw %d", n, got.Report.Truncated, len(got.Raw))
			}
		}
		c.say("NOOP " + strings.Repeat("x", 1<<20) + "\r\n")
		c.expect("500")
		c.say("NOOP\r\n")
		c.expect("250")
		c.hangUp()
	})
}

// TestDots: only a dot between two CRLF ends a message, and one at a line's start
// is taken away.
func TestDots(t *testing.T) {
	bothProtocols(t, func(t *testing.T, lmtp bool) {
		codec := testCodec(t)
		returnPath, _ := codec.Encode([]byte{1})
		var e events
		c := dialogue(t, &Receiver{Codec: codec, Handle: e.handle}, lmtp)
		long := strings.Repeat("x", buffer-1)
		for in, want := range map[string]string{
			"a\r\n..b\r\n":                       "a\r\n.b\r\n",
			"..\r\n":                             ".\r\n",
			"a\n.\nMAIL FROM:<>\r\n":             "a\n.\nMAIL FROM:<>\r\n",
			"a\n.\r\nMAIL FROM:<>\r\n":           "a\n.\r\nMAIL FROM:<>\r\n",
			"a\r\n.\nMAIL FROM:<>\r\n":           "a\r\n\nMAIL FROM:<>\r\n",
			long + "\r\n..\r\n":                  long + "\r\n.\r\n",
			long[1:] + "\r\n..x\r\n":             long[1:] + "\r\n.x\r\n",
			long + "x\r\n..x\r\n":                long + "x\r\n.x\r\n",
			long + "x\n.\r\nQUIT\r\n":            long + "x\n.\r\nQUIT\r\n",
			"\r\n":                               "\r\n",
			strings.Repeat(".", buffer) + "\r\n": strings.Repeat(".", buffer-1) + "\r\n",
		} {
			c.transaction(returnPath)
			c.say(in + ".\r\n")
			c.expect("250")
			if got := string(e.got[len(e.got)-1].Raw); got != want {
				t.Errorf("%.60q is taken as %.60q, want %.60q", in, got, want)
			}
		}
		c.hangUp()
	})
}

// TestPostmaster: RFC 5321 §4.5.1 demands postmaster without a domain.
func TestPostmaster(t *testing.T) {
	bothProtocols(t, func(t *testing.T, lmtp bool) {
		var e events
		c := dialogue(t, &Receiver{Codec: testCodec(t), Handle: e.handle}, lmtp)
		for _, to := range []string{"postmaster", "Postmaster", "POSTMASTER@bounce.example.com", "@relay.example:postmaster@bounce.example.com"} {
			c.transaction(to)
			c.say("Subject: hello\r\n\r\nHello\r\n.\r\n")
			c.expect("250")
			if got := e.got[len(e.got)-1]; got.Report != nil || got.Verdict != Unverified || !strings.HasPrefix(strings.ToLower(got.Recipient), "postmaster") {
				t.Errorf("%s: %+v", to, got)
			}
		}
		c.hangUp()
	})
}

// TestCommands: what is answered to commands, right and wrong.
func TestCommands(t *testing.T) {
	codec := testCodec(t)
	returnPath, _ := codec.Encode([]byte{1})
	r := &Receiver{
		Codec: codec, MaxRecipients: 2, MaxSize: 1000, Handle: func(context.Context, Event) error { return nil },
		Accept: func(a string) bool {
			if strings.HasPrefix(a, "panic") {
				panic("bug")
			}
			return strings.HasPrefix(a, `"odd>`)
		},
		Logger: slog.New(slog.DiscardHandler),
	}
	tests := []struct{ name, commands, want string }{
		{"order", "RCPT TO:<a@b.example>\r\nDATA\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\n", "503 503 250 503 503"},
		{"reset", "MAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\n", "250 250 250"},
		{"in any case", "mail from:<>\r\nrcpt to:<" + returnPath + ">\r\n", "250 250"},
		{"spaces", "MAIL FROM: <>\r\nRCPT TO: <" + returnPath + "> \r\n", "250 250"},
		{"no brackets", "MAIL FROM:jane@example.net\r\n", "501"},
		{"bare line feeds", "MAIL FROM:<>\nRCPT TO:<" + returnPath + ">\n", "250 250"},
		{"parameters", "MAIL FROM:<> BODY=8BITMIME SMTPUTF8 SIZE=900\r\nRCPT TO:<" + returnPath + "> NOTIFY=NEVER\r\n", "250 555"},
		{"unknown parameter", "MAIL FROM:<> RET=HDRS\r\n", "555"},
		{"too large", "MAIL FROM:<> SIZE=1001\r\nMAIL FROM:<> SIZE=x\r\nMAIL FROM:<> SIZE=1000\r\n", "552 552 250"},
		{"malformed", "MAIL\r\nMAIL FROM:\r\nMAIL FROM:<a@b\r\nMAIL TO:<>\r\nMAIL FROM:<>\r\nRCPT TO:<>\r\nRCPT FROM:<a@b>\r\n", "501 501 501 501 250 501 501"},
		{"quoted", "MAIL FROM:<>\r\nRCPT TO:<\"odd>\\\" one\"@example.net>\r\n", "250 250"},
		{"too many", "MAIL FROM:<>\r\n" + strings.Repeat("RCPT TO:<"+returnPath+">\r\n", 3), "250 250 250 452"},
		{"refused", "MAIL FROM:<>\r\nRCPT TO:<b+x@bounce.example.com>\r\nRCPT TO:<jane@example.net>\r\nRCPT TO:<jane>\r\nDATA\r\n", "250 550 550 550 503"},
		{"Accept panics", "MAIL FROM:<>\r\nRCPT TO:<panic@example.net>\r\nRCPT TO:<" + returnPath + ">\r\n", "250 451 250"},
		{"others", "NOOP\r\nVRFY jane\r\nEXPN list\r\nHELP\r\n\r\nAUTH PLAIN\r\nSTARTTLS\r\n", "250 252 502 502 502 502 502"},
		{"quit", "NOOP\r\nQUIT\r\n", "250 221"},
		{"nonsense", strings.Repeat("GET / HTTP/1.1\r\n", maxErrors+1), strings.TrimSpace(strings.Repeat("502 ", maxErrors+1))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := dialogue(t, r, false)
				go func() { _, _ = io.WriteString(c.conn, tt.commands) }()
				for _, want := range strings.Fields(tt.want) {
					c.expect(want)
				}
				c.hangUp()
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		c := dialogue(t, r, true)
		for _, verb := range []string{"EHLO", "HELO"} { // RFC 2033 §4.1
			c.say(verb + " client.example\r\n")
			c.expect("502")
		}
		c.hangUp()
	})
}

// TestIdle: a client that says nothing is told so, and left.
func TestIdle(t *testing.T) {
	bothProtocols(t, func(t *testing.T, lmtp bool) {
		c := dialogue(t, &Receiver{Codec: testCodec(t), Handle: func(context.Context, Event) error { return nil }}, lmtp)
		time.Sleep(5*time.Minute + time.Second)
		c.expect("421")
		c.closed()
		c.hangUp()
	})
}

// TestSeveralCodecs: one Receiver for lanes with return paths of their own.
func TestSeveralCodecs(t *testing.T) {
	bulk := testCodec(t)
	other := func(prefix, domain, secret string) *verp.Codec {
		c, err := verp.New(verp.Config{Prefix: prefix, Domain: domain, Keys: []verp.Key{{ID: 1, Secret: bytes.Repeat([]byte(secret), 32)}}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	transactional := other("t", "tx.example.com", "t")
	sameDomain := other("b", "bounce.example.com", "s")
	stranger := other("b", "bounce.example.com", "x")
	var e events
	r := &Receiver{Codec: bulk, Codecs: []*verp.Codec{transactional, sameDomain}, Feedback: []string{"fbl@fbl.example.com"}, Handle: e.handle}
	c := start(t, r, true)
	for i, codec := range []*verp.Codec{bulk, transactional, sameDomain} {
		returnPath, _ := codec.Encode(verp.FromUint64(uint64(i)))
		if err := submit(c, returnPath, []byte(testNotice)); err != nil {
			t.Fatal(err)
		}
		got := e.got[len(e.got)-1]
		if id, _ := got.Token.Uint64(); got.Verdict != Valid || id != uint64(i) || got.Recipient != returnPath {
			t.Errorf("codec %d: %v, id %d", i, got.Verdict, id)
		}
		if err := submit(c, "postmaster@"+codec.Domain(), []byte("Subject: hello\r\n\r\nHello\r\n")); err != nil {
			t.Errorf("postmaster of codec %d: %v", i, err)
		}
		complaint := strings.Replace(testComplaint, "<MAILFROM>", "<"+returnPath+">", 1)
		if err := submit(c, "fbl@fbl.example.com", []byte(complaint)); err != nil {
			t.Fatal(err)
		}
		if got := e.got[len(e.got)-1]; got.Verdict != Valid {
			t.Errorf("complaint, codec %d: %v", i, got.Verdict)
		}
	}
	forged, _ := stranger.Encode([]byte{1})
	for address, want := range map[string]string{forged: "550 5.7.1 ", "jane@tx.example.com": "550 5.1.1 ", "jane@example.net": "DUNNO"} {
		if got := r.policyAction(address); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

// TestHandleError: what Handle fails with is in the log, and whether it panicked.
func TestHandleError(t *testing.T) {
	for want, handle := range map[string]func(context.Context, Event) error{
		"the database is down": func(context.Context, Event) error { return errors.New("the database is down") },
		"index out of range":   func(context.Context, Event) error { panic("index out of range") },
	} {
		codec := testCodec(t)
		returnPath, _ := codec.Encode([]byte{1})
		var log bytes.Buffer
		c := start(t, &Receiver{Codec: codec, Handle: handle, Logger: slog.New(slog.NewTextHandler(&log, nil))}, true)
		if got := code(submit(c, returnPath, []byte(testNotice))); got != 451 {
			t.Errorf("%s: %d, want 451", want, got)
		}
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in the log: %s", want, &log)
		}
	}
}

func TestSuppresses(t *testing.T) {
	recipient := func(action string, c Category) Recipient {
		return Recipient{Address: "jane@example.net", Action: action, Category: c}
	}
	hard, soft := recipient(actionFailed, MailboxUnknown), recipient(actionFailed, MailboxFull)
	tests := []struct {
		name       string
		verdict    Verdict
		kind       Kind
		recipients []Recipient
		want       bool
	}{
		{"hard", Valid, Failed, []Recipient{hard}, true},
		{"hard, but unverified", Unverified, Failed, []Recipient{hard}, false},
		{"hard, but forged", Forged, Failed, []Recipient{hard}, false},
		{"hard, but of an old mail", Expired, Failed, []Recipient{hard}, false},
		{"soft", Valid, Failed, []Recipient{soft}, false},
		{"one of two", Valid, Failed, []Recipient{hard, soft}, false},
		{"a hard category of a delay", Valid, Delayed, []Recipient{recipient(actionDelayed, HostUnknown)}, false},
		{"nobody", Valid, Failed, nil, false},
		{"complaint", Valid, Complaint, nil, true},
		{"complaint, unverified", Unverified, Complaint, nil, false},
		{"unsubscribe", Valid, Unsubscribe, nil, true},
		{"delivered", Valid, Delivered, []Recipient{recipient(actionDelivered, None)}, false},
		{"vacation", Valid, AutoReply, nil, false},
	}
	for _, tt := range tests {
		e := Event{Verdict: tt.verdict, Report: &Report{Kind: tt.kind, Recipients: tt.recipients}}
		if got := e.Suppresses(); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if (Event{Verdict: Valid}).Suppresses() {
		t.Error("mail to postmaster suppresses")
	}
}

// TestUnsubscribe: Apple's mail to a List-Unsubscribe link is joined by the
// address it came to, or by what the link put into its subject.
func TestUnsubscribe(t *testing.T) {
	codec := testCodec(t)
	returnPath, _ := codec.Encode(verp.FromUint64(4711))
	var e events
	c := start(t, &Receiver{Codec: codec, Feedback: []string{"unsubscribe@bounce.example.com"}, Handle: e.handle}, false)
	for _, m := range []struct{ to, subject string }{
		{returnPath, "unsubscribe"}, {"unsubscribe@bounce.example.com", "unsubscribe " + returnPath},
	} {
		mail := fmt.Sprintf("From: Jane <jane@icloud.example>\r\nTo: %s\r\nSubject: %s\r\nX-Apple-Unsubscribe: true\r\n\r\n"+
			"Apple Mail sent this email to unsubscribe from the message list\r\n", m.to, m.subject)
		if err := submit(c, m.to, []byte(mail)); err != nil {
			t.Fatal(err)
		}
		got := e.got[len(e.got)-1]
		if id, _ := got.Token.Uint64(); got.Verdict != Valid || id != 4711 || got.Report.Kind != Unsubscribe || !got.Suppresses() {
			t.Errorf("to %s: %v, id %d, %v", m.to, got.Verdict, id, got.Report.Kind)
		}
	}
}

// TestStartTLS: mail goes over TLS, what was said in clear is forgotten, and what
// is sent in clear behind the command is never taken for a command.
func TestStartTLS(t *testing.T) {
	https := httptest.NewTLSServer(nil) // for its certificate
	defer https.Close()
	codec := testCodec(t)
	returnPath, _ := codec.Encode([]byte{1})
	var e events
	r := &Receiver{Codec: codec, Handle: e.handle, TLSConfig: &tls.Config{Certificates: https.TLS.Certificates}}
	t.Run("mail", func(t *testing.T) {
		c := dialogue(t, r, false)
		c.say("MAIL FROM:<>\r\n")
		c.expect("250")
		c.say("STARTTLS\r\n")
		c.expect("220")
		conn := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true})
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
		c.say("RCPT TO:<" + returnPath + ">\r\n")
		c.expect("503")
		c.say("EHLO client.example\r\n")
		if got := c.expect("250"); strings.Contains(got, "STARTTLS") {
			t.Errorf("offered again: %q", got)
		}
		c.say("STARTTLS\r\n")
		c.expect("502")
		c.transaction(returnPath)
		c.say(testNotice + ".\r\n")
		c.expect("250")
		if len(e.got) != 1 {
			t.Errorf("%d events, want 1", len(e.got))
		}
		conn.Close()
	})
	t.Run("commands in clear", func(t *testing.T) {
		c := dialogue(t, r, false)
		c.say("STARTTLS\r\nNOOP\r\n")
		c.expect("501")
		c.closed()
	})
}

// failing is a listener whose first Accepts fail.
type failing struct {
	net.Listener
	errs []error
}

func (f *failing) Accept() (net.Conn, error) {
	if len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", err)}
	}
	return f.Listener.Accept()
}

// TestAcceptFails: a Receiver that is short of descriptors for a while goes on.
func TestAcceptFails(t *testing.T) {
	codec := testCodec(t)
	returnPath, _ := codec.Encode([]byte{1})
	var e events
	r := &Receiver{Codec: codec, Handle: e.handle}
	listen := func(errs ...error) *failing {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return &failing{l, errs}
	}
	l := listen(syscall.EMFILE, syscall.ECONNABORTED, syscall.ENFILE, syscall.EMFILE)
	served := make(chan error, 1)
	go func() { served <- r.Serve(l) }()
	c, err := smtp.Dial(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := submit(c, returnPath, []byte(testNotice)); err != nil {
		t.Error(err)
	}
	c.Close()
	r.Close()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if len(e.got) != 1 {
		t.Errorf("%d events, want 1", len(e.got))
	}
	broken := &Receiver{Codec: codec, Handle: e.handle}
	if err := broken.Serve(listen(syscall.EINVAL)); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("Serve on a broken listener: %v", err)
	}
}

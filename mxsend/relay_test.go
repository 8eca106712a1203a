package mxsend

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

// What testRelay.answer may return besides the text of a reply. A text that ends
// in cutHere is sent without its end, and the connection closed.
const (
	usual    = ""
	hangUp   = "-" // closes without a word
	abort    = "!" // resets the connection
	silent   = "~" // says nothing any more, but goes on reading
	cutHere  = "-"
	rawReply = "=" // in front of a text: it is sent as it is, without CRLF
)

// A testRelay is a minimal SMTP server whose every reply a test may replace.
type testRelay struct {
	name string
	ip   string
	ehlo []string
	// answer returns the reply to a line ("" to "connect", "." for the final dot).
	answer func(conn int, line string) string
	// before is called before each reply; it may sleep.
	before func(conn int, line string)
	// raw, if it returns true, was the whole connection.
	raw func(conn int, nc net.Conn) bool
	// content, if it returns true, took over after 354; the connection ends then.
	content  func(conn int, t *testSession) bool
	tls      *tls.Config // offers STARTTLS
	implicit bool        // TLS from the first octet
	ehloTLS  []string    // offered over TLS; nil: ehlo
	auth     string      // what AUTH must bring: "PLAIN AGEAYg=="; empty: not offered
	delay    time.Duration

	sessions sync.WaitGroup

	mu       sync.Mutex
	accepted []testMail
	conns    int
	dots     int
	commands []string
	open     map[net.Conn]bool
	octets   bytes.Buffer // all that came, in clear, where keepOctets is set
	keep     bool
}

type testMail struct {
	from    string
	to      []string
	content string
}

var fullEHLO = []string{"PIPELINING", "SIZE 10240000", "8BITMIME", "ENHANCEDSTATUSCODES", "DSN", "SMTPUTF8"}

func (r *testRelay) serve(l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.conns++
		n := r.conns
		if r.open == nil {
			r.open = map[net.Conn]bool{}
		}
		r.open[nc] = true
		r.mu.Unlock()
		r.sessions.Go(func() {
			if r.raw == nil || !r.raw(n, nc) {
				(&testSession{r: r, n: n, base: nc}).run()
			}
			_ = nc.Close()
			r.mu.Lock()
			delete(r.open, nc)
			r.mu.Unlock()
		})
	}
}

// opened is how many connections there are.
func (r *testRelay) opened() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}

// lines returns the commands seen that begin with a prefix.
func (r *testRelay) lines(prefix string) (found []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.commands {
		if strings.HasPrefix(c, prefix) {
			found = append(found, c)
		}
	}
	return found
}

func (r *testRelay) seen() string { return strings.Join(r.lines(""), "|") }

type testSession struct {
	r       *testRelay
	n       int
	base    net.Conn
	in      *bufio.Reader
	out     *bufio.Writer
	secured bool
	mail    testMail
	mailed  bool
}

func (t *testSession) use(nc net.Conn) {
	var r io.Reader = nc
	if t.r.keep {
		r = io.TeeReader(nc, lockedWriter{t.r})
	}
	t.in, t.out = bufio.NewReaderSize(r, 64<<10), bufio.NewWriterSize(nc, 64<<10)
}

type lockedWriter struct{ r *testRelay }

func (w lockedWriter) Write(p []byte) (int, error) {
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	return w.r.octets.Write(p)
}

// decide asks the test what to answer.
func (t *testSession) decide(line string) string {
	if f := t.r.before; f != nil {
		_ = t.flushIfIdle()
		f(t.n, line)
	}
	if f := t.r.answer; f != nil {
		return f(t.n, line)
	}
	return usual
}

func (t *testSession) flushIfIdle() error {
	if t.in.Buffered() == 0 {
		return t.out.Flush()
	}
	return nil
}

// say gives the decided answer, or the usual one. It returns false at the
// connection's end. As Postfix's, replies leave when there is no more input.
func (t *testSession) say(decided, otherwise string) bool {
	reply := decided
	if reply == usual {
		reply = otherwise
	}
	switch reply {
	case hangUp:
		_ = t.out.Flush()
		return false
	case abort:
		_ = t.out.Flush()
		t.base.(*memnet.Conn).Reset()
		return false
	case silent:
		_ = t.out.Flush()
		_, _ = io.Copy(io.Discard, t.in)
		return false
	}
	if text, ok := strings.CutPrefix(reply, rawReply); ok {
		_, _ = t.out.WriteString(text)
		return t.out.Flush() == nil
	}
	if text, ok := strings.CutSuffix(reply, cutHere); ok {
		_, _ = t.out.WriteString(text)
		_ = t.out.Flush()
		return false
	}
	_, _ = t.out.WriteString(reply + "\r\n")
	if strings.HasPrefix(reply, "421") {
		_ = t.out.Flush()
		return false
	}
	return t.flushIfIdle() == nil
}

func (t *testSession) run() {
	t.use(t.base)
	if t.r.implicit && !t.handshake() {
		return
	}
	if !t.say(t.decide(""), "220 "+t.r.name+" ESMTP") {
		return
	}
	for {
		line, err := t.in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		t.r.mu.Lock()
		t.r.commands = append(t.r.commands, line)
		t.r.mu.Unlock()
		if !t.command(line) {
			return
		}
	}
}

func (t *testSession) handshake() bool {
	secured := tls.Server(t.base, t.r.tls)
	if secured.Handshake() != nil {
		return false
	}
	t.secured = true
	t.use(secured)
	return true
}

func (t *testSession) command(line string) bool {
	verb, arg, _ := strings.Cut(line, " ")
	decided := t.decide(line)
	taken := decided == usual || strings.HasPrefix(decided, "2")
	switch verb {
	case "EHLO":
		return t.say(decided, t.greeting())
	case "HELO":
		return t.say(decided, "250 "+t.r.name)
	case "STARTTLS":
		if t.r.tls == nil {
			return t.say(decided, "502 5.5.1 Error: command not implemented")
		}
		return t.say(decided, "220 2.0.0 Ready to start TLS") && (!taken || t.out.Flush() == nil && t.handshake())
	case "AUTH":
		otherwise := "535 5.7.8 Error: authentication failed"
		if arg == t.r.auth {
			otherwise = "235 2.7.0 Authentication successful"
		}
		return t.say(decided, otherwise)
	case "MAIL":
		t.mail, t.mailed = testMail{}, taken
		if taken {
			t.mail.from = path(arg)
		}
		return t.say(decided, "250 2.1.0 Ok")
	case "RCPT":
		if !t.mailed {
			return t.say(decided, "503 5.5.1 Error: need MAIL command")
		}
		if taken {
			t.mail.to = append(t.mail.to, path(arg))
		}
		return t.say(decided, "250 2.1.5 Ok")
	case "DATA":
		return t.data(decided)
	case "RSET":
		t.mail, t.mailed = testMail{}, false
		return t.say(decided, "250 2.0.0 Ok")
	case "QUIT":
		t.say(decided, "221 2.0.0 Bye")
		return false
	}
	return t.say(decided, "502 5.5.2 Error: command not recognized")
}

func (t *testSession) greeting() string {
	lines := append([]string{t.r.name}, t.r.ehlo...)
	if t.secured && t.r.ehloTLS != nil {
		lines = append([]string{t.r.name}, t.r.ehloTLS...)
	}
	if t.r.tls != nil && !t.secured {
		lines = append(lines, "STARTTLS")
	}
	if t.r.auth != "" && t.secured {
		lines = append(lines, "AUTH PLAIN LOGIN")
	}
	return "250-" + strings.Join(append(lines, "HELP"), "\r\n250-") + "\r\n250 OK"
}

func (t *testSession) data(decided string) bool {
	if len(t.mail.to) == 0 && decided == usual {
		return t.say(decided, "554 5.5.1 Error: no valid recipients")
	}
	if !t.say(decided, "354 End data with <CR><LF>.<CR><LF>") {
		return false
	}
	if decided != usual && !strings.HasPrefix(decided, "354") {
		return true
	}
	if f := t.r.content; f != nil && f(t.n, t) {
		return false
	}
	content, err := readContent(t.in)
	if err != nil {
		return false
	}
	if t.r.delay > 0 {
		_ = t.out.Flush()
		time.Sleep(t.r.delay)
	}
	decided = t.decide(".")
	m := t.mail
	m.content = content
	t.mail, t.mailed = testMail{}, false
	t.r.mu.Lock()
	t.r.dots++
	id := t.r.dots
	// A relay that says nothing may have kept the mail: the worst case for
	// duplicates, so it does. Without recipients there is nothing to keep.
	if !strings.HasPrefix(decided, "4") && !strings.HasPrefix(decided, "5") && len(m.to) > 0 {
		t.r.accepted = append(t.r.accepted, m)
	}
	t.r.mu.Unlock()
	return t.say(decided, fmt.Sprintf("250 2.0.0 Ok: queued as Q%d", id))
}

func path(arg string) string {
	_, rest, _ := strings.Cut(arg, "<")
	p, _, _ := strings.Cut(rest, ">")
	return p
}

// readContent reads to the final dot as a strict relay does: only CRLF.CRLF ends
// content, and CR or LF alone is an error.
func readContent(in *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		body, ok := strings.CutSuffix(line, "\r\n")
		if !ok || strings.ContainsAny(body, "\r\n") {
			return "", fmt.Errorf("CR or LF outside CRLF")
		}
		if body == "." {
			return b.String(), nil
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
}

package mxsend

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

// A testRelay is a minimal SMTP server whose every reply a test may replace.
type testRelay struct {
	name string
	ip   string
	ehlo []string
	// answer returns the reply to a line ("" to "connect", "." for the final
	// dot); "" means the usual one, "-" closes the connection without a word.
	answer func(conn int, line string) string
	delay  time.Duration // before each reply to the final dot

	mu       sync.Mutex
	accepted []testMail
	conns    int
	dots     int
	commands []string
	open     map[net.Conn]bool
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
		go func() {
			r.session(n, nc)
			_ = nc.Close()
			r.mu.Lock()
			delete(r.open, nc)
			r.mu.Unlock()
		}()
	}
}

// session answers as Postfix does: replies leave when there is no more input.
func (r *testRelay) session(n int, nc net.Conn) {
	in, out := bufio.NewReaderSize(nc, 64<<10), bufio.NewWriterSize(nc, 64<<10)
	say := func(line, usual string) bool {
		reply := ""
		if r.answer != nil {
			reply = r.answer(n, line)
		}
		if reply == "" {
			reply = usual
		}
		if reply == "-" {
			_ = out.Flush()
			return false
		}
		cut := strings.HasSuffix(reply, "-")
		_, _ = out.WriteString(strings.TrimSuffix(reply, "-"))
		if !cut {
			_, _ = out.WriteString("\r\n")
		}
		if cut || strings.HasPrefix(reply, "421") || in.Buffered() == 0 {
			_ = out.Flush()
		}
		return !cut && !strings.HasPrefix(reply, "421")
	}
	if !say("", "220 "+r.name+" ESMTP") {
		return
	}
	var m testMail
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		r.mu.Lock()
		r.commands = append(r.commands, line)
		r.mu.Unlock()
		verb, arg, _ := strings.Cut(line, " ")
		ok := true
		switch verb {
		case "EHLO":
			reply := "250-" + r.name
			for _, x := range r.ehlo {
				reply += "\r\n250-" + x
			}
			ok = say(line, reply+"\r\n250 HELP")
		case "MAIL":
			m = testMail{from: path(arg)}
			ok = say(line, "250 2.1.0 Ok")
		case "RCPT":
			if r.answer == nil || r.answer(n, line) == "" {
				m.to = append(m.to, path(arg))
			}
			ok = say(line, "250 2.1.5 Ok")
		case "DATA":
			if len(m.to) == 0 {
				ok = say(line, "554 5.5.1 Error: no valid recipients")
				break
			}
			reply := ""
			if r.answer != nil {
				reply = r.answer(n, line)
			}
			ok = say(line, "354 End data with <CR><LF>.<CR><LF>")
			if !ok || reply != "" && !strings.HasPrefix(reply, "354") {
				break
			}
			content, err := readContent(in)
			if err != nil {
				return
			}
			if r.delay > 0 {
				_ = out.Flush()
				time.Sleep(r.delay)
			}
			r.mu.Lock()
			r.dots++
			id := r.dots
			m.content = content
			refused := r.answer != nil && r.answer(n, ".") != "" && !strings.HasPrefix(r.answer(n, "."), "2")
			if !refused {
				r.accepted = append(r.accepted, m)
			}
			r.mu.Unlock()
			m = testMail{}
			ok = say(".", fmt.Sprintf("250 2.0.0 Ok: queued as Q%d", id))
		case "RSET":
			m = testMail{}
			ok = say(line, "250 2.0.0 Ok")
		case "QUIT":
			say(line, "221 2.0.0 Bye")
			return
		default:
			ok = say(line, "502 5.5.2 Error: command not recognized")
		}
		if !ok {
			return
		}
	}
}

func path(arg string) string {
	_, rest, _ := strings.Cut(arg, "<")
	p, _, _ := strings.Cut(rest, ">")
	return p
}

func readContent(in *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		if line == ".\r\n" {
			return b.String(), nil
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
}

// A testSetup is a Client and its relays over a network in memory.
type testSetup struct {
	*Client
	t      *testing.T
	net    *memnet.Network
	relays []*testRelay
}

// inBubble runs f in a bubble of fake time with n relays and a Client for them,
// and checks that nothing is left running.
func inBubble(t *testing.T, n int, change func(*Config, []*testRelay), f func(s *testSetup)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &testSetup{t: t, net: memnet.New(memnet.Config{Latency: time.Millisecond})}
		cfg := Config{Domain: "relays.test", TLS: TLSDisabled, LocalName: "app.test", Dial: s.net.Dial}
		var hosts []Host
		var listeners []net.Listener
		for i := range n {
			r := &testRelay{name: fmt.Sprintf("p%d.relays.test", i+1), ip: fmt.Sprintf("10.0.0.%d", i+1), ehlo: fullEHLO}
			s.relays = append(s.relays, r)
			hosts = append(hosts, Host{Name: r.name, Addresses: []netip.Addr{netip.MustParseAddr(r.ip)}})
		}
		cfg.Resolver = StaticRelays(hosts...)
		if change != nil {
			change(&cfg, s.relays)
		}
		for _, r := range s.relays {
			l, err := s.net.Listen("tcp", r.ip+":25")
			if err != nil {
				t.Fatal(err)
			}
			listeners = append(listeners, l)
			go r.serve(l)
		}
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s.Client = c
		f(s)
		_ = c.Close()
		for _, l := range listeners {
			_ = l.Close()
		}
		for _, r := range s.relays {
			r.mu.Lock()
			for nc := range r.open {
				_ = nc.Close()
			}
			r.mu.Unlock()
		}
		synctest.Wait()
	})
}

const testContent = "From: Shop <shop@app.test>\r\nTo: you@example.test\r\nSubject: Hello\r\n\r\nHello\r\n.dot\r\n"

func testMessage(i int) *Message {
	return &Message{
		ReturnPath: fmt.Sprintf("b+%d@app.test", i),
		Recipients: []string{fmt.Sprintf("u%d@example.test", i)},
		Content:    []byte(testContent),
		Ref:        fmt.Sprint(i),
	}
}

func (s *testSetup) took() (n int) {
	for _, r := range s.relays {
		r.mu.Lock()
		n += len(r.accepted)
		r.mu.Unlock()
	}
	return n
}

func (s *testSetup) ctx() context.Context { return s.t.Context() }

var _ = io.EOF

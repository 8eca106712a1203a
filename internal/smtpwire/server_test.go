package smtpwire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// script is a connection whose input is given, in pieces as they arrive, and whose writes are kept apart.
type script struct {
	net.Conn
	in     []string
	writes []string
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.in[0])
	if s.in[0] = s.in[0][n:]; s.in[0] == "" {
		s.in = s.in[1:]
	}
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	s.writes = append(s.writes, string(p))
	return len(p), nil
}

func TestServerRepliesInOneWriteAGroup(t *testing.T) {
	conn := &script{in: []string{"MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDA", "TA\r\n"}}
	c := NewServerConn(conn)
	for range 3 {
		if _, err := c.ReadLine(); err != nil {
			t.Fatal(err)
		}
		c.Reply(250, "2.0.0", "Ok")
	}
	c.Flush()
	if got, want := strings.Join(conn.writes, "|"), "250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n|250 2.0.0 Ok\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestServerReplyForms(t *testing.T) {
	for _, tt := range []struct {
		name   string
		code   int
		status string
		lines  []string
		want   string
	}{
		{"one line", 250, "2.1.0", []string{"Ok"}, "250 2.1.0 Ok\r\n"},
		{"no status", 354, "", []string{"go on"}, "354 go on\r\n"},
		{"several lines", 250, "", []string{"a", "SIZE 1", "DSN"}, "250-a\r\n250-SIZE 1\r\n250 DSN\r\n"},
		{"no text", 220, "", nil, "220 \r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn := &script{}
			c := NewServerConn(conn)
			c.Reply(tt.code, tt.status, tt.lines...)
			c.Flush()
			if got := strings.Join(conn.writes, ""); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestServerLineTooLong(t *testing.T) {
	conn := &script{in: []string{strings.Repeat("x", 40000) + "\r\nNOOP\r\n"}}
	c := NewServerConn(conn)
	if _, err := c.ReadLine(); !errors.Is(err, ErrServerLine) {
		t.Errorf("got %v, want ErrServerLine", err)
	}
	if line, err := c.ReadLine(); string(line) != "NOOP" || err != nil {
		t.Errorf("got %q, %v; want NOOP after the long line", line, err)
	}
}

func TestServerUpgradeRefusesPlaintext(t *testing.T) {
	c := NewServerConn(&script{in: []string{"STARTTLS\r\nMAIL FROM:<a@b.test>\r\n"}})
	c.ReadLine()
	if err := c.Upgrade(func(conn net.Conn) net.Conn { return conn }); !errors.Is(err, ErrServerPlaintext) {
		t.Errorf("got %v, want ErrServerPlaintext", err)
	}
}

func TestServerContent(t *testing.T) {
	long := strings.Repeat("y", serverBuffer-1)
	for _, tt := range []struct {
		name, in, want string
		bareLF, over   bool
	}{
		{"plain", "a\r\nb\r\n.\r\n", "a\r\nb\r\n", false, false},
		{"empty", ".\r\n", "", false, false},
		{"stuffed", "..\r\n...x\r\n.y\r\n.\r\n", ".\r\n..x\r\ny\r\n", false, false},
		{"LF.LF goes on", "a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", true, false},
		{"LF.CRLF goes on", "a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", true, false},
		{"CRLF.LF goes on", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", true, false},
		{"bare CR", "a\rb\r\n.\r\n", "a\rb\r\n", true, false},
		{"CR CR LF", "a\r\r\n.\r\n", "a\r\r\n", true, false},
		{"CR at the end of the buffer", long + "\r\n.\r\n", long + "\r\n", false, false},
		{"longer than the buffer", long + long + "\r\n.\r\n", long + long + "\r\n", false, false},
		{"over the limit", strings.Repeat("z\r\n", 20000) + ".\r\n", strings.Repeat("z\r\n", 20000)[:50000], false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := NewServerConn(&script{in: []string{tt.in + "QUIT\r\n"}})
			got, err := c.ReadContent([]byte("before")[:6], 50000)
			if err != nil || string(got.Octets) != tt.want || got.BareLF != tt.bareLF || got.Over != tt.over {
				t.Errorf("got %.40q… (%d octets) bare %v over %v, %v; want %.40q… (%d) %v %v",
					got.Octets, len(got.Octets), got.BareLF, got.Over, err, tt.want, len(tt.want), tt.bareLF, tt.over)
			}
			if line, err := c.ReadLine(); string(line) != "QUIT" {
				t.Errorf("behind the dot: got %q, %v; want QUIT", line, err)
			}
		})
	}
}

func TestServerContentCutShort(t *testing.T) {
	c := NewServerConn(&script{in: []string{"a\r\nb\r\n"}})
	if got, err := c.ReadContent(nil, 0); err == nil {
		t.Errorf("got %q without an error: content that breaks off is no mail", got.Octets)
	}
}

// FuzzServerContent: what a client stuffs comes out as it went in, however the connection cuts it, and nothing behind
// the final dot is taken.
func FuzzServerContent(f *testing.F) {
	f.Add("a\r\n.b\r\n", 3)
	f.Add(".\r\n", 1)
	f.Add("\n.\n\r.\r", 2)
	f.Fuzz(func(t *testing.T, content string, piece int) {
		if !strings.HasSuffix(content, "\r\n") {
			content += "\r\n"
		}
		stuffed := strings.ReplaceAll("\r\n"+content, "\r\n.", "\r\n..")[2:] + ".\r\nQUIT\r\n"
		conn := &script{}
		for piece = max(1, piece&0x3fff); len(stuffed) > piece; stuffed = stuffed[piece:] {
			conn.in = append(conn.in, stuffed[:piece])
		}
		conn.in = append(conn.in, stuffed)
		c := NewServerConn(conn)
		got, err := c.ReadContent(nil, 0)
		if err != nil || string(got.Octets) != content {
			t.Fatalf("got %q, %v; want %q", got.Octets, err, content)
		}
		rest := strings.ReplaceAll(content, "\r\n", "")
		if want := strings.ContainsAny(rest, "\r\n"); got.BareLF != want {
			t.Fatalf("%q: bare %v, want %v", content, got.BareLF, want)
		}
		if line, _ := c.ReadLine(); !bytes.Equal(line, []byte("QUIT")) {
			t.Fatalf("behind the dot: %q", line)
		}
	})
}

func TestParseServerCommand(t *testing.T) {
	for _, tt := range []struct{ line, verb, arg string }{
		{"mail FROM:<a@b>", "MAIL", "FROM:<a@b>"},
		{"DATA", "DATA", ""},
		{"  ", "", ""},
		{"quit\t ", "QUIT", ""},
		{"XCLIENTSPECIAL a b", "XCLIENTSPECIAL", "a b"},
	} {
		if got := ParseServerCommand([]byte(tt.line)); got.Verb != tt.verb || got.Arg != tt.arg {
			t.Errorf("%q: got %+v, want %s and %q", tt.line, got, tt.verb, tt.arg)
		}
	}
}

func TestParseServerPath(t *testing.T) {
	for _, tt := range []struct {
		name, arg, address, params string
		ok                         bool
	}{
		{"plain", "FROM:<a@b.test>", "a@b.test", "", true},
		{"null", "from:<>", "", "", true},
		{"space", "FROM: <a@b.test>", "a@b.test", "", true},
		{"parameters", "FROM:<a@b.test> SIZE=10 body=8BITMIME SMTPUTF8", "a@b.test", "[{SIZE 10} {BODY 8BITMIME} {SMTPUTF8 }]", true},
		{"quoted", `FROM:<"a >\" b"@b.test>`, `"a >\" b"@b.test`, "", true},
		{"source route", "FROM:<@x.test,@y.test:a@b.test>", "a@b.test", "", true},
		{"route to nowhere", "FROM:<@x.test>", "", "", false},
		{"no brackets", "FROM:a@b.test", "", "", false},
		{"unclosed", "FROM:<a@b.test", "", "", false},
		{"wrong keyword", "TO:<a@b.test>", "", "", false},
		{"glued parameter", "FROM:<a@b.test>SIZE=1", "", "", false},
		{"no domain", "FROM:<a@>", "", "", false},
		{"no local part", "FROM:<@>", "", "", false},
		{"space inside", "FROM:<a b@c.test>", "", "", false},
		{"control character", "FROM:<a\x00@c.test>", "", "", false},
		{"empty keyword", "FROM:<a@b.test> =1", "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseServerPath(tt.arg, "FROM")
			params := ""
			if len(got.Params) > 0 {
				params = strings.ReplaceAll(sprint(got.Params), "\n", "")
			}
			if (err == nil) != tt.ok || tt.ok && (got.Address != tt.address || params != tt.params) {
				t.Errorf("got %q %s, %v; want %q %s, ok %v", got.Address, params, err, tt.address, tt.params, tt.ok)
			}
		})
	}
}

func sprint(p []ServerParam) string {
	var s []string
	for _, q := range p {
		s = append(s, "{"+q.Keyword+" "+q.Value+"}")
	}
	return "[" + strings.Join(s, " ") + "]"
}

// FuzzParseServerPath: an address that is taken, put into a path again, is taken as the same, and holds nothing that would
// end its line.
func FuzzParseServerPath(f *testing.F) {
	f.Add("FROM:<a@b.test> SIZE=1")
	f.Add(`FROM:<"\>"@b>`)
	f.Add("FROM:<@a:b@c>")
	f.Fuzz(func(t *testing.T, arg string) {
		got, err := ParseServerPath(arg, "FROM")
		if err != nil {
			return
		}
		if strings.ContainsAny(got.Address, "\r\n\x00") {
			t.Fatalf("%q: address %q", arg, got.Address)
		}
		if strings.HasPrefix(got.Address, "@") {
			return // behind a route; not one that could be written without it
		}
		again, err := ParseServerPath("FROM:<"+got.Address+">", "FROM")
		if err != nil || again.Address != got.Address {
			t.Fatalf("%q: got %q, then %q, %v", arg, got.Address, again.Address, err)
		}
	})
}

func TestDecodeXtext(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		ok       bool
	}{
		{"plain", "plain", true}, {"a+2Bb+3D", "a+b=", true}, {"+", "", false}, {"+2", "", false}, {"+2b", "", false}, {"+zz", "", false},
	} {
		if got, err := DecodeXtext(tt.in); got != tt.want && tt.ok || (err == nil) != tt.ok {
			t.Errorf("%q: got %q, %v; want %q, ok %v", tt.in, got, err, tt.want, tt.ok)
		}
	}
}

func ExampleServerConn() {
	conn := &script{in: []string{"EHLO app.test\r\n", "QUIT\r\n"}}
	c := NewServerConn(conn)
	c.Reply(220, "", "p1.mail.test ESMTP")
	for {
		line, err := c.ReadLine()
		if err != nil {
			break
		}
		switch ParseServerCommand(line).Verb {
		case "EHLO":
			c.Reply(250, "", "p1.mail.test", "PIPELINING")
		case "QUIT":
			c.Reply(221, "2.0.0", "Bye")
		}
	}
	fmt.Print(strings.ReplaceAll(strings.Join(conn.writes, ""), "\r", ""))
	// Output:
	// 220 p1.mail.test ESMTP
	// 250-p1.mail.test
	// 250 PIPELINING
	// 221 2.0.0 Bye
}

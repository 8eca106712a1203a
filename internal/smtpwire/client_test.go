package smtpwire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReplyReader(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     string // code, enhanced code and text, quoted
		err      error
	}{
		{"one line", "250 2.1.0 Ok\r\n", `250 2.1.0 "Ok"`, nil},
		{"no enhanced code", "250 Ok\r\n", `250  "Ok"`, nil},
		{"no text", "250\r\n", `250  ""`, nil},
		{"space and no text", "250 \r\n", `250  ""`, nil},
		{"enhanced code only", "250 2.0.0\r\n", `250 2.0.0 ""`, nil},
		{"class disagrees", "550 4.1.1 x\r\n", `550  "4.1.1 x"`, nil},
		{"not quite enhanced", "250 2.1.1000 x\r\n", `250  "2.1.1000 x"`, nil},
		{"a version", "250 2.1 x\r\n", `250  "2.1 x"`, nil},
		{"two lines", "250-2.1.0 a\r\n250 2.1.0 b\r\n", `250 2.1.0 "a\nb"`, nil},
		{"empty lines", "250-\r\n250-\r\n250 x\r\n", `250  "\n\nx"`, nil},
		{"last line without text", "250-a\r\n250\r\n", `250  "a\n"`, nil},
		{"bare LF", "250 Ok\n", `250  "Ok"`, nil},
		{"codes differ", "250-a\r\n354 b\r\n", "", ErrProtocol},
		{"two digits", "25 ok\r\n", "", ErrProtocol},
		{"four digits", "2500 ok\r\n", "", ErrProtocol},
		{"no space", "250ok\r\n", "", ErrProtocol},
		{"1yz", "150 ok\r\n", "", ErrProtocol},
		{"6yz", "650 ok\r\n", "", ErrProtocol},
		{"empty", "\r\n", "", ErrProtocol},
		{"text", "hello\r\n", "", ErrProtocol},
		{"NUL", "250 a\x00b\r\n", "", ErrProtocol},
		{"bare CR", "250 a\rb\r\n", "", ErrProtocol},
		{"cut", "250 Ok", "", io.ErrUnexpectedEOF},
		{"cut between lines", "250-Ok\r\n", "", io.ErrUnexpectedEOF},
		{"nothing", "", "", io.EOF},
		{"a line of 4096", "250 " + strings.Repeat("x", MaxReplyLine-4) + "\r\n", fmt.Sprintf("250  %q", strings.Repeat("x", MaxReplyLine-4)), nil},
		{"a line too long", "250 " + strings.Repeat("x", MaxReplyLine-3) + "\r\n", "", ErrProtocol},
		{"a line without end", strings.Repeat("2", 1<<20), "", ErrProtocol},
		{"100 lines", strings.Repeat("250-x\r\n", 99) + "250 y\r\n", fmt.Sprintf("250  %q", strings.Repeat("x\n", 99)+"y"), nil},
		{"101 lines", strings.Repeat("250-x\r\n", 100) + "250 y\r\n", "", ErrProtocol},
		{"over 64 KiB", strings.Repeat("250-"+strings.Repeat("x", 3000)+"\r\n", 30) + "250 y\r\n", "", ErrProtocol},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tt.in), iotest.HalfReader(strings.NewReader(tt.in)), iotest.OneByteReader(strings.NewReader(tt.in))} {
				reply, err := NewReplyReader(r).Next()
				if !errors.Is(err, tt.err) {
					t.Fatalf("error %v, want %v", err, tt.err)
				}
				if err == nil {
					if got := fmt.Sprintf("%d %v %q", reply.Code, reply.Enhanced, reply.Text); got != tt.want {
						t.Errorf("got %s, want %s", got, tt.want)
					}
				}
			}
		})
	}
}

func TestReplyReaderPartial(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"250 2.0.0 Ok: que", "250 2.0.0 Ok: que"},
		{"", ""},
		{strings.Repeat("x", 600), strings.Repeat("x", 512)},
	} {
		rr := NewReplyReader(strings.NewReader(tt.in))
		_, _ = rr.Next()
		if got := rr.Partial(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestReplyErrorHidesAddresses(t *testing.T) {
	_, err := NewReplyReader(strings.NewReader("user@example.test is unknown\r\n")).Next()
	if err == nil || strings.Contains(err.Error(), "user") {
		t.Errorf("%v", err)
	}
}

// FuzzReplyReader: whatever comes, replies are within the limits, the reader never
// panics or reads for ever, and it sees the same whatever the segments.
func FuzzReplyReader(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "250-a\r\n250 b\r\n", "250 2.1.5 x\r\n354\r\n", "5", "250-\n250\n", "421 4.3.2 x\r\n\x00"} {
		f.Add([]byte(s))
	}
	type seen struct {
		text string
		err  string
	}
	read := func(t *testing.T, in []byte, r io.Reader) (all []seen) {
		rr := NewReplyReader(r)
		for range len(in) + 2 {
			ready := rr.HasReply()
			reply, err := rr.Next()
			if err != nil {
				if !errors.Is(err, ErrProtocol) && err != io.EOF && err != io.ErrUnexpectedEOF {
					t.Fatalf("error %v", err)
				}
				return append(all, seen{err: err.Error()})
			}
			_ = ready
			if reply.Code < 200 || reply.Code > 599 || len(reply.Text) > MaxReply || bytes.Count(reply.Text, []byte{'\n'}) >= MaxReplyLines {
				t.Fatalf("reply %d of %d octets", reply.Code, len(reply.Text))
			}
			if bytes.ContainsAny(reply.Text, "\x00\r") {
				t.Fatalf("text %q", reply.Text)
			}
			if e := reply.Enhanced; e != (EnhancedCode{}) && e[0] != reply.Code/100 {
				t.Fatalf("%d with %v", reply.Code, e)
			}
			all = append(all, seen{text: fmt.Sprintf("%d %v %q", reply.Code, reply.Enhanced, reply.Text)})
		}
		t.Fatal("more replies than octets")
		return nil
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, single := read(t, in, bytes.NewReader(in)), read(t, in, iotest.OneByteReader(bytes.NewReader(in)))
		if fmt.Sprint(whole) != fmt.Sprint(single) {
			t.Errorf("at once %v, octet by octet %v", whole, single)
		}
	})
}

func TestParseExtensions(t *testing.T) {
	x := ParseExtensions([]byte("p1.relays.test greets you\nPIPELINING\nSIZE 10240000\n8bitmime\nAUTH PLAIN login\nAUTH=LOGIN XOAUTH2\nSTARTTLS\nDSN\nSMTPUTF8\nREQUIRETLS\nENHANCEDSTATUSCODES\nX\x01Y\nfoo bar"))
	if !x.Pipelining || !x.EightBitMIME || !x.StartTLS || !x.DSN || !x.SMTPUTF8 || !x.RequireTLS || !x.EnhancedStatusCodes || !x.SizeOffered || x.Size != 10240000 {
		t.Errorf("%+v", x)
	}
	if got := strings.Join(x.Auth, " "); got != "PLAIN LOGIN XOAUTH2" {
		t.Errorf("AUTH %s", got)
	}
	for _, tt := range []struct {
		text string
		size int64
	}{{"SIZE", 0}, {"SIZE 0", 0}, {"SIZE -5", 0}, {"SIZE 99999999999999999999", 0}, {"SIZE x", 0}, {"SIZE 100 200", 0}, {"size=100", 100}} {
		if x := ParseExtensions([]byte("host\n" + tt.text)); !x.SizeOffered || x.Size != tt.size {
			t.Errorf("%q: %+v", tt.text, x)
		}
	}
	// The first line is a greeting, whatever it says.
	if x := ParseExtensions([]byte("PIPELINING")); x.Pipelining {
		t.Error("the greeting was taken for an extension")
	}
}

func FuzzParseExtensions(f *testing.F) {
	f.Add([]byte("host\nPIPELINING\nSIZE 5\nAUTH PLAIN"))
	f.Add([]byte("\n\n=\n \nAUTH="))
	f.Fuzz(func(t *testing.T, text []byte) {
		x := ParseExtensions(text)
		if x.Size < 0 || x.Size > 0 && !x.SizeOffered {
			t.Errorf("SIZE %d", x.Size)
		}
		if n := bytes.Count(text, []byte{'\n'}); len(x.Names) > n {
			t.Errorf("%d extensions of %d lines", len(x.Names), n)
		}
		for _, name := range append(x.Names, x.Auth...) {
			if name == "" || strings.ContainsAny(name, " \r\n\x00") || !printable([]byte(name)) {
				t.Errorf("%q", name)
			}
		}
	})
}

// FuzzCommands: whatever address and parameters are taken, a command is one line,
// and says what was meant and nothing else.
func FuzzCommands(f *testing.F) {
	f.Add("a@b.test", "id", "orcpt@x.test")
	f.Add("a@b>\r\nDATA", "\r\n", "x\x00")
	f.Add(`"a b\"c"@b.test`, "a+b=c", "a b@c")
	f.Add("m\u00fc@m\u00fc.test", "\u00fc", "")
	f.Fuzz(func(t *testing.T, address, envid, orcpt string) {
		m, err := ParseMailbox(address)
		if err != nil {
			if len(address) > 3 && strings.Contains(err.Error(), address) {
				t.Errorf("the error shows the address: %v", err)
			}
			return
		}
		if m.String() != address || m.Local()+"@"+m.Domain() != address {
			t.Errorf("%q became %q", address, m)
		}
		mail := AppendMail(nil, m, MailParams{Size: 7, EightBit: true, Ret: "HDRS", EnvID: envid})
		rcpt := AppendRcpt(nil, m, RcptParams{Notify: "NEVER", ORcpt: orcpt})
		for _, c := range []struct {
			line         []byte
			verb, prefix string
		}{{mail, "MAIL", "FROM"}, {rcpt, "RCPT", "TO"}} {
			if bytes.Count(c.line, []byte{'\n'}) != 1 || bytes.Count(c.line, []byte{'\r'}) != 1 || !bytes.HasSuffix(c.line, []byte("\r\n")) || bytes.IndexByte(c.line, 0) >= 0 {
				t.Fatalf("%q", c.line)
			}
			// The server half reads what was meant.
			command := ParseServerCommand(bytes.TrimSuffix(c.line, []byte("\r\n")))
			path, err := ParseServerPath(command.Arg, c.prefix)
			if command.Verb != c.verb || err != nil {
				t.Fatalf("%q: verb %q, %v", c.line, command.Verb, err)
			}
			if path.Address != address {
				t.Errorf("%q was read as %q", address, path.Address)
			}
		}
		for s, keyword := range map[string]string{string(mail): "ENVID", string(rcpt): "ORCPT"} {
			want := envid
			if keyword == "ORCPT" {
				want = orcpt
			}
			_, coded, ok := strings.Cut(strings.TrimSuffix(s, "\r\n"), " "+keyword+"=")
			coded = strings.TrimPrefix(coded, "rfc822;")
			if !ok != (want == "") {
				t.Errorf("%q: %s is there: %v", s, keyword, ok)
			}
			if got, err := DecodeXtext(coded); err != nil || got != want {
				t.Errorf("%q became %q and was read as %q, %v", want, coded, got, err)
			}
		}
	})
}

func TestParseMailbox(t *testing.T) {
	for _, tt := range []struct {
		address string
		ok      bool
	}{
		{"a@b.test", true}, {"a+b=c@d.test", true}, {"a.b.@c.test", true}, {"a@[192.0.2.1]", true}, {"a@[IPv6:2001:db8::1]", true},
		{`"a b"@c.test`, true}, {`"a\"b"@c.test`, true}, {`"a@b"@c.test`, true}, {"m\u00fc@m\u00fc.test", true}, {"a@b", true}, {"a@b.test.", true},
		{strings.Repeat("a", 64) + "@b.test", true},
		{"", false}, {"a", false}, {"@b", false}, {"a@", false}, {"a b@c", false}, {"a@b c", false}, {"a>@b", false}, {"<a@b>", false},
		{"a@b\r\n", false}, {"a\n@b", false}, {"a\x00@b", false}, {"a\x7f@b", false}, {"a@b>", false}, {"a@b,c@d", false}, {"a@@b", false},
		{`"a"b@c`, false}, {`"a@c`, false}, {`"a\"@c`, false}, {"a@[b", false}, {"a@b]", false}, {"a@.b", false}, {"a@b..c", false},
		{"a@\xff\xfe", false}, {strings.Repeat("a", 65) + "@b.test", false}, {"a@" + strings.Repeat("b", 256), false}, {"a@b(c)", false}, {`a\b@c`, false},
	} {
		if _, err := ParseMailbox(tt.address); (err == nil) != tt.ok {
			t.Errorf("%q: %v", tt.address, err)
		}
	}
	if !(Mailbox{}).Null() || (Mailbox{}).String() != "" {
		t.Error("the null return path")
	}
}

// FuzzContent: what is written has no CR or LF outside CRLF, no NUL, no line over
// the limit and one terminator, and the server half reads back what was meant.
func FuzzContent(f *testing.F) {
	for _, s := range []string{"a\r\n.\r\nb", "\n.\n", ".", "..\r\n", "a\r", "\r\n.\r\n", "a\n.\r\n", "\x00", "x\r\r\n", ".\r\n"} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, content []byte, cut uint8) {
		before := bytes.Clone(content)
		info, err := CheckContent(content)
		if err != nil {
			return
		}
		want := content
		if info.BareLF {
			want = ToCRLF(content)
		}
		if !bytes.Equal(content, before) {
			t.Fatal("the content was changed")
		}
		if again, err := CheckContent(want); err != nil || again.BareLF || again.EightBit != info.EightBit {
			t.Fatalf("%q, normalised %q: %+v, %v", content, want, again, err)
		}
		// In two parts, the first of which ends with a line, as a signature does.
		head := want[:min(int(cut), len(want))]
		head = head[:bytes.LastIndexByte(head, '\n')+1]
		var w bytes.Buffer
		if err := WriteContent(&w, head, want[len(head):]); err != nil {
			t.Fatal(err)
		}
		w.Write(Terminator(want))
		got := w.Bytes()
		if bytes.IndexByte(got, 0) >= 0 || bytes.Count(got, []byte("\r")) != bytes.Count(got, []byte("\r\n")) || bytes.Count(got, []byte("\n")) != bytes.Count(got, []byte("\r\n")) {
			t.Fatalf("%q has CR or LF outside CRLF", got)
		}
		if n := bytes.Count(append([]byte("\r\n"), got...), []byte("\r\n.\r\n")); n != 1 || !bytes.HasSuffix(got, []byte(".\r\n")) {
			t.Fatalf("%q has %d terminators", got, n)
		}
		for _, line := range bytes.Split(got, []byte("\r\n")) {
			if len(line) > MaxLine+1 {
				t.Fatalf("a line of %d octets", len(line))
			}
		}
		if len(want) > 0 && !bytes.HasSuffix(want, []byte("\r\n")) {
			want = append(bytes.Clone(want), '\r', '\n')
		}
		read := serverReads(t, got)
		if len(want) == 0 {
			want = []byte("\r\n") // nothing is an empty line on the wire
		}
		if !bytes.Equal(read, want) {
			t.Fatalf("%q went as %q and was read as %q", want, got, read)
		}
	})
}

// serverReads has the server half read content.
func serverReads(t *testing.T, wire []byte) []byte {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() { _, _ = client.Write(append(bytes.Clone(wire), "QUIT\r\n"...)) }()
	s := NewServerConn(server)
	content, err := s.ReadContent(nil, 0)
	if err != nil || content.BareLF {
		t.Fatalf("%+v, %v", content, err)
	}
	octets := bytes.Clone(content.Octets)
	if line, err := s.ReadLine(); err != nil || string(bytes.TrimSpace(line)) != "QUIT" {
		t.Fatalf("after the content came %q, %v", line, err)
	}
	return octets
}

func TestCheckContent(t *testing.T) {
	for _, tt := range []struct {
		name, content, err string
		info               ContentInfo
	}{
		{"plain", "a\r\nb\r\n", "", ContentInfo{}},
		{"bare LF", "a\nb\r\n", "", ContentInfo{BareLF: true}},
		{"8 bit", "a\xe4\r\n", "", ContentInfo{EightBit: true}},
		{"8 bit at the end", "0123456789\r\n\xe4", "", ContentInfo{EightBit: true}},
		{"998", strings.Repeat("x", 998) + "\r\n", "", ContentInfo{}},
		{"998 and LF", strings.Repeat("x", 998) + "\n", "", ContentInfo{BareLF: true}},
		{"998 without end", strings.Repeat("x", 998), "", ContentInfo{}},
		{"999", "a\r\n" + strings.Repeat("x", 999) + "\r\n", "line 2", ContentInfo{}},
		{"999 without end", strings.Repeat("x", 999), "line 1", ContentInfo{}},
		{"NUL", "a\r\nb\r\nc\x00\r\n", "line 3", ContentInfo{}},
		{"CR", "a\r\nb\rc\r\n", "line 2", ContentInfo{}},
		{"CR CR LF", "a\r\r\n", "line 1", ContentInfo{}},
		{"CR at the end", "a\r\nb\r", "line 2", ContentInfo{}},
		{"empty", "", "", ContentInfo{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			info, err := CheckContent([]byte(tt.content))
			if tt.err == "" && (err != nil || info != tt.info) {
				t.Errorf("%+v, %v", info, err)
			}
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want one of %s", err, tt.err)
			}
		})
	}
}

func TestWriteContentFails(t *testing.T) {
	for n := range 6 { // as many writes as it takes
		if err := WriteContent(&limited{left: n}, []byte(".a\r\n.b\r\n..\r\n")); err != errFull {
			t.Errorf("after %d writes: %v", n, err)
		}
	}
}

var errFull = errors.New("full")

type limited struct{ left int }

func (l *limited) Write(p []byte) (int, error) {
	if l.left == 0 {
		return 0, errFull
	}
	l.left--
	return len(p), nil
}

// FuzzToCRLF checks that every line end becomes CRLF and nothing else changes.
func FuzzToCRLF(f *testing.F) {
	for _, s := range []string{"", "\n", "\r\n", "\r", "a\nb\r\nc\rd\n\n", "\r\r\n", "\n\r"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		got := ToCRLF(content)
		lf, withCR := bytes.Count(got, []byte("\n")), bytes.Count(got, []byte("\r\n"))
		if lf != withCR {
			t.Errorf("%q: %d LF, %d CRLF", got, lf, withCR)
		}
		bare := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }
		if !bytes.Equal(bare(got), bare(content)) {
			t.Errorf("%q became %q", content, got)
		}
		if len(got) == len(content) && len(content) > 0 && &got[0] != &content[0] {
			t.Error("copied without need")
		}
	})
}

func TestEightBitAnywhere(t *testing.T) {
	for n := range 100 {
		p := bytes.Repeat([]byte("x"), n)
		if hasEightBit(p) {
			t.Errorf("found in %d octets of ASCII", n)
		}
		for i := range p {
			p[i] = 0x80
			if !hasEightBit(p) {
				t.Errorf("octet %d of %d is missed", i, n)
			}
			p[i] = 'x'
		}
	}
}

package mxsend

import (
	"context"
	"strings"
)

// Section F: content and injection. Nothing of what is refused reaches a relay.
var faultsF = []fault{
	onWire("F1/bare LF", "From: a@b.test\n\nHello\nworld\n", "From: a@b.test\r\n\r\nHello\r\nworld\r\n"),
	onWire("F1/mixed", "From: a@b.test\r\n\nHello\r\nworld\n", "From: a@b.test\r\n\r\nHello\r\nworld\r\n"),
	onWire("F1/LF.LF", "From: a@b.test\r\n\r\nx\n.\nMAIL FROM:<evil@x.test>\r\n", "From: a@b.test\r\n\r\nx\r\n..\r\nMAIL FROM:<evil@x.test>\r\n"),
	onWire("F1/LF.CRLF", "From: a@b.test\r\n\r\nx\n.\r\nDATA\r\n", "From: a@b.test\r\n\r\nx\r\n..\r\nDATA\r\n"),
	onWire("F1/CRLF.LF", "From: a@b.test\r\n\r\nx\r\n.\nDATA\r\n", "From: a@b.test\r\n\r\nx\r\n..\r\nDATA\r\n"),
	onWire("F1/CRLF.CRLF", "From: a@b.test\r\n\r\nx\r\n.\r\nDATA\r\n", "From: a@b.test\r\n\r\nx\r\n..\r\nDATA\r\n"),
	onWire("F1/no last line end", "From: a@b.test\r\n\r\nx", "From: a@b.test\r\n\r\nx\r\n"),
	onWire("F1/last line is a dot", "From: a@b.test\r\n\r\n.", "From: a@b.test\r\n\r\n..\r\n"),
	onWire("F1/last line is a dot and LF", "From: a@b.test\r\n\r\n.\n", "From: a@b.test\r\n\r\n..\r\n"),
	onWire("F1/no body", "From: a@b.test\r\n\r\n", "From: a@b.test\r\n\r\n"),
	onWire("F6/dots", "From: a@b.test\r\n\r\n.\r\n..\r\n.a\r\n...\r\n a.\r\n", "From: a@b.test\r\n\r\n..\r\n...\r\n..a\r\n....\r\n a.\r\n"),
	refused("F1/bare CR", content("x\ry\r\n"), "CR without LF"),
	refused("F1/CR.CR", content("x\r.\ry\r\n"), "CR without LF"),
	refused("F1/CRLF.CR", content("x\r\n.\rMAIL\r\n"), "CR without LF"),
	refused("F1/CR at the end", content("x\r"), "CR without LF"),
	refused("F1/CR CR LF", content("x\r\r\n.\r\r\n"), "CR without LF"),
	refused("F1/CRLF NUL .", content("x\r\n\x00.\r\n"), "NUL"),
	refused("F5/NUL", content("a\x00b\r\n"), "NUL"),
	refused("F4/body line", content(strings.Repeat("x", 999)+"\r\n"), "998"),
	refused("F4/header line", func(m *Message) {
		m.Content = []byte("From: a@b.test\r\nX: " + strings.Repeat("x", 1000) + "\r\n\r\nx\r\n")
	}, "998"),
	refused("F4/bare LF line", content(strings.Repeat("x", 999)+"\nx\n"), "998"),
	onWire("F4/998 octets", "From: a@b.test\r\n\r\n"+strings.Repeat("x", 998)+"\r\n", "From: a@b.test\r\n\r\n"+strings.Repeat("x", 998)+"\r\n"),
	refused("F2/return path CRLF", func(m *Message) { m.ReturnPath = "a@b.test>\r\nRCPT TO:<evil@x.test" }, "return path"),
	refused("F2/return path empty", func(m *Message) { m.ReturnPath = "" }, "ReturnPath"),
	refused("F2/return path in brackets", func(m *Message) { m.ReturnPath = "<a@b.test>" }, "return path"),
	refused("F2/return path parameter", func(m *Message) { m.ReturnPath = "a@b.test> SIZE=1" }, "return path"),
	refused("F2/ENVID CRLF", func(m *Message) { m.DSN.EnvelopeID = "x\r\nRSET" }, "EnvelopeID"),
	refused("F2/ENVID NUL", func(m *Message) { m.DSN.EnvelopeID = "x\x00" }, "EnvelopeID"),
	refused("F2/ENVID long", func(m *Message) { m.DSN.EnvelopeID = strings.Repeat("x", 101) }, "EnvelopeID"),
	refused("F2/NOTIFY", func(m *Message) { m.DSN.Notify = "NEVER\r\nRSET" }, "Notify"),
	refused("F2/RET", func(m *Message) { m.DSN.Return = "FULL SMTPUTF8" }, "Return"),
	{name: "F2/recipients", run: func(s *testSetup) {
		m := testMessage(1)
		m.Recipients = []string{
			"a@b.test>\r\nDATA", "a b@b.test", "a>b@b.test", "a\x00@b.test", "<a@b.test>", "a@b.test\r\n", "a@b.test ", "a@b\n.test",
			"nobody", "", "@b.test", "a@", "a@@b.test", "a@b..test", "a@.test", "a@[1.2.3.4", "\"a@b.test", "\"a\"b@b.test",
			strings.Repeat("x", 65) + "@b.test", "a@" + strings.Repeat("x", 300), "a@b.test,c@d.test", "\"a\r\n\"@b.test", "good@b.test",
		}
		r, err := s.send(m)
		s.wantErr(err, ErrRejected)
		for i, to := range r.Recipients {
			if last := i == len(r.Recipients)-1; last != (to.Outcome == Accepted) || !last && to.Outcome != Rejected {
				s.t.Errorf("%q: %v", to.Address, to.Outcome)
			}
		}
		if got := s.relays[0].lines("RCPT"); len(got) != 1 || got[0] != "RCPT TO:<good@b.test>" {
			s.t.Errorf("the relay saw %q", got)
		}
		if got := s.relays[0].lines(""); len(got) > 5 {
			s.t.Errorf("the relay saw %q", got)
		}
	}},
	{name: "F2/xtext", run: func(s *testSetup) {
		m := testMessage(1)
		m.Recipients = []string{`"a b+c="@b.test`}
		m.DSN = DSN{Return: "FULL", EnvelopeID: "a+b=c d", Notify: "SUCCESS,FAILURE", OriginalRecipient: true}
		if _, err := s.send(m); err != nil {
			s.t.Fatal(err)
		}
		want := `MAIL FROM:<b+1@app.test> SIZE=81 RET=FULL ENVID=a+2Bb+3Dc+20d|RCPT TO:<"a b+c="@b.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;"a+20b+2Bc+3D"@b.test`
		if got := s.relays[0].seen(); !strings.Contains(got, want) {
			s.t.Errorf("the relay saw %q, want %q", got, want)
		}
	}},
	{name: "F3/signer", run: func(s *testSetup) {
		for i, header := range []string{"X: a\nY: b\r\n", "X: a", "X: a\r\n\x00\r\n", "X: a\rb\r\n", "X: a\n", "X: " + strings.Repeat("x", 1000) + "\r\n"} {
			m := testMessage(i)
			m.Signer = signer(header)
			r, _ := s.send(m)
			s.want(r, Rejected)
		}
		if s.relays[0].conns != 0 {
			s.t.Error("something was sent")
		}
	}},
	{name: "F3/signer fails", run: func(s *testSetup) {
		for i, f := range []signerFunc{
			func() ([]byte, error) { return nil, errTest },
			func() ([]byte, error) { panic("signer") },
		} {
			m := testMessage(i)
			m.Signer = f
			r, err := s.send(m)
			s.want(r, NotAttempted)
			if i == 0 {
				s.wantErr(err, errTest)
			}
		}
	}},
	{name: "F3/signed", run: func(s *testSetup) {
		m := testMessage(1)
		m.Signer = signer("DKIM-Signature: v=1;\r\n b=abc\r\n")
		if _, err := s.send(m); err != nil {
			s.t.Fatal(err)
		}
		if got := s.relays[0].accepted[0].content; got != "DKIM-Signature: v=1;\r\n b=abc\r\n"+testContent {
			s.t.Errorf("the relay took %q", got)
		}
	}},
	refused("F8/no From", func(m *Message) { m.Content = []byte("Subject: x\r\n\r\nx\r\n") }, "From"),
	refused("F8/two From", func(m *Message) { m.Content = []byte("From: a@b.test\r\nfrom: a@b.test\r\n\r\nx\r\n") }, "From"),
	refused("F8/no header", func(m *Message) { m.Content = []byte("Hello\r\n") }, "header"),
	refused("F8/empty", func(m *Message) { m.Content = nil }, "empty"),
	refused("F8/mbox", func(m *Message) { m.Content = []byte("From a@b.test Mon\r\nFrom: a@b.test\r\n\r\nx\r\n") }, "header"),
	{name: "F9", run: func(s *testSetup) {
		m := testMessage(1)
		m.Recipients = []string{"you@m\u00fcller.test", "m\u00fcller@m\u00fcller.test"}
		if _, err := s.send(m); err != nil {
			s.t.Fatal(err)
		}
		got := s.relays[0].lines("RCPT")
		want := []string{"RCPT TO:<you@xn--mller-kva.test>", "RCPT TO:<m\u00fcller@xn--mller-kva.test>"}
		if strings.Join(got, "|") != strings.Join(want, "|") || !strings.Contains(s.relays[0].lines("MAIL")[0], " SMTPUTF8") {
			s.t.Errorf("the relay saw %q", s.relays[0].seen())
		}
		s.sloppy = true // the relay knows the recipients by their A-labels
	}},
	{name: "F9/domain only", change: func(_ *Config, rs []*testRelay) { rs[0].ehlo = []string{"8BITMIME"} }, run: func(s *testSetup) {
		s.sloppy = true
		m := testMessage(1)
		m.Recipients = []string{"you@m\u00fcller.test"}
		if _, err := s.send(m); err != nil {
			s.t.Error(err)
		}
		m = testMessage(2)
		m.Recipients = []string{"m\u00fcller@example.test"}
		r, err := s.send(m)
		s.want(r, Rejected)
		s.wantErr(err, ErrLacksExtension)
	}},
	{name: "F9/bad domain", run: func(s *testSetup) {
		m := testMessage(1)
		m.Recipients = []string{"you@\u200d.test", "you@xn--\u00fc.test", "you@\xff\xfe.test"}
		r, _ := s.send(m)
		s.want(r, Rejected, Rejected, Rejected)
	}},
	{name: "F10", change: func(_ *Config, rs []*testRelay) { rs[0].ehlo = []string{"SIZE 1000000", "PIPELINING"} }, run: func(s *testSetup) {
		m := testMessage(1)
		m.Content = testContentOf(2 << 20)
		wantLacking(m)(s)
		m = testMessage(2)
		m.Content = testContentOf(900_000)
		if _, err := s.send(m); err != nil {
			s.t.Error(err)
		}
	}},
}

type signerFunc func() ([]byte, error)

func (f signerFunc) Sign(context.Context, []byte) ([]byte, error) { return f() }

func signer(header string) signerFunc {
	return func() ([]byte, error) { return []byte(header), nil }
}

func content(body string) func(*Message) {
	return func(m *Message) { m.Content = []byte("From: a@b.test\r\n\r\n" + body) }
}

// refused is a message that is Rejected with zero octets on the wire, in Send and
// in SendAll, with an error that says why.
func refused(name string, change func(*Message), reason string) fault {
	return fault{name: name, run: func(s *testSetup) {
		m := testMessage(1)
		change(m)
		r, err := s.send(m)
		s.want(r, Rejected)
		s.wantErr(err, ErrRejected)
		s.wantStage(err, StageLocal)
		if !strings.Contains(err.Error(), reason) {
			s.t.Errorf("%q does not say %q", err, reason)
		}
		m2 := *m
		for r := range s.SendAll(s.ctx(), func(yield func(*Message) bool) { yield(&m2) }) {
			s.enter(r)
			s.want(r.Receipt, Rejected)
		}
		if s.relays[0].conns != 0 {
			s.t.Errorf("%d connections", s.relays[0].conns)
		}
	}}
}

// onWire is a message and what of it must be seen on the wire, octet for octet,
// between the commands around it.
func onWire(name, content, want string) fault {
	return fault{name: name, change: func(_ *Config, rs []*testRelay) { rs[0].keep = true }, run: func(s *testSetup) {
		m := testMessage(1)
		m.Content = []byte(content)
		if _, err := s.send(m); err != nil {
			s.t.Fatal(err)
		}
		if string(m.Content) != content {
			s.t.Error("the caller's content was changed")
		}
		_ = s.Close()
		s.relays[0].mu.Lock()
		defer s.relays[0].mu.Unlock()
		all := s.relays[0].octets.String()
		_, got, _ := strings.Cut(all, "DATA\r\n")
		got = strings.TrimSuffix(got, "QUIT\r\n")
		if got != want+".\r\n" {
			s.t.Errorf("on the wire %q, want %q", got, want+".\r\n")
		}
		if strings.Count(got, "\r\n.\r\n") != 1 {
			s.t.Errorf("%d terminators", strings.Count(got, "\r\n.\r\n"))
		}
	}}
}

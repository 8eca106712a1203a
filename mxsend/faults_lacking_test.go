package mxsend

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

// Relays that lack an extension which the mail needs.
var faultsLacking = []fault{
	{name: "C17/SIZE", relays: 2, change: func(_ *Config, rs []*testRelay) { rs[0].ehlo = []string{"SIZE 100"} }, run: wantSkipped},
	{name: "C17/SIZE of all", relays: 2, change: func(_ *Config, rs []*testRelay) {
		rs[0].ehlo, rs[1].ehlo = []string{"SIZE 10"}, []string{"SIZE 20"}
	}, run: wantLacking(testMessage(1), fmt.Sprintf("%d octets", len(testContent)), "SIZE is 20")},
	{name: "C17/8BITMIME", relays: 2, change: func(_ *Config, rs []*testRelay) { rs[0].ehlo = []string{"PIPELINING"} }, run: wantSkipped},
	{name: "C17/8BITMIME of none", relays: 2, change: func(_ *Config, rs []*testRelay) {
		rs[0].ehlo, rs[1].ehlo = []string{"PIPELINING"}, nil
	}, run: wantLacking(eightBit(1), "8BITMIME")},
	{name: "C17/SMTPUTF8 of none", relays: 2, change: func(_ *Config, rs []*testRelay) {
		rs[0].ehlo, rs[1].ehlo = []string{"8BITMIME"}, []string{"8BITMIME"}
	}, run: func(s *testSetup) {
		m := testMessage(1)
		m.Recipients = []string{"m\u00fcller@example.test"}
		wantLacking(m, "SMTPUTF8")(s)
	}},
	{name: "C17/REQUIRETLS of none", relays: 1, run: func(s *testSetup) {
		m := testMessage(1)
		m.RequireTLS = true
		wantLacking(m, "REQUIRETLS", "Message.RequireTLS")(s)
	}},
	{name: "C17/SMTPUTF8 and 8BITMIME, of one each", relays: 2, change: func(_ *Config, rs []*testRelay) {
		rs[0].ehlo, rs[1].ehlo = []string{"8BITMIME"}, []string{"SMTPUTF8"}
	}, run: func(s *testSetup) {
		m := eightBit(1)
		m.Recipients = []string{"m\u00fcller@example.test"}
		wantLacking(m, "no single one", "8BITMIME", "SMTPUTF8")(s)
	}},
	{name: "C17/return path without SMTPUTF8", relays: 2, change: withoutUTF8(2), run: func(s *testSetup) {
		m := testMessageTo(1, 2)
		m.ReturnPath = "m\u00fcller@app.test"
		r, err := s.send(m)
		s.want(r, Rejected, Rejected)
		s.wantErr(err, ErrLacksExtension)
	}},
	{name: "C17/one recipient's need", relays: 2, change: withoutUTF8(2), run: func(s *testSetup) {
		for i, to := range [][]string{
			{"j\u00f6rg@example.test", "a@example.test"}, {"a@example.test", "j\u00f6rg@example.test"},
			{"a@example.test", "j\u00f6rg@example.test", "b@example.test", "m\u00fcller@example.test"},
		} {
			m := eightBit(i)
			m.Recipients = to
			r, err := s.send(m)
			for j, got := range r.Recipients {
				want := Accepted
				if !isASCII(to[j]) {
					want = Rejected
					s.wantErr(got.Err, ErrLacksExtension, ErrRejected)
				}
				if got.Outcome != want {
					s.t.Errorf("%q: %v", to[j], got)
				}
			}
			if !strings.Contains(fmt.Sprint(err), "SMTPUTF8") {
				s.t.Errorf("%v", err)
			}
		}
		for _, relay := range s.relays {
			for _, line := range relay.lines("MAIL") {
				if strings.Contains(line, "SMTPUTF8") {
					s.t.Errorf("asked for what is not offered: %s", line)
				}
			}
		}
	}},
	{name: "C17/one recipient's need, met by one relay", relays: 2, change: withoutUTF8(1), run: func(s *testSetup) {
		for i := range 10 {
			m := testMessage(i)
			m.Recipients = []string{"j\u00f6rg@example.test", "a@example.test"}
			r, _ := s.send(m)
			s.want(r, Accepted, Accepted)
		}
		for _, m := range s.relays[0].accepted {
			if slices.ContainsFunc(m.to, func(a string) bool { return !isASCII(a) }) {
				s.t.Errorf("a relay without SMTPUTF8 got %q", m.to)
			}
		}
	}},
	{name: "C17/one recipient's need, while its relay is out", relays: 2, change: withoutUTF8(1), run: func(s *testSetup) {
		s.wantAccepted(1)
		s.net.SetHost(s.relays[1].ip, memnet.Refuse)
		s.relays[1].closeAll()
		m := testMessage(2)
		m.Recipients = []string{"j\u00f6rg@example.test", "a@example.test"}
		r, _ := s.send(m)
		s.want(r, Deferred, Accepted)
	}},
	{name: "C17/one recipient's need, the other greylisted", relays: 2, change: both(withoutUTF8(2), answersBetween(0, 500*time.Millisecond, "RCPT TO:<a@", "450 4.2.0 Greylisted")), run: func(s *testSetup) {
		m := testMessage(2)
		m.Recipients = []string{"j\u00f6rg@example.test", "a@example.test"}
		r, _ := s.send(m)
		s.want(r, Rejected, Accepted)
	}},
	{name: "C17/out for a moment", relays: 2, change: func(_ *Config, rs []*testRelay) {
		rs[0].ehlo = []string{"PIPELINING"}
		rs[1].answer = func(n int, line string) string {
			if line == "" && n < 3 {
				return "450 4.3.2 in a moment"
			}
			return usual
		}
	}, run: func(s *testSetup) {
		if _, err := s.send(eightBit(1)); err != nil {
			s.t.Error(err)
		}
	}},
}

func eightBit(i int) *Message {
	m := testMessage(i)
	m.Content = []byte(testContent + "caf\xc3\xa9\r\n")
	return m
}

// wantSkipped: the first relay lacks what the mail needs and gets none of it.
func wantSkipped(s *testSetup) {
	for i := range 10 {
		m := eightBit(i)
		if _, err := s.send(m); err != nil {
			s.t.Error(err)
		}
	}
	if n := len(s.relays[0].lines("MAIL")); n != 0 {
		s.t.Errorf("%d went to the relay that cannot take them", n)
	}
}

// withoutUTF8 takes SMTPUTF8 from the first relays.
func withoutUTF8(n int) func(*Config, []*testRelay) {
	return func(_ *Config, rs []*testRelay) {
		for _, r := range rs[:n] {
			r.ehlo = []string{"PIPELINING", "8BITMIME"}
		}
	}
}

// wantLacking: every recipient is Rejected, and the error says what is lacking.
func wantLacking(m *Message, says ...string) func(*testSetup) {
	return func(s *testSetup) {
		r, err := s.send(m)
		s.want(r, Rejected)
		s.wantErr(err, ErrLacksExtension)
		for _, word := range says {
			if !strings.Contains(err.Error(), word) {
				s.t.Errorf("%q does not say %q", err, word)
			}
		}
		for _, relay := range s.relays {
			if n := len(relay.lines("MAIL")); n != 0 {
				s.t.Errorf("%d MAIL were sent", n)
			}
		}
	}
}

package mxsend

import (
	"errors"
	"strings"
	"testing"
)

func TestManyRecipients(t *testing.T) {
	for _, mode := range []struct {
		name   string
		change func(*Config, []*testRelay)
	}{{"pipelined", nil}, {"lock-step", lockStepped}} {
		t.Run(mode.name, func(t *testing.T) {
			// Replies of 500 octets fill any buffer while nobody reads them.
			long := "250 2.1.5 Ok " + strings.Repeat("x", 900)
			change := both(func(_ *Config, rs []*testRelay) { rs[0].answer = answer("RCPT", long) }, func(cfg *Config, rs []*testRelay) {
				if mode.change != nil {
					mode.change(cfg, rs)
				}
			})
			inBubble(t, 1, change, func(s *testSetup) {
				r, err := s.send(testMessageTo(1, 500))
				if err != nil || r.Accepted() != 500 {
					t.Errorf("%d accepted: %v", r.Accepted(), err)
				}
				if got := s.relays[0].accepted; len(got) != 1 || len(got[0].to) != 500 {
					t.Errorf("%d transactions", len(got))
				}
			})
		})
	}
}

func TestLocalRefusals(t *testing.T) {
	inBubble(t, 1, func(cfg *Config, _ []*testRelay) {
		cfg.AllowRecipient = func(address string) bool {
			if strings.HasPrefix(address, "panic") {
				panic("AllowRecipient")
			}
			return strings.HasSuffix(address, "@example.test")
		}
	}, func(s *testSetup) {
		m := testMessage(1)
		s.sloppy = true // one recipient is named twice
		m.Recipients = []string{"a@example.test", "a@elsewhere.test", "a@example.test", "panic@example.test", "b@example.test"}
		r, err := s.send(m)
		s.want(r, Accepted, Rejected, Rejected, Rejected, Accepted)
		s.wantErr(err, ErrRejected)

		for _, m := range []*Message{nil, {}, {ReturnPath: "a@b.test", Content: []byte(testContent)}} {
			r, err := s.Send(s.ctx(), m)
			s.wantErr(err, ErrRejected)
			if len(r.Recipients) != 0 {
				t.Errorf("%+v", r)
			}
		}
		n := 0
		for r := range s.SendAll(s.ctx(), func(yield func(*Message) bool) {
			_ = yield(nil) && yield(&Message{}) && yield(testMessage(7)) && yield(nil)
		}) {
			n++
			if r.Message != nil && r.Message.Ref == "7" {
				s.enter(r)
			} else {
				s.wantErr(r.Err, ErrRejected)
			}
		}
		if n != 4 {
			t.Errorf("%d results of 4", n)
		}
		m = testMessage(8)
		m.Lane = Lane(77)
		r, _ = s.send(m)
		s.want(r, Rejected)
	})
}

func TestNullReturnPath(t *testing.T) {
	inBubble(t, 1, nil, func(s *testSetup) {
		m := testMessage(1)
		m.ReturnPath = "<>"
		if _, err := s.send(m); err != nil {
			t.Error(err)
		}
		if got := s.relays[0].lines("MAIL")[0]; !strings.HasPrefix(got, "MAIL FROM:<> ") {
			t.Errorf("%q", got)
		}
	})
}

// A caller can tell what a relay rejected from what never went out.
func TestWhoRejected(t *testing.T) {
	sentinels := []error{ErrInvalidMessage, ErrNotAllowed, ErrLacksExtension, ErrRelayRefused}
	with := func(change func(*Message)) *Message {
		m := testMessage(1)
		change(m)
		return m
	}
	for _, tt := range []struct {
		name string
		m    *Message
		want error // nil: none of them
	}{
		{"nil", nil, ErrInvalidMessage},
		{"no recipients", with(func(m *Message) { m.Recipients = nil }), ErrInvalidMessage},
		{"a recipient that is no address", with(func(m *Message) { m.Recipients[0] = "a\r\n@example.test" }), ErrInvalidMessage},
		{"named twice", with(func(m *Message) { m.Recipients = append(m.Recipients, m.Recipients[0]) }), ErrInvalidMessage},
		{"no return path", with(func(m *Message) { m.ReturnPath = "" }), ErrInvalidMessage},
		{"no content", with(func(m *Message) { m.Content = nil }), ErrInvalidMessage},
		{"NUL", with(func(m *Message) { m.Content = []byte("From: a\r\n\r\n\x00") }), ErrInvalidMessage},
		{"no From", with(func(m *Message) { m.Content = []byte("To: a\r\n\r\n") }), ErrInvalidMessage},
		{"DSN", with(func(m *Message) { m.DSN.Notify = "MAYBE" }), ErrInvalidMessage},
		{"lane", with(func(m *Message) { m.Lane = 7 }), ErrInvalidMessage},
		{"not to be signed", with(func(m *Message) { m.Signer = failingSigner{permanentError{errors.New("no")}} }), ErrInvalidMessage},
		{"not allowed", with(func(m *Message) { m.Recipients[0] = "real@customer.test" }), ErrNotAllowed},
		{"needs what is lacking", with(func(m *Message) { m.RequireTLS = true }), ErrLacksExtension},
		{"a relay's 550", with(func(m *Message) { m.Recipients[0] = "unknown@example.test" }), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
				cfg.AllowRecipient = func(a string) bool { return !strings.HasSuffix(a, "@customer.test") }
				rs[0].answer = answer("RCPT TO:<unknown@", "550 5.1.1 unknown")
			}, func(s *testSetup) {
				s.skipStats, s.sloppy = true, true
				_, err := s.Send(s.ctx(), tt.m)
				s.wantErr(err, ErrRejected)
				for _, sentinel := range sentinels {
					if got := errors.Is(err, sentinel); got != (sentinel == tt.want) {
						t.Errorf("%v: is %v: %v", err, sentinel, got)
					}
				}
			})
		})
	}
	inBubble(t, 1, nil, func(s *testSetup) {
		m := with(func(m *Message) { m.Signer = failingSigner{errors.New("no")} })
		r, err := s.send(m)
		s.want(r, NotAttempted)
		if errors.Is(err, ErrInvalidMessage) {
			t.Errorf("a key that cannot be had makes the message invalid: %v", err)
		}
	})
}

package mxsend

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestSendAccepted(t *testing.T) {
	inBubble(t, 1, nil, func(s *testSetup) {
		receipt, err := s.send(testMessage(1))
		if err != nil {
			t.Fatal(err)
		}
		r := receipt.Recipients[0]
		if r.Outcome != Accepted || r.QueueID != "Q1" || r.Relay != "p1.relays.test" {
			t.Errorf("got %+v", r)
		}
		if got := s.relays[0].accepted[0]; got.content != testContent || got.from != "b+1@app.test" {
			t.Errorf("relay got %+v", got)
		}
	})
}

func TestSendAllBalanced(t *testing.T) {
	inBubble(t, 2, nil, func(s *testSetup) {
		n := 0
		for r := range s.SendAll(s.ctx(), messages(2000)) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			s.enter(r)
			n++
		}
		if n != 2000 || s.took() != 2000 {
			t.Errorf("%d results, relays took %d", n, s.took())
		}
		for _, r := range s.relays {
			if len(r.accepted) < 900 {
				t.Errorf("%s took %d of 2000", r.name, len(r.accepted))
			}
		}
	})
}

func TestRejectedRecipient(t *testing.T) {
	inBubble(t, 1, func(_ *Config, rs []*testRelay) {
		rs[0].answer = func(_ int, line string) string {
			if line == "RCPT TO:<u1@example.test>" {
				return "550 5.1.1 <u1@example.test>: unknown"
			}
			return ""
		}
	}, func(s *testSetup) {
		m := testMessage(1)
		m.Recipients = append(m.Recipients, "u2@example.test")
		receipt, err := s.send(m)
		if !errors.Is(err, ErrRejected) || errors.Is(err, ErrDeferred) {
			t.Errorf("err = %v", err)
		}
		if receipt.Recipients[0].Outcome != Rejected || receipt.Recipients[1].Outcome != Accepted {
			t.Errorf("got %+v", receipt.Recipients)
		}
	})
}

type failingSigner struct{ err error }

func (s failingSigner) Sign(context.Context, []byte) ([]byte, error) { return nil, s.err }

type permanentError struct{ error }

func (permanentError) Permanent() bool { return true }

func TestSignerFails(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want Outcome
	}{
		{"about the message", permanentError{errors.New("two From fields")}, Rejected},
		{"about the key", errors.New("no connection to the HSM"), NotAttempted},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, 1, nil, func(s *testSetup) {
				m := testMessage(1)
				m.Signer = failingSigner{test.err}
				receipt, err := s.send(m)
				s.want(receipt, test.want)
				s.wantErr(err, test.err)
				if s.took() > 0 {
					t.Error("it was sent")
				}
			})
		})
	}
}

// Transactional never goes behind Bulk, so under its load Bulk has to leave it
// connections beyond the reserved ones.
func TestTransactionalBorrows(t *testing.T) {
	inBubble(t, 1, func(cfg *Config, rs []*testRelay) {
		cfg.Limits.Connections, cfg.Limits.Reserved = 4, 1
		rs[0].delay = 10 * time.Millisecond
	}, func(s *testSetup) {
		ctx, cancel := context.WithCancel(s.ctx())
		mailing := make(chan struct{})
		go func() {
			defer close(mailing)
			s.sendAll(ctx, messages(2000))
		}()
		time.Sleep(time.Second)
		start := time.Now()
		var sends sync.WaitGroup
		for i := range 40 {
			sends.Go(func() { s.wantAccepted(10_000 + i) })
		}
		sends.Wait()
		// Ten rounds of 10 ms on four connections; one connection would take 400 ms.
		s.wantTook(start, 90*time.Millisecond, 200*time.Millisecond)
		cancel()
		<-mailing
	})
}

// An address in angle brackets, as some libraries return it, is refused with an error
// that says what to do; the address is not in its text.
func TestAngleBrackets(t *testing.T) {
	inBubble(t, 1, nil, func(s *testSetup) {
		for i, tt := range []struct{ returnPath, recipient string }{
			{"b@app.test", "<jane@example.test>"},
			{"b@app.test", "Jane Doe <jane@example.test>"},
			{"b@app.test", `"<" <jane@example.test>`},
			{"<jane@example.test>", "u@example.test"},
		} {
			m := testMessage(i)
			m.ReturnPath, m.Recipients = tt.returnPath, []string{tt.recipient}
			r, err := s.send(m)
			s.want(r, Rejected)
			s.wantErr(err, ErrInvalidMessage)
			if text := err.Error(); !strings.Contains(text, "angle brackets") || strings.Contains(text, "example.test") {
				t.Errorf("%q", text)
			}
		}
	})
	if _, err := parseAddress(`"<jane>"@example.test`); err != nil { // brackets that are part of the address
		t.Error(err)
	}
}

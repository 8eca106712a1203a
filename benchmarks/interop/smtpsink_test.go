package interop

import (
	"testing"

	"github.com/mxsend/go-mxsend/benchmarks/internal/postfix"
	"github.com/mxsend/go-mxsend/mxsend"
)

func startSMTPSink(t *testing.T, options ...string) *postfix.Sink {
	t.Helper()
	if _, err := postfix.Program("smtp-sink"); err != nil {
		t.Skip(err)
	}
	s, err := postfix.StartSink(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSMTPSinkMailing(t *testing.T) {
	tests := []struct {
		name    string
		options []string
	}{
		{"as it is", nil},
		{"without PIPELINING", []string{"-p"}},
		{"without ENHANCEDSTATUSCODES", []string{"-E"}},
		{"without DSN", []string{"-N"}},
		{"without ESMTP", []string{"-e"}},
		{"two connections at most", []string{"-m", "2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const n = 300
			s := startSMTPSink(t, tt.options...)
			c := newClient(t, mxsend.Config{TLS: mxsend.TLSDisabled}, s.Address)
			messages := mailing(n)
			if tt.name == "without ESMTP" {
				messages = sevenBit(n)
			}
			got, results := sendAll(t, c, messages)
			wantTally(t, got, tally{mxsend.Accepted: n}, results)
			wantCounted(t, s, n, n)
		})
	}
}

// sevenBit is a mailing that a server without 8BITMIME takes, too.
func sevenBit(n int) func(yield func(*mxsend.Message) bool) {
	return func(yield func(*mxsend.Message) bool) {
		for i := range n {
			if !yield(&mxsend.Message{
				ReturnPath: returnPath(i), Recipients: []string{recipient}, Content: []byte("From: a@bounces.test\r\n\r\n.\r\nhello\r\n"),
			}) {
				return
			}
		}
	}
}

func wantCounted(t *testing.T, s *postfix.Sink, least, most int) {
	t.Helper()
	if got, err := s.Accepted(); got < least || got > most || err != nil {
		t.Errorf("smtp-sink counted %d mails, %v, want %d to %d", got, err, least, most)
	}
}

// What smtp-sink refuses or breaks off, each at one command.
func TestSMTPSinkRefusals(t *testing.T) {
	tests := []struct {
		name       string
		options    []string
		want       mxsend.Outcome
		stage      mxsend.Stage
		mayCounted bool // smtp-sink has counted the mail when it breaks off
	}{
		{"5yz at MAIL", []string{"-f", "mail", "-B", "552 5.3.4 too big"}, mxsend.Rejected, mxsend.StageMail, false},
		{"5yz at RCPT", []string{"-f", "rcpt", "-B", "550 5.1.1 unknown"}, mxsend.Rejected, mxsend.StageRecipient, false},
		{"5yz at DATA", []string{"-f", "data", "-B", "554 5.6.0 no"}, mxsend.Rejected, mxsend.StageData, false},
		// "500 5.3.0 Error: command failed" is about the relay, and no recipient.
		{"500 5.3.0 at MAIL", []string{"-f", "mail"}, mxsend.Deferred, mxsend.StageMail, false},
		{"500 5.3.0 at RCPT", []string{"-f", "rcpt"}, mxsend.Deferred, mxsend.StageRecipient, false},
		{"500 5.3.0 at DATA", []string{"-f", "data"}, mxsend.Deferred, mxsend.StageData, false},
		{"5yz at the final dot", []string{"-f", "."}, mxsend.Rejected, mxsend.StageFinalDot, true},
		{"4yz at MAIL", []string{"-r", "mail"}, mxsend.Deferred, mxsend.StageMail, false},
		{"4yz at RCPT", []string{"-r", "rcpt"}, mxsend.Deferred, mxsend.StageRecipient, false},
		{"4yz at DATA", []string{"-r", "data"}, mxsend.Deferred, mxsend.StageData, false},
		{"4yz at the final dot", []string{"-r", "."}, mxsend.Deferred, mxsend.StageFinalDot, true},
		{"gone at MAIL", []string{"-q", "mail"}, mxsend.Deferred, mxsend.StageMail, false},
		{"gone at RCPT", []string{"-q", "rcpt"}, mxsend.Deferred, mxsend.StageRecipient, false},
		{"gone at DATA", []string{"-q", "data"}, mxsend.Deferred, mxsend.StageData, false},
		{"gone at the final dot", []string{"-q", "."}, mxsend.InDoubt, mxsend.StageFinalDot, true},
		{"421 at RCPT", []string{"-Q", "rcpt"}, mxsend.Deferred, mxsend.StageRecipient, false},
		{"421 at the final dot", []string{"-Q", "."}, mxsend.Deferred, mxsend.StageFinalDot, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startSMTPSink(t, tt.options...)
			c := newClient(t, mxsend.Config{TLS: mxsend.TLSDisabled}, s.Address)
			ctx := t.Context()
			receipt, err := c.Send(ctx, &mxsend.Message{ReturnPath: returnPath(0), Recipients: []string{recipient}, Content: content(0)})
			got := receipt.Recipients[0]
			if got.Outcome != tt.want {
				t.Errorf("got %v (%v), want %v", got.Outcome, err, tt.want)
			}
			failure, ok := got.Err.(*mxsend.Error)
			if !ok || failure.Stage != tt.stage {
				t.Errorf("got the error %v, want one at %v", got.Err, tt.stage)
			}
			most := 0
			if tt.mayCounted {
				most = len(receipt.Attempts)
			}
			wantCounted(t, s, 0, most)
		})
	}
}

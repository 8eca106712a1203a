package mxotel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/mxsend/go-mxsend/mxsend"
)

// error.type is one of few words, whatever the error says.
func TestErrorType(t *testing.T) {
	of := func(stage mxsend.Stage, code int, err error) error {
		return &mxsend.Error{Outcome: mxsend.Deferred, Stage: stage, Reply: mxsend.Reply{Code: code}, Err: err}
	}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errors.New("u1@example.test"), "_OTHER"},
		{of(mxsend.StageRecipient, 550, mxsend.ErrRelayRefused), "550"},
		{of(mxsend.StageTLS, 0, fmt.Errorf("wrapped: %w", mxsend.ErrTLSVerify)), "tls_verify"},
		{of(mxsend.StageConnect, 0, os.ErrDeadlineExceeded), "timeout"},
		{of(mxsend.StageFinalDot, 0, errors.New("reset")), "final_dot"},
		{of(mxsend.StageConnect, 0, fmt.Errorf("%w: %w", mxsend.ErrNoRelay, context.Canceled)), "no_relay"},
		{context.Canceled, "canceled"},
	} {
		if got := errorType(tt.err); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.err, got, tt.want)
		}
	}
}

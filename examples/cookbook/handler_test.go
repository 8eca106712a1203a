package cookbook

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

type shop struct {
	mail *mxsend.Client // one for the whole program
}

func (s *shop) resetPassword(w http.ResponseWriter, r *http.Request) {
	message := passwordMail(r.FormValue("user"))
	// A closed tab ends r.Context(). The mail is to be sent all the same, within a time of its own.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second)
	defer cancel()
	receipt, err := s.mail.Send(ctx, message)
	switch {
	case err == nil:
		w.WriteHeader(http.StatusAccepted)
	case errors.Is(err, mxsend.ErrInDoubt):
		// It may be on its way: say so, and do not send a second one by yourself.
		http.Error(w, "If no mail comes within a few minutes, please ask again.", http.StatusAccepted)
	case errors.Is(err, mxsend.ErrRejected):
		http.Error(w, "Please check the address.", http.StatusUnprocessableEntity)
	default: // deferred, or not attempted: no relay took it in time
		slog.Error("password mail was not sent", "ref", receipt.Ref, "error", err)
		http.Error(w, "Please try again in a minute.", http.StatusServiceUnavailable)
	}
}

func passwordMail(user string) *mxsend.Message {
	return &mxsend.Message{
		ReturnPath: "b+2f9k@bounce.example.com", Recipients: []string{user + "@example.net"}, Content: []byte(mail), Ref: "reset of a password",
	}
}

func TestHandler(t *testing.T) {
	cluster := mxtest.NewCluster(t, mxtest.Config{})
	s := &shop{mail: newClient(t, cluster, nil)}
	post := func(user string) int {
		// The tab is closed before the handler has begun.
		closed, cancel := context.WithCancel(t.Context())
		cancel()
		r := httptest.NewRequestWithContext(closed, http.MethodPost, "/reset?user="+url.QueryEscape(user), nil)
		w := httptest.NewRecorder()
		s.resetPassword(w, r)
		return w.Code
	}
	if got := post("jane"); got != http.StatusAccepted {
		t.Errorf("a mail that is sent: got %d", got)
	}
	if got := post("no address"); got != http.StatusUnprocessableEntity {
		t.Errorf("no address: got %d", got)
	}
	cluster.Primary(0).Inject(mxtest.CutAfterDot(true))
	cluster.Primary(1).Inject(mxtest.CutAfterDot(true))
	if got := post("joe"); got != http.StatusAccepted {
		t.Errorf("in doubt: got %d", got)
	}
	if got := len(cluster.Ledger().FindRecipient("joe@example.net")); got != 1 {
		t.Errorf("in doubt: %d copies", got)
	}
}

package browser

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
	"github.com/mxsend/go-mxsend/mxsend/outbox"
	"github.com/mxsend/go-mxsend/mxsend/outbox/dashboard"
	"github.com/mxsend/go-mxsend/verp"
	"github.com/mxsend/go-mxsend/verp/bounce"
)

// A MailingStage is an outbox that sends to a cluster, with its dashboard. What bounces comes back to it.
type MailingStage struct {
	Cluster   *mxtest.Cluster
	Box       *outbox.Box
	Dashboard http.Handler

	client   *mxsend.Client
	receiver *bounce.Receiver
	dir      string
}

// NewMailingStage starts a cluster, and an outbox in a temporary directory.
func NewMailingStage(ctx context.Context) (s *MailingStage, err error) {
	s = &MailingStage{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "mailing"); err != nil {
		return s, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return s, err
	}
	if s.Cluster, err = mxtest.Start(mxtest.Config{Bounces: "lmtp:" + listener.Addr().String(), KeepContent: -1}); err != nil {
		return s, errors.Join(err, listener.Close())
	}
	s.Cluster.Destination("gone.test").Do(mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 no such mailbox"))
	s.Cluster.Destination("full.test").Do(mxtest.Reject(mxtest.AtRcpt, "552 5.2.2 mailbox full"))
	s.Cluster.Destination("strict.test").Do(mxtest.Reject(mxtest.AtDot, "554 5.7.1 refused by our policy"))
	codec, err := verp.New(verp.Config{Prefix: "b", Domain: "bounce.shop.test", Keys: []verp.Key{{ID: 1, Secret: []byte(strings.Repeat("s", 32))}}})
	if err != nil {
		return s, errors.Join(err, listener.Close())
	}
	if s.client, err = mxsend.New(mxsend.Config{
		Domain: s.Cluster.Domain(), Resolver: mxsend.NewResolver(s.Cluster.DNSAddr()), Dial: s.Cluster.Dial, TLS: mxsend.TLSDisabled,
	}); err != nil {
		return s, errors.Join(err, listener.Close())
	}
	quiet := slog.New(slog.DiscardHandler)
	if s.Box, err = outbox.New(ctx, outbox.Config{
		Database: filepath.Join(s.dir, "outbox.db"), Client: s.client, VERP: codec, Logger: quiet, StopGrace: time.Second,
		Suppression: outbox.SuppressionPolicy{Burst: 20},
		Render: func(_ context.Context, d outbox.Draft) (*mxsend.Message, error) {
			return &mxsend.Message{Content: fmt.Appendf(nil, "From: News <news@shop.test>\r\nTo: <%s>\r\nSubject: News\r\n\r\nHello.\r\n", d.Recipient.Address)}, nil
		},
	}); err != nil {
		return s, errors.Join(err, listener.Close())
	}
	s.receiver = &bounce.Receiver{Codec: codec, Handle: s.Box.Record, Hostname: "bounce.shop.test", Logger: quiet}
	go func() { _ = s.receiver.ServeLMTP(listener) }() // until it is closed
	s.Dashboard = dashboard.Handler(s.Box, dashboard.Options{Control: true, Logger: quiet, Actor: func(*http.Request) string { return "jane" }})
	return s, nil
}

// Close ends the stage.
func (s *MailingStage) Close() error {
	var wrong []error
	if s.Box != nil {
		wrong = append(wrong, s.Box.Close())
	}
	if s.client != nil {
		wrong = append(wrong, s.client.Close())
	}
	if s.Cluster != nil {
		wrong = append(wrong, s.Cluster.Close())
	}
	if s.receiver != nil {
		wrong = append(wrong, s.receiver.Close())
	}
	return errors.Join(append(wrong, os.RemoveAll(s.dir))...)
}

// Start begins a mailing to n recipients, of whom some bounce.
func (s *MailingStage) Start(ctx context.Context, m outbox.Mailing, n int) error {
	_, err := s.Box.Start(ctx, m, customers(n))
	return err
}

func customers(n int) iter.Seq2[outbox.Recipient, error] {
	domains := []string{"example.test", "example.test", "example.test", "example.org", "example.org", "example.net"}
	return func(yield func(outbox.Recipient, error) bool) {
		for i := range n {
			domain := domains[i%len(domains)]
			switch {
			case i%40 == 7:
				domain = "gone.test"
			case i%90 == 8:
				domain = "full.test"
			case i%150 == 9:
				domain = "strict.test"
			}
			if !yield(outbox.Recipient{Address: fmt.Sprintf("customer%d@%s", i, domain)}, nil) {
				return
			}
		}
	}
}

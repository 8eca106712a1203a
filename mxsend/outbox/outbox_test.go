package outbox

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
	"github.com/mxsend/go-mxsend/verp"
)

// testCodec is the same in every process of a test.
func testCodec() *verp.Codec {
	codec, err := verp.New(verp.Config{Prefix: "b", Domain: "bounce.shop.test", Keys: []verp.Key{{ID: 1, Secret: []byte("0123456789abcdef0123456789abcdef")}}})
	if err != nil {
		panic(err)
	}
	return codec
}

// testClient sends to a cluster.
func testClient(t testing.TB, cluster *mxtest.Cluster) *mxsend.Client {
	t.Helper()
	client, err := mxsend.New(mxsend.Config{
		Domain: cluster.Domain(), Resolver: mxsend.NewResolver(cluster.DNSAddr()), Dial: cluster.Dial, TLS: mxsend.TLSDisabled,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func render(_ context.Context, d Draft) (*mxsend.Message, error) {
	return &mxsend.Message{Content: fmt.Appendf(nil, "From: <news@shop.test>\r\nTo: <%s>\r\nMessage-ID: <%s>\r\nSubject: News\r\n\r\nHello.\r\n",
		d.Recipient.Address, strings.Trim(d.Recipient.Address, "<>"))}, nil
}

// testLog fails no test, but shows with it.
func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func testConfig(t testing.TB, database string, client *mxsend.Client) Config {
	return Config{
		Database: database, Client: client, Render: render, VERP: testCodec(), Lease: 2 * time.Second, Logger: testLog(t),
		Key: []byte("0123456789abcdef"), StopGrace: 2 * time.Second,
	}
}

func newBox(t testing.TB, cfg Config) *Box {
	t.Helper()
	b, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// people are n recipients of ten providers, sorted by provider.
func people(n int) iter.Seq2[Recipient, error] {
	return func(yield func(Recipient, error) bool) {
		for i := range n {
			if !yield(Recipient{Address: fmt.Sprintf("user%d@provider%d.test", i, i*10/n)}, nil) {
				return
			}
		}
	}
}

// waitFor waits until a mailing has ended, or fails the test.
func waitFor(t testing.TB, b *Box, name string, ok func(Status) bool) Status {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		s, err := b.Status(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if ok(s) {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("mailing %s after a minute: %s (%s) %v", name, s.State, s.Why, s.Outcomes)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestMailing(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		cluster := mxtest.NewCluster(t, mxtest.Config{})
		b := newBox(t, testConfig(t, database, testClient(t, cluster)))
		const n = 3000
		loaded, err := b.Start(t.Context(), Mailing{Name: "news"}, people(n))
		if err != nil || loaded.Recipients != n {
			t.Fatalf("got %+v, %v", loaded, err)
		}
		start := time.Now()
		s := waitFor(t, b, "news", Status.Ended)
		t.Logf("%d in %v", n, time.Since(start))
		if s.State != Done || s.Outcomes[Accepted] != n || len(s.Outcomes) != 1 {
			t.Errorf("got %s, %v; want all accepted", s.State, s.Outcomes)
		}
		counts := cluster.Ledger().Counts()
		if counts.Accepted != n || counts.Duplicates != 0 {
			t.Errorf("the relays took %d, %d of them duplicates", counts.Accepted, counts.Duplicates)
		}
	})
}

func TestEnqueue(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		cluster := mxtest.NewCluster(t, mxtest.Config{})
		b := newBox(t, testConfig(t, database, testClient(t, cluster)))
		enqueue := func(ref string, commit bool) int64 {
			tx, err := b.DB().BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			id, err := b.Enqueue(t.Context(), tx, Mail{Ref: ref, To: "jane@example.test", Content: []byte("From: <shop@shop.test>\r\nSubject: Order\r\n\r\nThanks.\r\n")})
			if err != nil {
				t.Fatal(err)
			}
			if commit {
				err = tx.Commit()
			} else {
				err = tx.Rollback()
			}
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		enqueue("order-1", false)
		begin := time.Now()
		id := enqueue("order-2", true)
		if again := enqueue("order-2", true); again != id {
			t.Errorf("the same Ref gave id %d and then %d", id, again)
		}
		for {
			s, err := b.Mail(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if s.Outcome == Accepted {
				break
			}
			if time.Since(begin) > 20*time.Second {
				t.Fatalf("after 20 s: %+v", s)
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Logf("accepted after %v", time.Since(begin))
		if n := cluster.Ledger().Counts().Accepted; n != 1 {
			t.Errorf("the relays took %d mails, want 1", n)
		}
		if _, err := b.MailByRef(t.Context(), "order-1"); err == nil {
			t.Error("a mail whose transaction was rolled back is there")
		}
	})
}

// noRounds has mxsend say Deferred at once.
func noRounds() backoff.BackOff { return &backoff.StopBackOff{} }

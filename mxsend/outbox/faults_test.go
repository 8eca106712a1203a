package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/internal/pgserver"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// The rows of the matrix of faults that are about what is durable.
func TestFaults(t *testing.T) {
	t.Run("E1", func(t *testing.T) { // kill -9; TestKilledAtAnyPoint has the other policies and Postgres
		testKilled(t, filepath.Join(t.TempDir(), "outbox.db"), "news", false)
	})
	t.Run("E2", testDatabaseKilled)
	t.Run("E3", testInputOutputError)
	t.Run("E4", testFullDisk)
}

// slowly renders some thousand messages a second, so that a fault finds the mailing at work.
func slowly(ctx context.Context, d Draft) (*mxsend.Message, error) {
	time.Sleep(2 * time.Millisecond)
	return render(ctx, d)
}

// waitAccepted waits until that many are accepted.
func waitAccepted(t *testing.T, cluster *mxtest.Cluster, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := cluster.WaitFor(ctx, func(c mxtest.Counts) bool { return c.Accepted >= n }); err != nil {
		t.Fatal(err)
	}
}

// still waits until the relays get nothing more for a while, and returns how many they have.
func still(t *testing.T, cluster *mxtest.Cluster) int {
	t.Helper()
	for range 100 {
		before := cluster.Ledger().Counts().Accepted
		time.Sleep(400 * time.Millisecond)
		if cluster.Ledger().Counts().Accepted == before {
			return before
		}
	}
	t.Fatal("mail goes on to be sent")
	return 0
}

// The database dies, and comes back, at random points from the loading to the end, for shorter and longer than the lease.
// The process lives, so it knows what it has sent: nothing is skipped, nothing is counted twice, and only what is cut off
// because the lease ends may be in doubt.
func testDatabaseKilled(t *testing.T) {
	server, err := pgserver.Start(t.Context(), false)
	if errors.Is(err, pgserver.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	database, err := server.Create(t.Context(), "outbox")
	if err != nil {
		t.Fatal(err)
	}
	cluster := mxtest.NewCluster(t, mxtest.Config{KeepContent: -1})
	const n, gate, lease = 5000, 200, 700 * time.Millisecond
	cfg := testConfig(t, database, testClient(t, cluster))
	cfg.Render, cfg.Lease, cfg.Gate = slowly, lease, gate
	cfg.Logger = nil // River has a lot to say
	b := newBox(t, cfg)

	stop := make(chan struct{})
	endOrders := sync.OnceFunc(func() { close(stop) })
	defer endOrders()
	orders := placeOrders(b, stop)
	loaded := make(chan error, 1)
	go func() {
		for {
			_, err := b.Start(context.Background(), Mailing{Name: "news"}, people(n))
			if err == nil || errors.Is(err, ErrOtherMailing) {
				loaded <- err
				return
			}
			time.Sleep(10 * time.Millisecond) // until the database is back
		}
	}()
	deaths := 0
	for deadline := time.Now().Add(2 * time.Minute); ; deaths++ {
		time.Sleep(rand.N(2 * time.Second))
		server.Kill()
		time.Sleep([]time.Duration{0, lease / 3, 3 * lease}[deaths%3])
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, err := b.Status(t.Context(), "news")
		if err == nil && s.Ended() {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("killed %d times, and the mailing does not end: %+v, %v", deaths, s.Outcomes, err)
		}
	}
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	endOrders()
	t.Logf("the database was killed %d times", deaths)
	if deaths < 3 {
		t.Errorf("the database was killed only %d times", deaths)
	}
	holdAgainst(t, b, cluster, "news", n, deaths*gate, false)
	holdOrders(t, b, cluster, orders)
}

// An order is a transactional mail whose commit succeeded, failed, or was not answered.
type order struct {
	ref, address string
	err          error
}

// placeOrders enqueues mail until stop is closed.
func placeOrders(b *Box, stop chan struct{}) chan order {
	orders := make(chan order, 10_000)
	go func() {
		defer close(orders)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			o := order{ref: fmt.Sprintf("order-%d", i), address: fmt.Sprintf("customer%d@company.test", i)}
			o.err = func() error {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				tx, err := b.DB().BeginTx(ctx, nil)
				if err != nil {
					return err
				}
				defer func() { _ = tx.Rollback() }()
				if _, err := b.Enqueue(ctx, tx, Mail{Ref: o.ref, To: o.address, Content: []byte("From: <shop@shop.test>\r\nSubject: Order\r\n\r\nThanks.\r\n")}); err != nil {
					return err
				}
				return tx.Commit()
			}()
			select {
			case orders <- o:
			default:
				return
			}
		}
	}()
	return orders
}

// holdOrders compares transactional mail with what the relays have: what is in the database was sent once, unless it is in
// doubt, and what is not was not sent.
func holdOrders(t *testing.T, b *Box, cluster *mxtest.Cluster, orders chan order) {
	t.Helper()
	var placed []order
	for o := range orders {
		placed = append(placed, o)
	}
	deadline := time.Now().Add(60 * time.Second)
	for {
		s, err := b.Transactional(t.Context())
		if err == nil && s.Queued == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("transactional mail does not end: %+v, %v", s, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	committed, doubt := 0, 0
	for _, o := range placed {
		mails := cluster.Ledger().FindRecipient(o.address)
		s, err := b.MailByRef(t.Context(), o.ref)
		switch {
		case errors.Is(err, ErrUnknown) && o.err == nil:
			t.Errorf("%s was committed, and is not there", o.ref)
		case errors.Is(err, ErrUnknown) && len(mails) > 0:
			t.Errorf("%s is not there, and was sent", o.ref)
		case err == nil && s.Outcome == InDoubt && len(mails) <= 1:
			doubt++
		case err == nil && (s.Outcome != Accepted || len(mails) != 1):
			t.Errorf("%s is %s (%s), and the relays took it %d times", o.ref, s.Outcome, s.Note, len(mails))
		case err == nil:
			committed++
		}
	}
	t.Logf("%d orders: %d accepted, %d in doubt", len(placed), committed, doubt)
	if committed == 0 {
		t.Error("no order was accepted")
	}
}

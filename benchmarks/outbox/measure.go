package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wneessen/go-mail"
	"modernc.org/sqlite"

	"github.com/mxsend/go-mxsend/benchmarks/internal/peers"
	"github.com/mxsend/go-mxsend/benchmarks/internal/resident"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/outbox"
)

const (
	contentSize = 4 << 10
	slowCommit  = 5 * time.Millisecond
)

// A job is what one process measures.
type job struct {
	Name, Database, Relay string
	N, Mails, Batched     int
	SlowCommit, Peer      time.Duration
}

// Figures are what it finds.
type figures struct {
	Single, Batched, Load, Rate, Resident, Status, PeerRate float64
	MostOpen, Accepted, PeerAccepted                        int
}

func (j job) postgres() bool { return strings.HasPrefix(j.Database, "postgres:") }

// slowDown has every commit take that much longer.
func (j *job) slowDown() {
	switch {
	case j.SlowCommit == 0:
	case j.postgres():
		j.Database += fmt.Sprintf("&options=-c%%20commit_delay%%3D%d%%20-c%%20commit_siblings%%3D0", j.SlowCommit.Microseconds())
	default:
		sqlite.RegisterConnectionHook(func(c sqlite.ExecQuerierContext, _ string) error {
			c.(interface{ RegisterCommitHook(sqlite.CommitHookFn) }).RegisterCommitHook(func() int32 {
				time.Sleep(j.SlowCommit)
				return 0
			})
			return nil
		})
	}
}

func (j job) measure(ctx context.Context) (f figures, err error) {
	j.slowDown()
	if err := j.enqueue(ctx, &f); err != nil {
		return f, err
	}
	return f, errors.Join(j.mailing(ctx, &f), j.loop(ctx, &f))
}

func (j job) config() outbox.Config {
	return outbox.Config{Database: j.Database, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
}

// enqueue stores transactional mail, which nobody sends meanwhile, and then cancels it by forgetting its recipient.
func (j job) enqueue(ctx context.Context, f *figures) (err error) {
	b, err := outbox.New(ctx, j.config())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	mail := outbox.Mail{To: "r@destination.bench.test", ReturnPath: "b@bounces.bench.test", Content: peers.Content(contentSize)}
	goroutines := 1
	if j.postgres() {
		goroutines = 8
	}
	if f.Single, err = enqueueMany(ctx, b, j.Mails, goroutines, []outbox.Mail{mail}); err != nil {
		return err
	}
	if f.Batched, err = enqueueMany(ctx, b, j.Batched/250, goroutines, slices.Repeat([]outbox.Mail{mail}, 250)); err != nil {
		return err
	}
	_, err = b.DB().ExecContext(ctx, "DELETE FROM outbox_mail")
	return err
}

// enqueueMany returns mails a second.
func enqueueMany(ctx context.Context, b *outbox.Box, transactions, goroutines int, mails []outbox.Mail) (float64, error) {
	var left atomic.Int64
	left.Store(int64(transactions))
	start := time.Now()
	var wg sync.WaitGroup
	failures := make(chan error, goroutines)
	for range goroutines {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := enqueueOnce(ctx, b, mails); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failures:
		return 0, err
	default:
		return float64(transactions*len(mails)) / time.Since(start).Seconds(), nil
	}
}

func enqueueOnce(ctx context.Context, b *outbox.Box, mails []outbox.Mail) error {
	tx, err := b.DB().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := b.EnqueueAll(ctx, tx, mails); err != nil {
		return err
	}
	return tx.Commit()
}

// mailing loads a mailing and sends it, unsigned.
func (j job) mailing(ctx context.Context, f *figures) (err error) {
	relays, err := peers.StaticRelays(j.Relay)
	if err != nil {
		return err
	}
	client, err := mxsend.New(mxsend.Config{Domain: peers.Domain, LocalName: peers.LocalName, TLS: mxsend.TLSDisabled, Resolver: mxsend.StaticRelays(relays...)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	body := peers.Content(contentSize)
	cfg := j.config()
	cfg.Client = client
	cfg.Render = func(_ context.Context, d outbox.Draft) (*mxsend.Message, error) {
		content := make([]byte, 0, len(body)+64)
		content = fmt.Appendf(content, "X-Recipient: %s\r\n", d.Recipient.Address)
		return &mxsend.Message{ReturnPath: "b@bounces.bench.test", Content: append(content, body...)}, nil
	}
	b, err := outbox.New(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	largest := watchMemory(ctx)
	defer func() { f.Resident = largest() }()

	const name = "mailing"
	start := time.Now()
	// It waits until all are loaded, so that loading is measured alone.
	if _, err := b.Start(ctx, outbox.Mailing{Name: name, StartAt: start.Add(time.Hour)}, recipients(j.N)); err != nil {
		return err
	}
	f.Load = time.Since(start).Seconds()
	start = time.Now()
	if err := b.Resume(ctx, name); err != nil {
		return err
	}
	for {
		s, err := b.Status(ctx, name)
		if err != nil {
			return err
		}
		if s.Ended() {
			f.Rate = float64(s.Outcomes[outbox.Accepted]) / time.Since(start).Seconds()
			f.Accepted = int(s.Outcomes[outbox.Accepted])
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	f.MostOpen = b.Stats().MostOpen
	var took []time.Duration
	for range 21 {
		start := time.Now()
		if _, err := b.Status(ctx, name); err != nil {
			return err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	f.Status = float64(took[len(took)/2].Microseconds()) / 1000
	return nil
}

func recipients(n int) iter.Seq2[outbox.Recipient, error] {
	return func(yield func(outbox.Recipient, error) bool) {
		for i := range n {
			if !yield(outbox.Recipient{Address: fmt.Sprintf("r%08d@destination.bench.test", i), Data: map[string]string{"name": "Recipient"}}, nil) {
				return
			}
		}
	}
}

// watchMemory returns a function that ends it and tells the largest resident memory there was, in MiB.
func watchMemory(ctx context.Context) func() float64 {
	ctx, cancel := context.WithCancel(ctx)
	largest := make(chan float64)
	go func() {
		most := 0.0
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			var mem runtime.MemStats
			runtime.ReadMemStats(&mem)
			most = max(most, resident.MiB(&mem))
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		largest <- most
	}()
	return func() float64 { cancel(); return <-largest }
}

// loop is what applications do today: a row is read, its mail sent, and the row updated.
func (j job) loop(ctx context.Context, f *figures) (err error) {
	b, err := outbox.New(ctx, j.config()) // for its pool of connections
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	db := b.DB()
	if _, err := db.ExecContext(ctx, "CREATE TABLE newsletter (id BIGINT PRIMARY KEY, address TEXT NOT NULL, sent BIGINT NOT NULL)"); err != nil {
		return err
	}
	const rows = 10_000
	if err := fill(ctx, db, rows); err != nil {
		return err
	}
	at, err := netip.ParseAddrPort(j.Relay)
	if err != nil {
		return err
	}
	client, err := mail.NewClient(at.Addr().String(), mail.WithPort(int(at.Port())), mail.WithTLSPolicy(mail.NoTLS), mail.WithHELO(peers.LocalName))
	if err != nil {
		return err
	}
	if err := client.DialWithContext(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	text := string(peers.Content(contentSize - 340))
	start := time.Now()
	for i := 0; i < rows && time.Since(start) < j.Peer; i++ {
		var address string
		if err := db.QueryRowContext(ctx, "SELECT address FROM newsletter WHERE id = $1", i).Scan(&address); err != nil {
			return err
		}
		m := mail.NewMsg(mail.WithEncoding(mail.NoEncoding))
		if err := errors.Join(m.EnvelopeFrom("b@bounces.bench.test"), m.From("Sender <sender@bench.test>"), m.To(address)); err != nil {
			return err
		}
		m.Subject("A message of a benchmark")
		m.SetBodyString(mail.TypeTextPlain, text)
		if err := client.Send(m); err != nil {
			return err
		}
		if _, err := db.ExecContext(ctx, "UPDATE newsletter SET sent = $1 WHERE id = $2", time.Now().UnixMilli(), i); err != nil {
			return err
		}
		f.PeerAccepted++
	}
	f.PeerRate = float64(f.PeerAccepted) / time.Since(start).Seconds()
	return nil
}

func fill(ctx context.Context, db *sql.DB, rows int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for i := range rows {
		if _, err := tx.ExecContext(ctx, "INSERT INTO newsletter (id, address, sent) VALUES ($1, $2, 0)", i, fmt.Sprintf("r%d@destination.bench.test", i)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

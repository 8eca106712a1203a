package mxsend_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
	"github.com/mxsend/go-mxsend/verp"
)

// A logBuffer may be written to by many.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// inCluster runs f in a bubble with a cluster in memory and a Client that finds it
// by the public API alone.
func inCluster(t *testing.T, change func(*mxsend.Config), f func(t *testing.T, cluster *mxtest.Cluster, client *mxsend.Client, log *logBuffer)) {
	synctest.Test(t, func(t *testing.T) {
		log := &logBuffer{}
		cluster := mxtest.NewCluster(t, mxtest.Config{Memory: true, Latency: time.Millisecond})
		cfg := mxsend.Config{
			Domain: cluster.Domain(), Resolver: mxsend.NewResolverVia(cluster.Dial, cluster.DNSAddr()), Dial: cluster.Dial,
			TLSConfig: cluster.TLSConfig(), LocalName: "app.example.com", Logger: slog.New(slog.NewTextHandler(log, nil)),
		}
		if change != nil {
			change(&cfg)
		}
		client, err := mxsend.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		f(t, cluster, client, log)
	})
}

func clusterMessage(i int) *mxsend.Message {
	return &mxsend.Message{
		ReturnPath: fmt.Sprintf("b+%d@bounce.example.com", i),
		Recipients: []string{fmt.Sprintf("u%d@example.net", i)},
		Content:    []byte("From: Shop <shop@example.com>\r\nSubject: Hello\r\n\r\nHello\r\n"),
	}
}

// The test of the README: fail-over by DNS, TLS and return paths in virtual time.
func TestClusterInBubble(t *testing.T) {
	inCluster(t, nil, func(t *testing.T, cluster *mxtest.Cluster, client *mxsend.Client, _ *logBuffer) {
		codec, err := verp.New(verp.Config{Prefix: "b", Domain: "bounce.example.com", Keys: []verp.Key{{ID: 1, Secret: make([]byte, 32)}}})
		if err != nil {
			t.Fatal(err)
		}
		cluster.Primary(0).Stop()
		m := clusterMessage(1)
		if m.ReturnPath, err = codec.Encode(verp.FromUint64(1)); err != nil {
			t.Fatal(err)
		}
		receipt, err := client.Send(t.Context(), m)
		if err != nil || receipt.Recipients[0].Relay != cluster.Primary(1).Name() {
			t.Errorf("got %+v, %v", receipt, err)
		}
		cluster.Ledger().AssertNothingLost(t)
	})
}

// D2, D3, D11, D14, D16: what DNS does while a Client runs, through the Resolver
// that applications use.
func TestClusterDNSChanges(t *testing.T) {
	const ttl = time.Minute
	send := func(t *testing.T, client *mxsend.Client, i int) (string, error) {
		receipt, err := client.Send(t.Context(), clusterMessage(i))
		return receipt.Recipients[0].Relay, err
	}
	t.Run("a relay is removed while the client is idle", func(t *testing.T) {
		inCluster(t, nil, func(t *testing.T, cluster *mxtest.Cluster, client *mxsend.Client, _ *logBuffer) {
			cluster.DNS().SetTTL(ttl)
			p1, p2 := cluster.Primary(0).Name(), cluster.Primary(1).Name()
			cluster.DNS().SetMX(cluster.Domain(), mxtest.MX{Preference: 10, Host: p1})
			if relay, err := send(t, client, 1); err != nil || relay != p1 {
				t.Errorf("%s, %v", relay, err)
			}
			cluster.DNS().SetMX(cluster.Domain(), mxtest.MX{Preference: 10, Host: p2})
			time.Sleep(ttl)
			for i := range 20 {
				if relay, err := send(t, client, 10+i); err != nil || relay != p2 {
					t.Errorf("%s, %v", relay, err)
				}
			}
		})
	})
	t.Run("the domain vanishes", func(t *testing.T) {
		inCluster(t, nil, func(t *testing.T, cluster *mxtest.Cluster, client *mxsend.Client, log *logBuffer) {
			cluster.DNS().SetTTL(ttl)
			for i := range 10 {
				if _, err := send(t, client, i); err != nil {
					t.Error(err)
				}
				cluster.DNS().Remove(cluster.Domain())
				time.Sleep(ttl)
			}
			if n := strings.Count(log.String(), "old answer"); n != 1 {
				t.Errorf("%d lines of the log tell it:\n%s", n, log)
			}
			time.Sleep(25 * time.Hour)
			if _, err := send(t, client, 100); !errors.Is(err, mxsend.ErrNoRelay) || !errors.Is(err, mxsend.ErrNotAttempted) {
				t.Errorf("after a day: %v", err)
			}
		})
	})
	t.Run("a null MX", func(t *testing.T) {
		inCluster(t, nil, func(t *testing.T, cluster *mxtest.Cluster, client *mxsend.Client, log *logBuffer) {
			cluster.DNS().SetTTL(ttl)
			if _, err := send(t, client, 1); err != nil {
				t.Error(err)
			}
			cluster.DNS().SetMX(cluster.Domain(), mxtest.MX{Preference: 0, Host: "."})
			time.Sleep(ttl)
			start := time.Now()
			if _, err := send(t, client, 2); !errors.Is(err, mxsend.ErrNoRelay) || !errors.Is(err, mxsend.ErrNotAttempted) {
				t.Error(err)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("it took %v", took)
			}
			time.Sleep(time.Millisecond) // the log is told after the outcome
			if !strings.Contains(log.String(), "null MX") {
				t.Errorf("log:\n%s", log)
			}
		})
	})
	t.Run("a mailing to a domain that does not exist", func(t *testing.T) {
		inCluster(t, func(cfg *mxsend.Config) { cfg.Domain = "relays.example" }, func(t *testing.T, cluster *mxtest.Cluster, client *mxsend.Client, _ *logBuffer) {
			pulled, n := 0, 0
			var last error
			for r := range client.SendAll(t.Context(), func(yield func(*mxsend.Message) bool) {
				for i := range 100_000 {
					if pulled++; !yield(clusterMessage(i)) {
						return
					}
				}
			}) {
				n++
				last = r.Err
			}
			if n != 1 || pulled != 1 || !errors.Is(last, mxsend.ErrNoRelay) || !errors.Is(last, mxsend.ErrStopped) {
				t.Errorf("%d results of %d pulled, the last with %v", n, pulled, last)
			}
		})
	})
	t.Run("name servers say nothing, and the test ends", func(t *testing.T) {
		inCluster(t, nil, func(t *testing.T, cluster *mxtest.Cluster, client *mxsend.Client, _ *logBuffer) {
			cluster.DNS().Fail("", mxtest.DNSSilence, mxtest.Always)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := client.Send(ctx, clusterMessage(1)); !errors.Is(err, mxsend.ErrNotAttempted) {
				t.Error(err)
			}
		})
	})
	t.Run("a Resolver is shared, and outlives Clients", func(t *testing.T) {
		resolver := mxsend.Resolver(nil)
		inCluster(t, func(cfg *mxsend.Config) { resolver = cfg.Resolver }, func(t *testing.T, cluster *mxtest.Cluster, client *mxsend.Client, _ *logBuffer) {
			other := func() *mxsend.Client {
				c, err := mxsend.New(mxsend.Config{Domain: cluster.Domain(), Resolver: resolver, Dial: cluster.Dial, TLSConfig: cluster.TLSConfig(), LocalName: "app.example.com"})
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			_ = client.Close()
			cluster.DNS().Fail("", mxtest.DNSSilence, mxtest.Always)
			c := other()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, _ = c.Send(ctx, clusterMessage(1))
			_ = c.Close() // interrupts the question

			cluster.DNS().Fail("", mxtest.DNSSilence, 0)
			c = other()
			start := time.Now()
			if _, err := c.Send(t.Context(), clusterMessage(2)); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took > 500*time.Millisecond {
				t.Errorf("it took %v: the interruption was taken for a failure", took)
			}
			time.Sleep(2 * time.Minute) // beyond the TTL

			cluster.DNS().Fail("", mxtest.DNSSilence, 1)
			asked := make(chan error)
			go func() {
				_, err := c.Send(t.Context(), clusterMessage(3))
				asked <- err
			}()
			synctest.Wait()
			_ = other().Close() // the question under way is the other Client's
			if err := <-asked; err != nil {
				t.Error(err)
			}
			_ = c.Close()
		})
	})
	t.Run("checked through the dialer", func(t *testing.T) {
		inCluster(t, func(cfg *mxsend.Config) {
			cfg.Check = mxsend.CheckConfig{NameServers: []string{"10.0.0.53"}, ReturnPathDomains: []string{"bounce.example.com"}}
		}, func(t *testing.T, cluster *mxtest.Cluster, client *mxsend.Client, _ *logBuffer) {
			cluster.DNS().SetMX("bounce.example.com", mxtest.MX{Preference: 10, Host: cluster.Primary(0).Name()})
			p, err := client.Check(context.Background())
			if err != nil {
				t.Error(err)
			}
			if n := cluster.DNS().Queries("bounce.example.com", "MX"); n != 1 {
				t.Errorf("%d questions reached the name server: %+v", n, p.Findings)
			}
		})
	})
}

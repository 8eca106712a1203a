package mxsend

import (
	"net/netip"
	"runtime/metrics"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

const senders = 10_000 // goroutines in Send at once

// However many send at once, the relays are looked up once a TTL.
func TestCrowdLooksUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := mxtest.NewCluster(t, mxtest.Config{
			Memory: true, KeepContent: -1, Latency: time.Millisecond,
			Relay: func(string) mxtest.RelayConfig {
				return mxtest.RelayConfig{SMTPDTLSSecurityLevel: "none", InFlowDelay: -1}
			},
		})
		const ttl = time.Minute
		cluster.DNS().SetTTL(ttl)
		c, err := New(Config{Domain: cluster.Domain(), Resolver: NewResolverVia(cluster.Dial, cluster.DNSAddr()), Dial: cluster.Dial, TLS: TLSDisabled})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var refused atomic.Int64
		for round := 1; round <= 3; round++ {
			var sends sync.WaitGroup
			for i := range senders {
				sends.Go(func() {
					if _, err := c.Send(t.Context(), testMessage(round*senders+i)); err != nil {
						refused.Add(1)
					}
				})
			}
			sends.Wait()
			for _, q := range []struct{ name, kind string }{{cluster.Domain(), "MX"}, {cluster.Primary(0).Name(), "A"}, {cluster.Primary(1).Name(), "A"}} {
				if got := cluster.DNS().Queries(q.name, q.kind); got != round {
					t.Errorf("round %d: %d questions for %s of %s, want %d", round, got, q.kind, q.name, round)
				}
			}
			time.Sleep(ttl)
		}
		if n := refused.Load(); n > 0 {
			t.Errorf("%d of %d were not accepted", n, 3*senders)
		}
	})
}

// BenchmarkSendParallel10000 has 10,000 goroutines in Send all the time, over two
// relays on loopback in this process. lock-wait-ns/op is what all of them and the
// connections together waited for mutexes, for each message.
func BenchmarkSendParallel10000(b *testing.B) {
	hosts := []Host{}
	for i := range 2 {
		hosts = append(hosts, Host{Name: "p" + strconv.Itoa(i), Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Port: sink(b)})
	}
	c, err := New(Config{Resolver: StaticRelays(hosts...), TLS: TLSDisabled})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	content := testContentOf(4 << 10)
	var next, failed atomic.Int64
	var sends sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	waited := lockWait()
	for range senders {
		sends.Go(func() {
			m := Message{ReturnPath: "bounce@b.test", Recipients: []string{"you@example.test"}, Content: content}
			for next.Add(1) <= int64(b.N) {
				if _, err := c.Send(b.Context(), &m); err != nil {
					failed.Add(1)
				}
			}
		})
	}
	sends.Wait()
	if n := failed.Load(); n > 0 {
		b.Fatalf("%d were not accepted", n)
	}
	b.ReportMetric(float64(lockWait()-waited)/float64(b.N), "lock-wait-ns/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// lockWait is how long goroutines of this process have waited for mutexes.
func lockWait() time.Duration {
	s := []metrics.Sample{{Name: "/sync/mutex/wait/total:seconds"}}
	metrics.Read(s)
	return time.Duration(s[0].Value.Float64() * float64(time.Second))
}

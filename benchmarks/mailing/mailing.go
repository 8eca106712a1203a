package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/peers"
	"github.com/mxsend/go-mxsend/benchmarks/internal/resident"
	"github.com/mxsend/go-mxsend/mxsend"
)

// A mailing is one SendAll and what was seen of the process meanwhile.
type mailing struct {
	n, size, connections int
	address              string
	most                 time.Duration // pull nothing after that long; zero: pull all
	progress             func(format string, args ...any)

	accepted int
	elapsed  time.Duration
	samples  []sample
}

// A sample is the state of the process at one moment.
type sample struct {
	at         time.Duration
	accepted   int
	resident   float64 // MiB, as the system sees it
	heap       float64 // MiB, in use
	goroutines int
}

func (m *mailing) send(ctx context.Context) (err error) {
	relays, err := peers.StaticRelays(m.address)
	if err != nil {
		return err
	}
	c, err := mxsend.New(mxsend.Config{
		Domain:    peers.Domain,
		LocalName: peers.LocalName,
		TLS:       mxsend.TLSDisabled,
		Resolver:  mxsend.StaticRelays(relays...),
		Limits:    mxsend.Limits{Connections: m.connections, Reserved: -1},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	var accepted atomic.Int64
	start := time.Now()
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		m.watch(start, &accepted, done)
	}()
	defer func() {
		m.elapsed = time.Since(start)
		close(done)
		<-watched
		m.accepted = int(accepted.Load())
	}()
	for r := range c.SendAll(ctx, m.messages(start)) {
		if r.Err != nil {
			return r.Err
		}
		accepted.Add(1)
	}
	return ctx.Err()
}

// messages composes each mail as it is pulled.
func (m *mailing) messages(start time.Time) iter.Seq[*mxsend.Message] {
	return func(yield func(*mxsend.Message) bool) {
		body := peers.Content(m.size)
		for i := range m.n {
			if m.most > 0 && time.Since(start) > m.most {
				return
			}
			content := make([]byte, 0, m.size+32)
			content = fmt.Appendf(content, "X-Number: %d\r\n", i)
			if !yield(&mxsend.Message{
				ReturnPath: fmt.Sprintf("b+%08d@bounces.bench.test", i),
				Recipients: []string{fmt.Sprintf("r%08d@destination.bench.test", i)},
				Content:    append(content, body...),
				Ref:        strconv.Itoa(i),
			}) {
				return
			}
		}
	}
}

// watch samples the process until done.
func (m *mailing) watch(start time.Time, accepted *atomic.Int64, done <-chan struct{}) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		x := sample{
			at: time.Since(start), accepted: int(accepted.Load()), resident: resident.MiB(&mem),
			heap: float64(mem.HeapInuse) / (1 << 20), goroutines: runtime.NumGoroutine(),
		}
		m.samples = append(m.samples, x)
		m.progress("%d of %d accepted, %.1f MiB resident", x.accepted, m.n, x.resident)
		select {
		case <-tick.C:
		case <-done:
			return
		}
	}
}

package main

import (
	"net/smtp"
	"os/exec"
	"runtime"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/program"
	"github.com/mxsend/go-mxsend/benchmarks/internal/proxy"
	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
	"github.com/mxsend/go-mxsend/benchmarks/internal/sink"
)

// A stage is a sink with the case's round-trip time in front of it.
type stage struct {
	address string
	// totals returns the sink's counts; one that counts with a delay waits until
	// it has as many mails as are to be expected, for a while.
	totals func(expected int64) (sink.Totals, error)
	relays *sink.Process // of mxtest, where they are the sink
	proxy  *proxy.Proxy
	trip   time.Duration // what a round trip really takes; zero: not measured
}

func (b *bench) stage(c benchCase) (*stage, error) {
	s := &stage{}
	switch c.sink {
	case minimal:
		s.address = b.minimal.Address
		s.totals = func(int64) (sink.Totals, error) { return b.minimal.Totals() }
	case smtpSink:
		s.address = b.smtpSink.Address
		s.totals = func(int64) (sink.Totals, error) {
			n, err := b.smtpSink.Accepted()
			return sink.Totals{Accepted: int64(n)}, err
		}
	case testRelay:
		// One for each case: its ledger grows with every mail.
		var err error
		if s.relays, err = sink.Start(exec.Command(program.Self(), beRelays)); err != nil {
			return nil, err
		}
		s.address = s.relays.Address
		s.totals = func(int64) (sink.Totals, error) { return s.relays.Totals() }
	case realPostfix:
		s.address = b.postfix.Address
		s.totals = func(expected int64) (sink.Totals, error) {
			n, err := b.postfix.AwaitDelivered(int(expected), 30*time.Second)
			return sink.Totals{Accepted: int64(n)}, err
		}
	}
	if c.roundTrip == 0 {
		return s, nil
	}
	// The proxy's sleeps in the kernel each keep a P of the runtime until that notices, which it does after up to 10 ms:
	// there have to be more of them than connections.
	runtime.GOMAXPROCS(4 * maxConnections)
	var err error
	if s.proxy, err = proxy.Listen(s.address, c.roundTrip); err != nil {
		return nil, err
	}
	direct := s.totals
	s.address = s.proxy.Address
	s.totals = func(expected int64) (sink.Totals, error) {
		t, err := direct(expected)
		t.Turns = s.proxy.Turns()
		return t, err
	}
	return s, s.settle(c.roundTrip)
}

// settle sets the proxy's delay so that a round trip takes as long as it should
// in all: sleeping, waking and passing on take a share that no client can help.
func (s *stage) settle(want time.Duration) (err error) {
	if s.trip, err = roundTrip(s.address); err != nil {
		return err
	}
	s.proxy.SetDelay(max(want/2, want-(s.trip-want)))
	s.trip, err = roundTrip(s.address)
	return err
}

// roundTrip is the median time of a NOOP.
func roundTrip(address string) (time.Duration, error) {
	c, err := smtp.Dial(address)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	var trips report.Sample
	for range 50 {
		start := time.Now()
		if err := c.Noop(); err != nil {
			return 0, err
		}
		trips = append(trips, float64(time.Since(start)))
	}
	return time.Duration(trips.Median()), c.Quit()
}

func (s *stage) close() {
	if s.relays != nil {
		_ = s.relays.Close()
	}
	if s.proxy != nil {
		_ = s.proxy.Close()
	}
}

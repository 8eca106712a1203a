package mxsend

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

// A machine that is stopped and goes on later, in fake time. What a process that
// is really stopped does is in faultsProcess.
var faultsStopped = []fault{
	{name: "E6", relays: 2, change: func(_ *Config, rs []*testRelay) {
		rs[0].delay, rs[1].delay = 10*time.Millisecond, 10*time.Millisecond
	}, run: func(s *testSetup) {
		// What is under way to a stopped machine waits in its buffers, and is read
		// when it goes on: it takes those mails after all.
		const stopped = 10*time.Minute + 30*time.Second
		start := time.Now()
		time.AfterFunc(500*time.Millisecond, func() { s.net.SetHost(s.relays[0].ip, memnet.BlackHole) })
		time.AfterFunc(500*time.Millisecond+stopped, func() { s.net.SetHost(s.relays[0].ip, memnet.Up) })
		var all sync.WaitGroup
		all.Go(func() {
			got := s.sendAll(s.ctx(), messages(5000))
			if got[Accepted]+got[InDoubt] != 5000 || got[InDoubt] == 0 || got[InDoubt] > 20 {
				s.t.Errorf("mailing: outcomes %v", got)
			}
			s.wantTook(start, 10*time.Minute, stopped)
		})
		for i := range 200 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 20 * time.Millisecond)
				own := time.Now()
				switch r, err := s.send(testMessage(10_000 + i)); r.Recipients[0].Outcome {
				case Accepted:
					s.wantTook(own, 0, 17*time.Second)
				case InDoubt:
					s.wantTook(own, 10*time.Minute, 10*time.Minute+time.Second)
				default:
					s.t.Errorf("transactional: %v", err)
				}
			})
		}
		all.Wait()
		time.Sleep(time.Until(start.Add(stopped + 10*time.Minute))) // put out for no longer than it was off
		before := s.accepted(0)
		s.sendAll(s.ctx(), from(20_000, 1000))
		if got := s.accepted(0) - before; got < 400 {
			s.t.Errorf("the relay that goes on took %d of 1000", got)
		}
	}},
}

// A liveFault is a row that takes real sockets and the real clock.
type liveFault struct {
	name string
	run  func(*testing.T)
}

// stoppedLimits are short, but long against what a busy machine may lose.
var stoppedLimits = Limits{
	Connect: time.Second, Greeting: time.Second, Reply: time.Second, ReplyTransactional: time.Second, FinalDot: time.Second,
	Connections: 4, Reserved: 1, Idle: time.Minute,
}

// tcpRelay serves over TCP on loopback until the test ends.
func tcpRelay(t *testing.T, r *testRelay) Host {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Skip("no loopback:", err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go r.serve(l)
	return loopbackHost(r.name, l.Addr().String())
}

func loopbackHost(name, address string) Host {
	at := netip.MustParseAddrPort(address)
	return Host{Name: name, Addresses: []netip.Addr{at.Addr()}, Port: int(at.Port())}
}

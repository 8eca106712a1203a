package mxsend

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

// A testSetup is a Client and its relays over a network in memory. It keeps a
// ledger of what was submitted, which inBubble audits.
type testSetup struct {
	*Client
	t      *testing.T
	net    *memnet.Network
	relays []*testRelay
	hosts  []Host

	mu        sync.Mutex
	ledger    []Result
	skipStats bool // not every result is in the ledger
	sloppy    bool // the relays keep no ledger worth comparing
}

// inBubble runs f in a bubble of fake time with n relays and a Client for them,
// and checks the ledger, and that nothing is left running or open.
func inBubble(t *testing.T, n int, change func(*Config, []*testRelay), f func(s *testSetup)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { bubble(t, n, change, f) })
}

func bubble(t *testing.T, n int, change func(*Config, []*testRelay), f func(s *testSetup)) {
	s := &testSetup{t: t, net: memnet.New(memnet.Config{Latency: time.Millisecond})}
	cfg := Config{Domain: "relays.test", TLS: TLSDisabled, LocalName: "app.test", Dial: s.net.Dial}
	for i := range n {
		r := &testRelay{name: fmt.Sprintf("p%d.relays.test", i+1), ip: fmt.Sprintf("10.0.0.%d", i+1), ehlo: fullEHLO}
		s.relays = append(s.relays, r)
		s.hosts = append(s.hosts, Host{Name: r.name, Addresses: []netip.Addr{netip.MustParseAddr(r.ip)}})
	}
	cfg.Resolver = StaticRelays(s.hosts...)
	if change != nil {
		change(&cfg, s.relays)
	}
	if cfg.Logger == nil {
		cfg.Logger = discard
	}
	var listeners []net.Listener
	for _, r := range s.relays {
		l, err := s.net.Listen("tcp", r.ip+":25")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
		r.sessions.Go(func() { r.serve(l) })
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.draw = func() uint32 { return 0 } // of relays that are alike the first begins
	s.Client = c
	f(s)
	_ = c.Close()
	for _, l := range listeners {
		_ = l.Close()
	}
	for _, r := range s.relays {
		r.mu.Lock()
		open := r.open
		r.open = map[net.Conn]bool{}
		r.mu.Unlock()
		for nc := range open {
			_ = nc.Close()
		}
		r.sessions.Wait() // the fake clock runs only as long as somebody waits here
	}
	time.Sleep(10 * time.Millisecond) // what was under way to a listener comes back
	synctest.Wait()
	s.audit()
	if open := s.net.Stats().Open; open != 0 {
		t.Errorf("%d ends of connections are left open", open)
	}
}

// send submits a message through Send and enters it in the ledger.
func (s *testSetup) send(m *Message) (Receipt, error) { return s.sendWithin(s.ctx(), m) }

func (s *testSetup) sendWithin(ctx context.Context, m *Message) (Receipt, error) {
	receipt, err := s.Send(ctx, m)
	s.enter(Result{Message: m, Receipt: receipt, Err: err})
	return receipt, err
}

func (s *testSetup) enter(r Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger = append(s.ledger, r)
}

// sendAll submits messages through SendAll, enters them, and counts outcomes.
func (s *testSetup) sendAll(ctx context.Context, m iter.Seq[*Message]) (count [5]int) {
	for r := range s.SendAll(ctx, m) {
		s.enter(r)
		for _, to := range r.Receipt.Recipients {
			count[to.Outcome]++
		}
	}
	return count
}

// audit checks that everything submitted has exactly one honest outcome: every
// Accepted is in a relay's ledger, nothing that is said not to be taken is, and
// there are no copies but of what was sent again in doubt.
func (s *testSetup) audit() {
	s.t.Helper()
	copies := map[string]int{}
	for _, r := range s.relays {
		for _, m := range r.accepted {
			for _, to := range m.to {
				copies[m.from+" "+to]++
			}
		}
	}
	var sum [5]int
	for _, r := range s.ledger {
		got := r.Receipt.Recipients
		if r.Message == nil {
			continue
		}
		if len(got) != len(r.Message.Recipients) {
			s.t.Errorf("message %s: %d outcomes for %d recipients", r.Message.Ref, len(got), len(r.Message.Recipients))
			continue
		}
		all := true
		for i, to := range got {
			sum[to.Outcome]++
			all = all && to.Outcome == Accepted
			if to.Address != r.Message.Recipients[i] {
				s.t.Errorf("message %s: outcome %d is another recipient's", r.Message.Ref, i)
			}
			s.auditOne(r.Message, to, copies[strings.Trim(r.Message.ReturnPath, "<>")+" "+to.Address])
		}
		if len(got) > 0 && all != (r.Err == nil) {
			s.t.Errorf("message %s: all accepted: %v, error: %v", r.Message.Ref, all, r.Err)
		}
	}
	if s.skipStats {
		return
	}
	stats := s.Stats()
	for o := range sum {
		if got := stats.Transactional.Outcomes[Outcome(o)] + stats.Bulk.Outcomes[Outcome(o)]; got != uint64(sum[o]) {
			s.t.Errorf("Stats counts %d %v, the receipts %d", got, Outcome(o), sum[o])
		}
	}
}

func (s *testSetup) auditOne(m *Message, to RecipientResult, copies int) {
	s.t.Helper()
	most := 1
	if to.DuplicatePossible {
		most = 2
	}
	var e *Error
	switch {
	case (to.Err == nil) != (to.Outcome == Accepted):
		s.t.Errorf("message %s: %v with error %v", m.Ref, to.Outcome, to.Err)
	case to.Err != nil && (!errors.As(to.Err, &e) || e.Outcome != to.Outcome):
		s.t.Errorf("message %s: %v with an error that says otherwise: %v", m.Ref, to.Outcome, to.Err)
	case to.Err != nil && to.Address != "" && strings.Contains(to.Err.Error(), to.Address):
		s.t.Errorf("message %s: error shows the address: %v", m.Ref, to.Err)
	case s.sloppy:
	case to.Outcome == Accepted && copies == 0:
		s.t.Errorf("message %s: Accepted, but no relay has it", m.Ref)
	case to.Outcome != Accepted && to.Outcome != InDoubt && copies > 0:
		s.t.Errorf("message %s: %v, but a relay has it", m.Ref, to.Outcome)
	case copies > most:
		s.t.Errorf("message %s: %d copies", m.Ref, copies)
	}
}

const testContent = "From: Shop <shop@app.test>\r\nTo: you@example.test\r\nSubject: Hello\r\n\r\nHello\r\n.dot\r\n"

func testMessage(i int) *Message {
	return &Message{
		ReturnPath: fmt.Sprintf("b+%d@app.test", i),
		Recipients: []string{fmt.Sprintf("u%d@example.test", i)},
		Content:    []byte(testContent),
		Ref:        fmt.Sprint(i),
	}
}

// to returns testMessage(i) to so many recipients.
func testMessageTo(i, recipients int) *Message {
	m := testMessage(i)
	for j := 1; j < recipients; j++ {
		m.Recipients = append(m.Recipients, fmt.Sprintf("u%d.%d@example.test", i, j))
	}
	return m
}

func testContentOf(octets int) []byte {
	line := strings.Repeat("x", 76) + "\r\n"
	return []byte(testContent + strings.Repeat(line, octets/len(line)))
}

func messages(n int) iter.Seq[*Message] { return from(1000, n) }

// from numbers messages from a start, so that one test may send several mailings.
func from(start, n int) iter.Seq[*Message] {
	return func(yield func(*Message) bool) {
		for i := range n {
			if !yield(testMessage(start + i)) {
				return
			}
		}
	}
}

func (s *testSetup) took() (n int) {
	for i := range s.relays {
		n += s.accepted(i)
	}
	return n
}

// accepted counts what the i-th relay took.
func (s *testSetup) accepted(i int) int {
	s.relays[i].mu.Lock()
	defer s.relays[i].mu.Unlock()
	return len(s.relays[i].accepted)
}

func (s *testSetup) ctx() context.Context { return s.t.Context() }

// want checks the outcomes of one message, in order.
func (s *testSetup) want(r Receipt, outcomes ...Outcome) {
	s.t.Helper()
	var got []Outcome
	for _, to := range r.Recipients {
		got = append(got, to.Outcome)
	}
	if !slices.Equal(got, outcomes) {
		s.t.Errorf("outcomes %v, want %v", got, outcomes)
		for _, to := range r.Recipients {
			if to.Err != nil {
				s.t.Logf("  %v", to.Err)
			}
		}
	}
}

// wantErr checks a message's error against sentinels.
func (s *testSetup) wantErr(err error, targets ...error) {
	s.t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			s.t.Errorf("error %q is not %q", err, target)
		}
	}
}

// wantStage checks where the first recipient's outcome arose.
func (s *testSetup) wantStage(err error, stage Stage) {
	s.t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Stage != stage {
		s.t.Errorf("error %v: want one at %v", err, stage)
	}
}

// wantTook checks how long something took in fake time.
func (s *testSetup) wantTook(start time.Time, least, most time.Duration) {
	s.t.Helper()
	if took := time.Since(start); took < least || took > most {
		s.t.Errorf("took %v, want %v to %v", took, least, most)
	}
}

// wantAccepted sends one message and wants it accepted.
func (s *testSetup) wantAccepted(i int) Receipt {
	s.t.Helper()
	r, err := s.send(testMessage(i))
	if err != nil {
		s.t.Errorf("message %d: %v", i, err)
	}
	return r
}

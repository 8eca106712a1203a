package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

const (
	service  = 400 * time.Millisecond // what a relay takes to answer a final dot
	sessions = 100                    // that each relay admits: Postfix's default
	// apartSessions are those of a relay that is for transactional mail alone.
	apartSessions = 500
	deadline      = 120 * time.Second // of a transactional mail
	every         = 2 * time.Second   // a client sends a transactional mail
	expiry        = time.Minute       // of what DNS says
)

// capacity is how many mails a second two relays take.
const capacity = 2 * sessions * float64(time.Second) / float64(service)

// A fleet is relays and the clients that share them.
type fleet struct {
	cluster *mxtest.Cluster
	start   time.Time
	lookups lookups

	work sync.WaitGroup // of the clients

	mu      sync.Mutex // guards what follows
	members []*member
	number  int // of the last mail
}

// A member is one process of the fleet.
type member struct {
	fleet  *fleet
	client *mxsend.Client
	mailed bool // it has a mailing

	mu       sync.Mutex // guards what follows
	accepted []accepted
	sends    []sending
	results  map[string]mxsend.Outcome // by recipient
	refused  []time.Duration           // connections that were not to be had, by time
}

// accepted is a mail of a mailing.
type accepted struct {
	at    time.Duration // after the fleet's start
	relay string
}

// sending is a transactional mail.
type sending struct {
	began, took time.Duration
	failed      bool
}

// newFleet starts the relays. With apart there are two more, for transactional mail.
func newFleet(waiting, apart bool) (*fleet, error) {
	cfg := mxtest.Config{
		Primaries: 2, Memory: true, KeepContent: -1,
		Limits: mxtest.Limits{Accept: service, Connections: sessions},
		Relay: func(string) mxtest.RelayConfig {
			return mxtest.RelayConfig{InFlowDelay: -1, SMTPDProcessLimit: 1 << 12}
		},
	}
	if apart {
		cfg.Primaries = 4
	}
	if waiting {
		cfg.Limits.Connections = 0
		cfg.Relay = func(name string) mxtest.RelayConfig {
			processes := sessions
			if strings.HasPrefix(name, "p3.") || strings.HasPrefix(name, "p4.") {
				processes = apartSessions
			}
			return mxtest.RelayConfig{InFlowDelay: -1, SMTPDProcessLimit: processes}
		}
	}
	cluster, err := mxtest.Start(cfg)
	if err != nil {
		return nil, err
	}
	if apart {
		// An smtpd of its own admits as many as it is given: more than there are clients.
		for i := 2; i < 4; i++ {
			limits := cfg.Limits
			limits.Connections = apartSessions
			cluster.Primary(i).SetLimits(limits)
		}
	}
	return &fleet{cluster: cluster, start: time.Now()}, nil
}

const apartDomain = "transactional.test"

// LookupRelays is the Resolver of all clients: DNS as it is, but for the questions themselves.
func (f *fleet) LookupRelays(_ context.Context, domain string) (mxsend.Relays, error) {
	f.lookups.note(time.Since(f.start))
	first := 0
	if domain == apartDomain {
		first = 2
	}
	return mxsend.Relays{Expires: time.Now().Add(expiry), Hosts: f.hosts(first)}, nil
}

// hosts are two relays, from the first on.
func (f *fleet) hosts(first int) (hosts []mxsend.Host) {
	for i := first; i < first+2; i++ {
		relay := f.cluster.Primary(i)
		at := netip.MustParseAddrPort(relay.Addr())
		hosts = append(hosts, mxsend.Host{Name: relay.Name(), Preference: 10, Addresses: []netip.Addr{at.Addr()}})
	}
	return hosts
}

// staticHosts are relays at addresses of this machine.
func staticHosts(addresses []string) (hosts []mxsend.Host, err error) {
	for i, address := range addresses {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, mxsend.Host{
			Name: fmt.Sprintf("p%d.bench.test", i+1), Preference: 10, Addresses: []netip.Addr{at.Addr()}, Port: int(at.Port()),
		})
	}
	return hosts, nil
}

// join starts a client. It is the caller's to give it something to do.
func (f *fleet) join(change func(*mxsend.Config)) (*member, error) {
	m := &member{fleet: f, results: map[string]mxsend.Outcome{}}
	cfg := mxsend.Config{
		Domain: f.cluster.Domain(), Resolver: f, Dial: f.cluster.Dial, TLS: mxsend.TLSDisabled, LocalName: "app.bench.test",
		Observer: &mxsend.Observer{Connected: func(_, _ string, _ time.Duration, err error) {
			if err != nil {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.refused = append(m.refused, time.Since(f.start))
			}
		}},
	}
	if change != nil {
		change(&cfg)
	}
	client, err := mxsend.New(cfg)
	if err != nil {
		return nil, err
	}
	m.client = client
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members = append(f.members, m)
	return m, nil
}

// message makes a mail that no other is like.
func (f *fleet) message() *mxsend.Message {
	f.mu.Lock()
	f.number++
	n := f.number
	f.mu.Unlock()
	return &mxsend.Message{
		ReturnPath: "b@bounces.bench.test",
		Recipients: []string{fmt.Sprintf("r%d@destination.bench.test", n)},
		Content:    content,
	}
}

var content = []byte("From: <news@bench.test>\r\nSubject: fleet\r\n\r\nHello.\r\n")

// mailing has the member submit a mailing until ctx ends.
func (m *member) mailing(ctx context.Context) {
	m.mailed = true
	m.fleet.work.Go(func() {
		for r := range m.client.SendAll(ctx, m.messages(ctx)) {
			m.note(r.Receipt, true)
		}
	})
}

func (m *member) messages(ctx context.Context) iter.Seq[*mxsend.Message] {
	return func(yield func(*mxsend.Message) bool) {
		for ctx.Err() == nil && yield(m.fleet.message()) {
		}
	}
}

// trickle has it send transactional mail until ctx ends; what is under way then still gets its time.
func (m *member) trickle(ctx context.Context) {
	m.fleet.work.Go(func() {
		// Clients do not all send at the same moment.
		next := time.NewTimer(time.Duration(rand.Int64N(int64(every))))
		defer next.Stop()
		for {
			select {
			case <-next.C:
				next.Reset(every)
				m.fleet.work.Go(m.send)
			case <-ctx.Done():
				return
			}
		}
	})
}

func (m *member) send() {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	began := time.Now()
	receipt, err := m.client.Send(ctx, m.fleet.message())
	m.note(receipt, false)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sends = append(m.sends, sending{began.Sub(m.fleet.start), time.Since(began), err != nil})
}

func (m *member) note(r mxsend.Receipt, ofMailing bool) {
	to := r.Recipients[0]
	m.mu.Lock()
	defer m.mu.Unlock()
	m.results[to.Address] = to.Outcome
	if ofMailing && to.Outcome == mxsend.Accepted {
		m.accepted = append(m.accepted, accepted{time.Since(m.fleet.start), to.Relay})
	}
}

// end waits until all clients are done, closes everything, and holds every receipt against the relays' ledger.
func (f *fleet) end(ctx context.Context) (err error) {
	f.work.Wait()
	for _, m := range f.members {
		_ = m.client.Close()
	}
	defer func() { err = errors.Join(err, f.cluster.Close()) }()
	if err := f.cluster.WaitIdle(ctx); err != nil {
		return err
	}
	copies := map[string]int{}
	for _, mail := range f.cluster.Ledger().Mails() {
		for _, to := range mail.Recipients {
			copies[to.Address]++
		}
	}
	for _, m := range f.members {
		for address, outcome := range m.results {
			n := copies[address]
			delete(copies, address)
			if outcome == mxsend.Accepted && n != 1 || outcome == mxsend.InDoubt && n > 1 || outcome != mxsend.Accepted && outcome != mxsend.InDoubt && n > 0 {
				return fmt.Errorf("void: %s is %v, and the relays have %d of it", address, outcome, n)
			}
		}
	}
	if len(copies) > 0 {
		return fmt.Errorf("void: the relays have %d mails that no client knows of", len(copies))
	}
	return nil
}

// lookups counts questions by the second in which they were asked.
type lookups struct {
	mu     sync.Mutex // guards second
	second map[int]int
}

func (l *lookups) note(at time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.second == nil {
		l.second = map[int]int{}
	}
	l.second[int(at/time.Second)]++
}

// busiest is the largest share of the questions that fell into two seconds in a row, the first minute left out: all clients
// begin then.
func (l *lookups) busiest(after time.Duration) (most, all int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s, n := range l.second {
		if s < int(after/time.Second) {
			continue
		}
		all += n
		most = max(most, n+l.second[s+1])
	}
	return most, all
}

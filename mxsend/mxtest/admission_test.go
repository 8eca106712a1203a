package mxtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/smtp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// dialWireFrom is dialWire for a client with an address of its own.
func dialWireFrom(t *testing.T, c *mxtest.Cluster, client string) *wire {
	t.Helper()
	conn, err := c.DialFrom(client)(t.Context(), "tcp", c.Primary(0).Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &wire{t, conn, bufio.NewReader(conn)}
}

// greeting is the code of the greeting, or "silence" where there is none within a minute.
func (w *wire) greeting() string {
	w.conn.SetReadDeadline(time.Now().Add(time.Minute))
	defer w.conn.SetReadDeadline(time.Time{})
	line, err := w.r.ReadString('\n')
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "silence"
	case err != nil:
		return err.Error()
	}
	return line[:3]
}

const (
	ann = "10.9.0.1"
	bob = "10.9.0.2"
)

// Each limit by client address leaves other clients alone, and the whole relay's does not.
func TestLimitsByClientAddress(t *testing.T) {
	type dial func(client string) *wire
	for _, tt := range []struct {
		name   string
		limits mxtest.Limits
		relay  mxtest.RelayConfig
		do     func(d dial) []string
		want   string
	}{
		{"sessions of a client", mxtest.Limits{ClientConnections: 1}, mxtest.RelayConfig{}, func(d dial) []string {
			return []string{d(ann).greeting(), d(ann).greeting(), d(bob).greeting()}
		}, "220 421 220"},
		{"in main.cf", mxtest.Limits{ClientConnections: 5}, mxtest.RelayConfig{SMTPDClientConnectionCountLimit: 1}, func(d dial) []string {
			return []string{d(ann).greeting(), d(ann).greeting(), d(bob).greeting()}
		}, "220 421 220"},
		{"a session that has ended", mxtest.Limits{ClientConnections: 1}, mxtest.RelayConfig{}, func(d dial) []string {
			w := d(ann)
			got := []string{w.greeting(), d(ann).greeting()}
			w.say("QUIT\n", 1)
			w.conn.Close()
			synctest.Wait()
			return append(got, d(ann).greeting())
		}, "220 421 220"},
		{"connection rate", mxtest.Limits{ConnectionRate: 1}, mxtest.RelayConfig{}, func(d dial) []string {
			got := []string{d(ann).greeting(), d(ann).greeting(), d(bob).greeting()}
			time.Sleep(999 * time.Millisecond)
			got = append(got, d(ann).greeting())
			time.Sleep(time.Millisecond)
			return append(got, d(ann).greeting())
		}, "220 421 220 421 220"},
		{"mail rate", mxtest.Limits{MessageRate: 1}, mxtest.RelayConfig{}, func(d dial) []string {
			var got []string
			for _, client := range []string{ann, ann, bob} {
				got = append(got, d(client).say("EHLO a\nMAIL FROM:<>\n", 3)[2][:3])
			}
			time.Sleep(time.Second)
			return append(got, d(ann).say("EHLO a\nMAIL FROM:<>\n", 3)[2][:3])
		}, "250 450 250 250"},
		{"sessions of all", mxtest.Limits{Connections: 2}, mxtest.RelayConfig{}, func(d dial) []string {
			return []string{d(ann).greeting(), d(bob).greeting(), d("10.9.0.3").greeting()}
		}, "220 220 421"},
		{"those who wait count for all", mxtest.Limits{Connections: 2}, mxtest.RelayConfig{SMTPDProcessLimit: 1}, func(d dial) []string {
			return []string{d(ann).greeting(), d(bob).greeting(), d("10.9.0.3").greeting()}
		}, "220 silence 421"},
		{"those who wait do not count for a client", mxtest.Limits{ClientConnections: 1}, mxtest.RelayConfig{SMTPDProcessLimit: 2}, func(d dial) []string {
			a, b := d(bob), d(ann)
			got := []string{a.greeting(), b.greeting()}
			w := d(ann)
			got = append(got, w.greeting())
			b.conn.Close()
			return append(got, w.greeting())
		}, "220 220 silence 220"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := mxtest.NewCluster(t, mxtest.Config{Memory: true, Graveyards: mxtest.NoGraveyards, Limits: tt.limits,
					Relay: func(string) mxtest.RelayConfig { return tt.relay }})
				got := tt.do(func(client string) *wire { return dialWireFrom(t, c, client) })
				if strings.Join(got, " ") != tt.want {
					t.Errorf("got %v, want %s", got, tt.want)
				}
			})
		})
	}
}

// The reply names the client, as Postfix's does.
func TestLimitNamesClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mxtest.NewCluster(t, mxtest.Config{Memory: true, Limits: mxtest.Limits{ClientConnections: 1}})
		dialWireFrom(t, c, ann).greeting()
		if got, want := dialWireFrom(t, c, ann).say("", 1)[0], "421 4.7.0 p1.mail.test Error: too many connections from "+ann; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// Over the process limit clients are connected and hear nothing. They are greeted in the order in which they came, but for
// those who have been cut off meanwhile; one who has hung up has his turn, and it costs nobody anything.
func TestWaitingInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mxtest.NewCluster(t, mxtest.Config{Memory: true, Relay: func(string) mxtest.RelayConfig {
			return mxtest.RelayConfig{SMTPDProcessLimit: 2, SMTPDTimeout: 24 * time.Hour}
		}})
		r := c.Primary(0)
		var mu sync.Mutex
		var order []int
		var clients []*wire
		for i := range 9 {
			w := dialWireFrom(t, c, fmt.Sprintf("10.9.0.%d", 1+i))
			clients = append(clients, w)
			synctest.Wait()
			if i == 4 {
				w.conn.Close() // hangs up while it waits
			}
			go func() {
				if line, err := w.r.ReadString('\n'); err == nil && strings.HasPrefix(line, "220 ") {
					mu.Lock()
					order = append(order, i)
					mu.Unlock()
				}
			}()
		}
		synctest.Wait()
		if s, w := r.Sessions(), r.Waiting(); s != 9 || w != 7 {
			t.Errorf("got %d sessions of which %d wait, want 9 and 7", s, w)
		}
		for _, next := range []int{1, 0, 2, 3, 5, 6, 7, 8} { // whoever ends, the longest wait is over
			time.Sleep(time.Hour) // waiting has no end of its own
			clients[next].conn.Close()
			synctest.Wait()
		}
		if want := []int{0, 1, 2, 3, 5, 6, 7, 8}; !slices.Equal(order, want) {
			t.Errorf("greeted %v, want %v", order, want)
		}
		if s, w := r.Sessions(), r.Waiting(); s != 0 || w != 0 {
			t.Errorf("got %d sessions of which %d wait, want none", s, w)
		}
	})
}

// A relay that stops frees those who wait, and serves anew when it starts.
func TestStopWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mxtest.NewCluster(t, mxtest.Config{Memory: true, Relay: func(string) mxtest.RelayConfig {
			return mxtest.RelayConfig{SMTPDProcessLimit: 1}
		}})
		r := c.Primary(0)
		first, second := dialWireFrom(t, c, ann), dialWireFrom(t, c, bob)
		if got := first.greeting() + " " + second.greeting(); got != "220 silence" {
			t.Fatalf("got %s", got)
		}
		r.Stop()
		if got := second.greeting(); !strings.Contains(got, "reset") {
			t.Errorf("got %s, want a reset", got)
		}
		synctest.Wait()
		if s, w := r.Sessions(), r.Waiting(); s != 0 || w != 0 {
			t.Errorf("stopped: %d sessions of which %d wait", s, w)
		}
		r.Start()
		if got := dialWireFrom(t, c, bob).greeting(); got != "220" {
			t.Errorf("started: got %s", got)
		}
	})
}

// Both kinds of limit under many clients of the library: with 421, and with a queue before the greeting, every mail arrives
// once, is counted to its own client, and no relay ever serves more than it may.
func TestFleet(t *testing.T) {
	const clients, mails = 30, 4
	for name, cfg := range map[string]mxtest.Config{
		"421":     {Limits: mxtest.Limits{Connections: 5, Accept: 100 * time.Millisecond}},
		"waiting": {Limits: mxtest.Limits{Accept: 100 * time.Millisecond}, Relay: func(string) mxtest.RelayConfig { return mxtest.RelayConfig{SMTPDProcessLimit: 5} }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg.Memory, cfg.Latency, cfg.Transcripts = true, time.Millisecond, true
				c := mxtest.NewCluster(t, cfg)
				waited := false
				stop := make(chan struct{})
				var watch sync.WaitGroup
				watch.Go(func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(10 * time.Millisecond):
						}
						synctest.Wait()
						for _, r := range c.Relays() {
							n, waiting := r.Sessions(), r.Waiting()
							if waited = waited || waiting > 0; n-waiting > 5 {
								t.Errorf("%s serves %d sessions, want 5 at most", r.Name(), n-waiting)
							}
						}
					}
				})
				var hosts []mxsend.Host
				for _, r := range []*mxtest.Relay{c.Primary(0), c.Primary(1)} {
					address := netip.MustParseAddrPort(r.Addr())
					hosts = append(hosts, mxsend.Host{Name: r.Name(), Addresses: []netip.Addr{address.Addr()}, Port: int(address.Port())})
				}
				var wg sync.WaitGroup
				for i := range clients {
					dial := c.DialFrom(fmt.Sprintf("10.9.1.%d", 1+i))
					client, err := mxsend.New(mxsend.Config{Domain: c.Domain(), Resolver: mxsend.StaticRelays(hosts...), Dial: dial, TLSConfig: c.TLSConfig()})
					if err != nil {
						t.Fatal(err)
					}
					var list []*mxsend.Message
					for n := range mails {
						to := fmt.Sprintf("u%d@example.test", n)
						list = append(list, &mxsend.Message{ReturnPath: "b@app.test", Recipients: []string{to}, Content: []byte(mail(fmt.Sprintf("%d-%d", i, n), to))})
					}
					wg.Go(func() {
						defer client.Close()
						for result := range client.SendAll(context.Background(), slices.Values(list)) {
							for _, r := range result.Receipt.Recipients {
								if r.Outcome != mxsend.Accepted {
									t.Errorf("client %d: %v %v", i, r.Outcome, r.Err)
								}
							}
						}
					})
				}
				wg.Wait()
				close(stop)
				watch.Wait()
				refused := strings.Contains(strings.Join(c.Primary(0).Transcripts(), ""), "S: 421 4.7.0 p1.mail.test Error: too many connections")
				if refused != (name == "421") || waited != (name == "waiting") {
					t.Errorf("refused %v, waited %v: the limit was not felt as %s", refused, waited, name)
				}
				from := map[string]int{}
				for _, m := range c.Ledger().Mails() {
					from[m.ClientAddr]++
				}
				if len(from) != clients {
					t.Errorf("mails from %d addresses, want %d", len(from), clients)
				}
				for address, n := range from {
					if n != mails {
						t.Errorf("%s: %d mails, want %d", address, n, mails)
					}
				}
				c.Ledger().AssertNoDuplicates(t, 0)
				c.Ledger().AssertNothingLost(t)
			})
		})
	}
}

func TestDialFromOverTCP(t *testing.T) {
	c := mxtest.NewCluster(t, mxtest.Config{Limits: mxtest.Limits{ClientConnections: 1}})
	addresses := []string{"127.0.0.1"}
	if runtime.GOOS == "linux" {
		addresses = append(addresses, "127.9.0.7")
	}
	for _, client := range addresses {
		conn, err := c.DialFrom(client)(t.Context(), "tcp", c.Primary(0).Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		s, err := smtp.NewClient(conn, "p1.mail.test")
		if err != nil {
			t.Fatalf("%s: %v", client, err)
		}
		if err := send(s, "b@app.test", mail("from"+client, "u@example.test"), "u@example.test"); err != nil {
			t.Fatal(err)
		}
		if got := c.Ledger().Find("from" + client + "@app.test"); len(got) != 1 || got[0].ClientAddr != client {
			t.Errorf("%s: got %+v", client, got)
		}
		if _, err := c.DialFrom(client)(t.Context(), "udp", c.DNSAddr()); err != nil {
			t.Errorf("UDP from %s: %v", client, err)
		}
	}
}

func TestDialFromMisuse(t *testing.T) {
	for _, tt := range []struct {
		memory          bool
		client, problem string
	}{
		{false, "10.9.0.1", "over TCP a client has an address of 127.0.0.0/8"},
		{false, "", "over TCP a client has"},
		{false, "::1", "over TCP a client has"},
		{true, "10.0.0.11", "the address of a relay"},
		{true, "10.0.0.53", "the address of a relay or of the DNS server"},
		{true, "::1", "a client has an IPv4 address of a host"},
		{true, "0.0.0.0", "a client has an IPv4 address of a host"},
		{true, "nonsense", "a client has an IPv4 address of a host"},
	} {
		r := &recorder{TB: t}
		c := mxtest.NewCluster(r, mxtest.Config{Memory: tt.memory})
		if got := r.attempt(func() { c.DialFrom(tt.client) }); !strings.Contains(got, tt.problem) || !strings.Contains(got, "admission_test.go:") {
			t.Errorf("%q, memory %v: got %q, want %s", tt.client, tt.memory, got, tt.problem)
		}
	}
}

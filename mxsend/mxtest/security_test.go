package mxtest_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// The requirements on an embedded test MTA: on loopback only, bounded, and no open relay to the world.
func TestFaults(t *testing.T) {
	t.Run("G11", func(t *testing.T) {
		t.Run("loopback only", testLoopbackOnly)
		t.Run("size and connections", testBounded)
		t.Run("delivers nowhere", testDeliversNowhere)
	})
}

func testLoopbackOnly(t *testing.T) {
	c := mxtest.NewCluster(t, mxtest.Config{})
	ports := []string{c.DNSAddr()}
	for _, r := range c.Relays() {
		ports = append(ports, r.ListenAddr())
	}
	var others []string
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && !ip.IP.IsLinkLocalUnicast() {
			others = append(others, ip.IP.String())
		}
	}
	for _, address := range ports {
		host, port, _ := net.SplitHostPort(address)
		if !net.ParseIP(host).IsLoopback() {
			t.Errorf("listens on %s", address)
		}
		for _, other := range others {
			if conn, err := net.Dial("tcp", net.JoinHostPort(other, port)); err == nil {
				conn.Close()
				t.Errorf("port %s answers on %s", port, other)
			}
		}
	}
	if _, err := c.Listen("tcp", "0.0.0.0:0"); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("Listen on every address: got %v", err)
	}
	if _, err := c.Dial(t.Context(), "tcp", "192.0.2.1:25"); err == nil {
		t.Error("Dial left the cluster")
	}
}

func testBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
		r := c.Primary(0)
		w := dialWire(t, c, r)
		if got := w.say("EHLO a\nMAIL FROM:<> SIZE=99999999999\n", 3); !strings.HasPrefix(got[2], "552 5.3.4") {
			t.Errorf("a mail without end: got %q", got)
		}
		if got := w.say("MAIL FROM:<>\nRCPT TO:<u@x.test>\nDATA\n", 3); !strings.HasPrefix(got[2], "354") {
			t.Fatalf("got %q", got)
		}
		chunk := strings.Repeat(strings.Repeat("x", 98)+"\n", 10000)
		for range 12 {
			w.say(chunk, 0)
		}
		if got := w.say(".\n", 1); !strings.HasPrefix(got[0], "552 5.3.4") {
			t.Errorf("after 12 MB: got %q", got)
		}
		var served atomic.Int32
		for range 150 {
			go func() {
				conn, err := c.Dial(context.Background(), "tcp", r.Addr())
				if err != nil {
					return
				}
				defer conn.Close()
				var b [3]byte
				if n, _ := conn.Read(b[:]); n == 3 {
					served.Add(1)
				}
				<-t.Context().Done()
			}()
			synctest.Wait()
		}
		if n := served.Load(); n != 99 {
			t.Errorf("%d sessions were greeted beside the first, want smtpd_process_limit = 100 in all", n)
		}
	})
}

// A relay takes mail for any domain, but hands it to nobody outside: only to Config.Bounces, on loopback.
func testDeliversNowhere(t *testing.T) {
	c := mxtest.NewCluster(t, mxtest.Config{Bounces: "smtp:192.0.2.1:25"})
	c.Destination("no.test").Do(mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 no"))
	s := client(t, c, c.Primary(0))
	for _, to := range []string{"u@example.com", "u@no.test"} {
		if err := send(s, "b@app.test", mail("x", to), to); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.WaitFor(t.Context(), func(n mxtest.Counts) bool { return n.NotificationsWaiting == 1 && n.Delivered == 1 && n.Bounced == 1 }); err != nil {
		t.Fatal(err)
	}
	idle(t, c)
	if n := c.Ledger().Counts(); n.NotificationsDelivered != 0 {
		t.Errorf("a notification left loopback: %+v", n)
	}
}

package interop

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/mxsend/go-mxsend/mxsend"
)

const recipient = "you@destination.test"

// newClient makes a client of the relays at the addresses, called p1.relay.test
// and so on. Retries end after little more than half a second.
func newClient(t *testing.T, cfg mxsend.Config, addresses ...string) *mxsend.Client {
	t.Helper()
	var hosts []mxsend.Host
	for i, a := range addresses {
		host, port, err := net.SplitHostPort(a)
		if err != nil {
			t.Fatal(err)
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, mxsend.Host{
			Name: fmt.Sprintf("p%d.relay.test", i+1), Addresses: []netip.Addr{netip.MustParseAddr(host)}, Port: number,
		})
	}
	cfg.Domain, cfg.Resolver = "relay.test", mxsend.StaticRelays(hosts...)
	if cfg.LocalName == "" {
		cfg.LocalName = "client.test"
	}
	if cfg.Retry == nil {
		cfg.Retry = func() backoff.BackOff {
			return backoff.WithMaxRetries(backoff.NewConstantBackOff(200*time.Millisecond), 3)
		}
	}
	c, err := mxsend.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func returnPath(i int) string { return fmt.Sprintf("b+%05d@bounces.test", i) }

// content is awkward on purpose: dots at the beginnings of lines, one alone, an
// empty line at the end, 8-bit octets, a line of the greatest length. Sizes vary
// with i, so that contents go out in one piece and in many.
func content(i int) []byte {
	b := fmt.Appendf(nil, "From: a@bounces.test\r\nSubject: number %d\r\n\r\n.\r\n..\r\n.dot\r\ngr\xc3\xbc\xc3\x9fe\r\n", i)
	b = append(append(b, bytes.Repeat([]byte{'x'}, 998)...), "\r\n"...)
	for range i % 7 * i % 100 {
		b = append(b, "The quick brown fox jumps over the lazy dog.\r\n"...)
	}
	return append(b, "\r\n"...)
}

func mailing(n int) iter.Seq[*mxsend.Message] {
	return func(yield func(*mxsend.Message) bool) {
		for i := range n {
			if !yield(&mxsend.Message{
				ReturnPath: returnPath(i), Recipients: []string{recipient}, Content: content(i), Ref: strconv.Itoa(i),
			}) {
				return
			}
		}
	}
}

// A tally is how many recipients got which outcome.
type tally map[mxsend.Outcome]int

// sendAll submits messages and sees to it that each gets one result.
func sendAll(t *testing.T, c *mxsend.Client, messages iter.Seq[*mxsend.Message]) (tally, []mxsend.Result) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	pulled, got, results := map[*mxsend.Message]bool{}, tally{}, []mxsend.Result(nil)
	counted := func(yield func(*mxsend.Message) bool) {
		for m := range messages {
			pulled[m] = true
			if !yield(m) {
				return
			}
		}
	}
	seen := map[*mxsend.Message]bool{}
	for r := range c.SendAll(ctx, counted) {
		if seen[r.Message] {
			t.Errorf("message %s has two results", r.Receipt.Ref)
		}
		seen[r.Message] = true
		results = append(results, r)
		for _, to := range r.Receipt.Recipients {
			got[to.Outcome]++
			if (to.Outcome == mxsend.Accepted) != (to.Err == nil) {
				t.Errorf("message %s: outcome %v with the error %v", r.Receipt.Ref, to.Outcome, to.Err)
			}
		}
	}
	if len(seen) != len(pulled) {
		t.Errorf("%d messages were pulled, %d have a result", len(pulled), len(seen))
	}
	if ctx.Err() != nil {
		t.Error("not done within a minute")
	}
	return got, results
}

// wantTally compares, and shows an error of a recipient where they differ.
func wantTally(t *testing.T, got, want tally, results []mxsend.Result) {
	t.Helper()
	for o := mxsend.NotAttempted; o <= mxsend.InDoubt; o++ {
		if got[o] != want[o] {
			t.Errorf("%v: got %d, want %d", o, got[o], want[o])
		}
	}
	if !t.Failed() {
		return
	}
	for _, r := range results {
		if r.Err != nil {
			t.Logf("the first error: %v", r.Err)
			return
		}
	}
}

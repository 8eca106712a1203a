package mxsend

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A fuzzScript decides what relays answer; when its octets are used up, they
// behave.
type fuzzScript struct {
	mu   sync.Mutex
	left []byte
}

func (f *fuzzScript) take(n int) []byte {
	n = min(n, len(f.left))
	b := f.left[:n]
	f.left = f.left[n:]
	return b
}

func (f *fuzzScript) next() int {
	if b := f.take(1); len(b) > 0 {
		return int(b[0])
	}
	return 0
}

func (f *fuzzScript) answer(int, string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	codes := [...]int{250, 251, 354, 421, 450, 451, 452, 500, 503, 535, 550, 552, 554, 220, 221, 599}
	code := func() int { return codes[f.next()%len(codes)] }
	switch f.next() % 16 {
	case 6:
		return fmt.Sprintf("%d text", code())
	case 7:
		c := code()
		return fmt.Sprintf("%d %d.%d.%d text", c, c/100, f.next()%9, f.next()%9)
	case 8:
		return rawReply + string(f.take(f.next()%64))
	case 9:
		return hangUp
	case 10:
		return abort
	case 11:
		return silent
	case 12:
		return fmt.Sprintf("%d te", code()) + cutHere
	case 13:
		return fmt.Sprintf("%d a\r\n%d b", code(), code())
	case 14:
		wait := time.Duration(f.next()) * 100 * time.Millisecond
		f.mu.Unlock()
		time.Sleep(wait)
		f.mu.Lock()
	case 15:
		return fmt.Sprintf("%d-a\r\n%d b", code(), code())
	}
	return usual
}

// A tap keeps what went over a connection, in order: writes as they begin, reads
// as they end.
type tap struct {
	net.Conn
	mu  sync.Mutex
	log []tapped
}

type tapped struct {
	read   bool
	octets string
}

func (c *tap) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.log = append(c.log, tapped{false, string(p)})
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *tap) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	c.log = append(c.log, tapped{true, string(p[:n])})
	c.mu.Unlock()
	return n, err
}

var positive = regexp.MustCompile(`(?m)^2[0-9][0-9]( .*)?\r?\n`)

// confirmed says whether, after the final dot of the message with that return
// path, a complete positive reply was read.
func (c *tap) confirmed(returnPath string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sent, heard strings.Builder
	from, done := -1, false
	for _, e := range c.log {
		switch {
		case e.read && done:
			heard.WriteString(e.octets)
		case !e.read:
			sent.WriteString(e.octets)
			if from < 0 {
				from = strings.Index(sent.String(), "MAIL FROM:<"+returnPath+">")
			}
			done = done || from >= 0 && strings.Contains(sent.String()[from:], "\r\n.\r\n")
		}
	}
	return positive.MatchString(heard.String())
}

// FuzzClient drives relays by the fuzzer's octets: every recipient gets one
// outcome, none is Accepted without a complete 2yz after the final dot, nothing
// panics, hangs or leaks.
func FuzzClient(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{1, 0, 0, 6, 5, 7, 10, 1, 1})
	f.Add([]byte{2, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 10})
	f.Add([]byte{3, 0, 0, 0, 0, 8, 20, '2', '5', '0', ' ', 'x', '\r', '\n', '3', '5', '4', '\r', '\n', '2', '5', '0', '\r', '\n'})
	f.Add([]byte{0, 0, 0, 0, 0, 13, 2, 0, 14, 200, 11, 12, 0, 15, 0, 2})
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x0d\x00\x00\x0d\x00\x02\x06\x02\x06\x00\x06\x03\x0b\x0b\x0b\x0b"))
	f.Fuzz(driveClient)
}

// The same over random scripts, of which the fuzzer finds few by itself.
func TestClientAgainstRandom(t *testing.T) {
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(seed, 4))
		in := make([]byte, random.IntN(400))
		for i := range in {
			if in[i] = byte(random.IntN(256)); random.IntN(3) > 0 {
				in[i] = byte(random.IntN(6)) // most replies are the usual ones
			}
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) { driveClient(t, in) })
	}
}

func driveClient(t *testing.T, in []byte) {
	if len(in) > 400 {
		in = in[:400]
	}
	script := &fuzzScript{left: in}
	options := script.next()
	var mu sync.Mutex
	var taps []*tap
	synctest.Test(t, func(t *testing.T) {
		bubble(t, 1+options>>2&1, func(cfg *Config, rs []*testRelay) {
			dial := cfg.Dial
			cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				nc, err := dial(ctx, network, address)
				if err != nil {
					return nil, err
				}
				c := &tap{Conn: nc}
				mu.Lock()
				taps = append(taps, c)
				mu.Unlock()
				return c, nil
			}
			cfg.InDoubt = InDoubtPolicy(options & 1)
			cfg.Limits.Connections = 3
			for _, r := range rs {
				r.answer = script.answer
				if options&2 != 0 {
					r.ehlo = []string{"8BITMIME"}
				}
			}
		}, func(s *testSetup) {
			s.sloppy = true // what these relays say is not what they keep
			ctx, cancel := context.WithTimeout(s.ctx(), 5*time.Hour)
			defer cancel()
			var all sync.WaitGroup
			for i := range 3 {
				all.Go(func() { _, _ = s.sendWithin(ctx, testMessageTo(i, 1+i)) })
			}
			all.Go(func() { s.sendAll(ctx, messages(4)) })
			all.Wait()
			if n := len(s.ledger); n != 7 {
				t.Errorf("%d results", n)
			}
			if ctx.Err() != nil {
				t.Error("it took five hours")
			}
			mu.Lock()
			defer mu.Unlock()
			for _, r := range s.ledger {
				if r.Receipt.Count(Accepted) == 0 {
					continue
				}
				found := false
				for _, c := range taps {
					found = found || c.confirmed(r.Message.ReturnPath)
				}
				if !found {
					t.Errorf("message %s: Accepted without a positive reply after the dot", r.Message.Ref)
				}
			}
		})
	})
}

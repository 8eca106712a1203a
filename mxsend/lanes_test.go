package mxsend

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// laneMail is transactional mail of every kind that is placed in a way of its own.
var laneMail = []struct {
	name string
	mail func(i int) *Message
	// answer is the first relay's: to transactional mail only, so that it fails
	// over.
	answer func(conn int, line string) string
}{
	{name: "ASCII", mail: testMessage},
	{name: "8-bit", mail: eightBit},
	{name: "SMTPUTF8", mail: func(i int) *Message {
		m := eightBit(i)
		m.Recipients = []string{fmt.Sprintf("m\u00fcller%d@example.test", i)}
		return m
	}},
	{name: "large", mail: func(i int) *Message {
		m := testMessage(i)
		m.Content = testContentOf(60 << 10)
		return m
	}},
	{name: "failed over", mail: testMessage, answer: func(_ int, line string) string {
		if strings.HasPrefix(line, "MAIL FROM:<b+tx") {
			return "451 4.7.1 not here"
		}
		return usual
	}},
	{name: "8-bit, failed over", mail: eightBit, answer: func(_ int, line string) string {
		if strings.HasPrefix(line, "MAIL FROM:<b+tx") {
			return "451 4.7.1 not here"
		}
		return usual
	}},
}

// C25: whatever kind of mail it is, it waits for a place a few transactions' time
// at most, beside a mailing that takes all it can get, with or without reserved
// connections, and whatever the mailing is of.
func TestTransactionalNeverBehindBulk(t *testing.T) {
	for _, kind := range laneMail {
		for _, reserved := range []int{2, -1} {
			for _, bulk := range []string{"ASCII", "8-bit"} {
				t.Run(fmt.Sprintf("%s, %d reserved, %s mailing", kind.name, max(reserved, 0), bulk), func(t *testing.T) {
					inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
						cfg.Limits.Connections, cfg.Limits.Reserved = 3, reserved
						rs[0].delay, rs[1].delay = 20*time.Millisecond, 20*time.Millisecond
						rs[0].answer = kind.answer
						rs[0].ehlo = []string{"PIPELINING", "SIZE 10240000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"}
					}, func(s *testSetup) {
						ctx, cancel := context.WithCancel(s.ctx())
						mailing := make(chan struct{})
						go func() {
							defer close(mailing)
							s.sendAll(ctx, func(yield func(*Message) bool) {
								for i := 1000; ; i++ {
									m := testMessage(i)
									if bulk == "8-bit" {
										m = eightBit(i)
									}
									if !yield(m) {
										return
									}
								}
							})
						}()
						time.Sleep(3 * time.Second)
						before := s.Stats().Bulk.Outcomes[Accepted]
						for i := range 20 {
							m := kind.mail(i)
							m.ReturnPath = fmt.Sprintf("b+tx%d@app.test", i)
							start := time.Now()
							if _, err := s.send(m); err != nil {
								t.Error(err)
							}
							s.wantTook(start, 0, 100*time.Millisecond)
							time.Sleep(50 * time.Millisecond)
						}
						if got := s.Stats().Bulk.Outcomes[Accepted] - before; got < 50 {
							t.Errorf("the mailing was starved: %d in the meantime", got)
						}
						cancel()
						<-mailing
					})
				})
			}
		}
	}
}

// C29: relay A says nothing any more and is not out yet; B refuses so many messages
// that have then only A to go to. Everything else goes to B at once.
func TestRefusedDoNotBlock(t *testing.T) {
	for _, reply := range []string{"451 4.7.1 later", "550 5.7.1 Client host rejected"} {
		for _, lane := range []Lane{Transactional, Bulk} {
			t.Run(lane.String()+" "+reply, func(t *testing.T) {
				var stalled atomic.Bool
				inBubble(t, 2, func(cfg *Config, rs []*testRelay) {
					cfg.Limits.ReplyTransactional, cfg.Limits.Reply = time.Hour, time.Hour // not out by a time-out
					rs[0].before = func(_ int, line string) {
						if stalled.Load() && line == "." {
							time.Sleep(9 * time.Minute)
						}
					}
					rs[1].answer = func(_ int, line string) string {
						if strings.HasPrefix(line, "MAIL FROM:<b+no") {
							return reply
						}
						return usual
					}
				}, func(s *testSetup) {
					send := func(all *sync.WaitGroup, name string, i int) {
						all.Go(func() {
							m := testMessage(i)
							m.ReturnPath, m.Lane = fmt.Sprintf("b+%s%d@app.test", name, i), lane
							_, _ = s.send(m)
						})
					}
					var all, others sync.WaitGroup
					s.wantAccepted(9999)
					stalled.Store(true)
					for i := range 40 { // some of them fill A
						send(&all, "fill", i)
					}
					time.Sleep(10 * time.Second) // A is silent
					for i := range 18 {          // twenty refusals in a row would put B out
						send(&all, "no", 100+i)
					}
					time.Sleep(100 * time.Millisecond)
					start := time.Now()
					for i := range 40 {
						send(&others, "yes", 200+i)
					}
					others.Wait()
					s.wantTook(start, 0, time.Second)
					stalled.Store(false)
					all.Wait()
				})
			})
		}
	}
}

func TestRate(t *testing.T) {
	inBubble(t, 2, func(cfg *Config, _ []*testRelay) { cfg.Bulk.Rate = 100 }, func(s *testSetup) {
		start := time.Now()
		if got := s.sendAll(s.ctx(), messages(1000)); got[Accepted] != 1000 {
			t.Errorf("outcomes %v", got)
		}
		s.wantTook(start, 9*time.Second, 11*time.Second)
	})
}

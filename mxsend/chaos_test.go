package mxsend

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// TestChaos lets three relays misbehave at random, in every stage and way, under
// a mailing, transactional mail and cancellations, and leaves the judgement to
// the ledger: one outcome each, no false success, no copy too many.
func TestChaos(t *testing.T) {
	seeds := 60
	if testing.Short() {
		seeds = 5
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { chaos(t, uint64(seed)) })
	}
}

func chaos(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex
	roll := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(n)
	}
	trouble := 10 + random.IntN(200) // one reply in so many goes wrong
	wrong := []string{hangUp, abort, "421 4.3.2 closing", "451 4.3.0 later", "452 4.3.1 full", "554 5.7.1 no", "550 5.1.1 who", "25" + cutHere, "503 5.5.0 order", silent}
	resend := seed%3 == 0
	inBubble(t, 3, func(cfg *Config, relays []*testRelay) {
		cfg.Limits.Connections = 3
		cfg.Limits.FinalDot = 2 * time.Minute
		if resend {
			cfg.InDoubt = InDoubtResend
		}
		for i, r := range relays {
			if i == 2 && seed%2 == 0 {
				r.ehlo = []string{"8BITMIME"} // no PIPELINING
			}
			r.delay = time.Duration(i*7) * time.Millisecond
			r.answer = func(_ int, line string) string {
				if roll(trouble) > 0 {
					return usual
				}
				return wrong[roll(len(wrong))]
			}
		}
	}, func(s *testSetup) {
		ctx, cancel := context.WithTimeout(s.ctx(), time.Hour)
		defer cancel()
		if seed%5 == 1 {
			ctx, cancel = context.WithTimeout(s.ctx(), time.Duration(roll(300))*time.Millisecond)
			defer cancel()
		}
		var sends sync.WaitGroup
		for i := range 40 {
			sends.Go(func() {
				time.Sleep(time.Duration(roll(400)) * time.Millisecond)
				ctx := ctx
				if roll(4) == 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, time.Duration(roll(60))*time.Millisecond)
					defer cancel()
				}
				m := testMessage(100_000 + i)
				if roll(3) == 0 {
					m.Recipients = append(m.Recipients, "second@example.test", "third@example.test")
				}
				_, _ = s.sendWithin(ctx, m)
			})
		}
		s.sendAll(ctx, messages(300))
		sends.Wait()
		if roll(2) == 0 {
			_ = s.Shutdown(ctx)
		}
	})
}

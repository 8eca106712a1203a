package mxsend

import (
	"context"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/internal/memnet"
)

// A relay that was off for a while takes its share again soon after it is back.
func TestRelayComesBack(t *testing.T) {
	inBubble(t, 2, func(_ *Config, rs []*testRelay) {
		rs[0].delay, rs[1].delay = 20*time.Millisecond, 20*time.Millisecond
	}, func(s *testSetup) {
		ctx, cancel := context.WithCancel(s.ctx())
		mailing := make(chan struct{})
		go func() {
			defer close(mailing)
			s.sendAll(ctx, messages(1_000_000))
		}()
		time.Sleep(3 * time.Second)
		s.net.SetHost(s.relays[0].ip, memnet.Refuse)
		s.net.ResetHost(s.relays[0].ip)
		time.Sleep(3 * time.Second)
		s.net.SetHost(s.relays[0].ip, memnet.Up)
		time.Sleep(10 * time.Second)
		before := [2]int{len(s.relays[0].lines("MAIL")), len(s.relays[1].lines("MAIL"))}
		time.Sleep(2 * time.Second)
		first, second := len(s.relays[0].lines("MAIL"))-before[0], len(s.relays[1].lines("MAIL"))-before[1]
		if first < second*9/10 {
			t.Errorf("the relay that came back took %d mails, the other %d: %+v", first, second, s.Stats().Relays)
		}
		cancel()
		<-mailing
	})
}

package main

import (
	"testing"
	"time"
)

// A mailing that is let loose fills the relays' active queues, and transactional
// mail waits behind it, also where Bulk has a transport of its own. With pacing, or
// relays of its own, it does not.
func TestDelivery(t *testing.T) {
	alone := idle(10 * time.Minute)
	if n := len(alone.mails); n < 5500 || n > 6500 {
		t.Fatalf("%d transactional mails in ten minutes, want some 6000", n)
	}
	if p99 := alone.quantile(0.99); p99 < 200*time.Millisecond || p99 > 250*time.Millisecond {
		t.Errorf("p99 on idle relays: %v, a destination takes 200 ms", p99)
	}
	for _, w := range ways(200) {
		p := w.mailing(100_000)
		ratio := float64(p.quantile(0.99)) / float64(alone.quantile(0.99))
		if spared := w.pace > 0 || w.relays; spared != (ratio <= 2) {
			t.Errorf("%s: p99 is %.1f times that on idle relays", w.name, ratio)
		}
		if w.pace > 0 && (p.took < 500*time.Second || p.took > 600*time.Second) {
			t.Errorf("%s: %v for 100000 mails at 200/s", w.name, p.took)
		}
		if n := float64(len(p.mails)); n < 0.8*transactionalRate*p.took.Seconds() || n > 1.2*transactionalRate*p.took.Seconds() {
			t.Errorf("%s: %v transactional mails in %v", w.name, n, p.took)
		}
	}
}

func TestQuantile(t *testing.T) {
	p := &pass{}
	if got := p.quantile(0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	for i := range 100 {
		p.mails = append(p.mails, delivery{0, time.Duration((i * 37) % 100)})
	}
	for _, tt := range []struct {
		q    float64
		want time.Duration
	}{{0, 0}, {0.5, 50}, {0.99, 99}, {1, 99}} {
		if got := p.quantile(tt.q); got != tt.want {
			t.Errorf("%v: got %v, want %v", tt.q, got, tt.want)
		}
	}
}

//go:build unix

package postfix

import (
	"errors"
	"net/smtp"
	"testing"
	"time"
)

func TestInstanceTakesMail(t *testing.T) {
	p, err := Start(Config{})
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}()
	message := []byte("From: a@bench.test\r\n\r\nhello\r\n")
	if err := smtp.SendMail(p.Address, nil, "a@bench.test", []string{"b@bench.test", "c@bench.test"}, message); err != nil {
		t.Fatal(err)
	}
	if got, err := p.AwaitDelivered(2, 10*time.Second); got != 2 || err != nil {
		log, _ := p.Log()
		t.Errorf("got %d deliveries, %v, want 2; log:\n%s", got, err, log)
	}
}

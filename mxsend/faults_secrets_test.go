package mxsend

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

var faultsSecrets = []fault{
	{name: "G1", relays: 1, change: both(secured, plainAuth), run: wantNoSecrets},
}

type lockedBuffer struct {
	*bytes.Buffer
	mu *sync.Mutex
}

func (b lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// wantNoSecrets: no password, address or content in anything that may be logged.
func wantNoSecrets(s *testSetup) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(lockedBuffer{&log, new(sync.Mutex)}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.Client.cfg.Logger = logger
	r := s.relays[0]
	var texts []string
	note := func(rc Receipt, err error) {
		for _, a := range rc.Attempts {
			texts = append(texts, fmt.Sprintf("%v|%+v|%#v", a, a, a))
		}
		texts = append(texts, fmt.Sprintf("%v|%+v|%#v|%q", err, err, err, err))
		for _, to := range rc.Recipients {
			texts = append(texts, fmt.Sprintf("%v|%+v|%#v", to.Err, to.Err, to.Err))
			logger.Error("failed", "error", to.Err)
		}
	}
	i := 0
	for _, line := range []string{"", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "."} {
		for _, reply := range []string{
			"550 5.1.1 <v1ct1m@example.test>: unknown; \"john doe\"@example.test AG1haWxlcgBodW50ZXIyLXNlY3JldA==",
			"451 4.3.0 v1ct1m@example.test",
			"v1ct1m@example.test is no reply",
			"421 4.3.2 v1ct1m@example.test",
			"354 v1ct1m@example.test", "250-v1ct1m@example.test" + cutHere,
		} {
			i++
			c, err := New(Config{Domain: "relays.test", TLSConfig: s.Client.cfg.TLSConfig, Auth: s.Client.cfg.Auth, LocalName: "app.test",
				Resolver: s.Client.cfg.Resolver, Dial: s.net.Dial, Logger: logger, Retry: noRetryNow})
			if err != nil {
				s.t.Fatal(err)
			}
			r.answer = onceOf(line, reply)
			m := testMessage(i)
			m.Recipients[0] = "v1ct1m@example.test"
			rc, err := c.Send(s.ctx(), m)
			note(rc, err)
			texts = append(texts, fmt.Sprintf("%v|%+v|%#v", c.Stats(), c.Stats(), c.Stats()), fmt.Sprintf("%v|%+v|%#v", c, c, c),
				fmt.Sprintf("%v|%+v|%#v", s.Client.cfg, s.Client.cfg, s.Client.cfg))
			_ = c.Close()
		}
	}
	texts = append(texts, log.String())
	s.sloppy = true
	secret := "hunter2-secret"
	for _, text := range texts {
		for _, word := range []string{"v1ct1m", "john doe", secret, fmt.Sprint([]byte(secret)), fmt.Sprintf("%x", secret), "Hello"} {
			if at := strings.Index(text, word); at >= 0 {
				s.t.Errorf("%q shows in %q", word, text[max(0, at-80):min(len(text), at+80)])
			}
		}
	}
	if len(texts) < 100 || !strings.Contains(log.String(), "relay") {
		s.t.Errorf("%d texts, log of %d octets", len(texts), log.Len())
	}
}

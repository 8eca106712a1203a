//go:build unix

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
)

var effects = flag.Int("effects", 0, "measure what a mailing to this many silent domains costs transactional mail, for the table in RUNBOOK.md (2000; about ten minutes)")

// A mailing has twenty silent domains for each delivery process of its transport, and each holds one for three seconds: so the first
// pass over them takes a minute, however many they are.
const (
	hold       = 3 * time.Second
	perProcess = 20
	samples    = 50 // transactional mails in each phase
	pause      = 400 * time.Millisecond
)

// TestEffects measures the delay of transactional mail through one primary.
//
//	go test ./examples/postfix -run TestEffects -effects 2000 -timeout 30m -v
func TestEffects(t *testing.T) {
	if *effects == 0 {
		t.Skip("it takes long: ask for it by -effects")
	}
	s := up(t)
	own := "smtpd_sender_restrictions = check_sender_access inline:{ {tx.shop.test = FILTER trans:} }"
	fallback := "smtp_fallback_relay = graveyard.shop.test"
	t.Logf("%-34s %-26s %-26s %s", "", "first pass, median/slowest", "afterwards, median/slowest", "in the primary's queues")
	for i, tt := range []struct {
		name   string
		active int // qmgr_message_active_limit
		main   []string
	}{
		{"neither", 2 * *effects, []string{"smtp_fallback_relay =", "smtpd_sender_restrictions ="}},
		{"fallback", 2 * *effects, []string{fallback, "smtpd_sender_restrictions ="}},
		{"own transport", 2 * *effects, []string{"smtp_fallback_relay =", own}},
		{"both", 2 * *effects, []string{fallback, own}},
		{"both, active queue for a tenth", *effects / 10, []string{fallback, own}},
	} {
		first, after, queued := s.effect(t, i, tt.active, tt.main)
		t.Logf("%-34s %-26s %-26s %d", tt.name, first, after, queued)
	}
}

// effect runs one case.
func (s *system) effect(t *testing.T, number, active int, main []string) (first, after string, queued int) {
	t.Helper()
	for _, name := range []string{"p1", "g1", "g2"} {
		s.command("postsuper", "-c", filepath.Join(s.dir, name, "etc"), "-d", "ALL") // of the case before
		s.command("postfix", "-c", filepath.Join(s.dir, name, "etc"), "stop")
	}
	etc := filepath.Join(s.dir, "p1", "etc")
	s.command("postconf", append([]string{"-c", etc, "-e", fmt.Sprintf("smtp_helo_timeout = %d", hold/time.Second), "minimal_backoff_time = 10s",
		"maximal_backoff_time = 10s", "maximal_queue_lifetime = 1d", fmt.Sprintf("qmgr_message_active_limit = %d", active),
		fmt.Sprintf("qmgr_message_recipient_limit = %d", active)}, main...)...)
	s.command("postconf", "-c", etc, "-F", fmt.Sprintf("smtp/unix/process_limit=%d", *effects/perProcess))
	for _, name := range []string{"p1", "g1", "g2"} {
		s.start(name)
	}
	client := s.client(t)
	defer client.Close()

	tried := func() int { return strings.Count(s.log("p1"), fmt.Sprintf("@c%d-", number)) }
	var bulk []*mxsend.Message
	for i := range *effects {
		bulk = append(bulk, message("bounce.shop.test", fmt.Sprintf("jane@c%d-%d.silent.test", number, i)))
	}
	for result := range client.SendAll(t.Context(), slices.Values(bulk)) {
		if result.Err != nil {
			t.Fatal(result.Err)
		}
	}
	first = s.delays(t, client, fmt.Sprintf("first%d", number))
	// Each domain of the mailing is in the log once it was tried.
	await(t, 5*time.Minute, "the first pass is over", func() bool { return tried() >= *effects })
	time.Sleep(2 * hold)
	queued = s.queued("p1")
	return first, s.delays(t, client, fmt.Sprintf("after%d", number)), queued
}

// client sends through the first primary.
func (s *system) client(t *testing.T) *mxsend.Client {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(s.dir, "keys/ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client, err := mxsend.New(mxsend.Config{
		Domain: "relays.shop.test", Resolver: mxsend.NewResolver(s.net + ".53"), TLSConfig: &tls.Config{RootCAs: roots},
		Weights: map[string]int{"p2.relays.shop.test": 0}, LocalName: "app.shop.test",
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func message(returnPathDomain, to string) *mxsend.Message {
	return &mxsend.Message{
		ReturnPath: "b@" + returnPathDomain, Recipients: []string{to},
		Content: fmt.Appendf(nil, "From: news@shop.test\r\nTo: %s\r\nSubject: hello\r\nDate: %s\r\nMessage-ID: <%d@shop.test>\r\n\r\nHello.\r\n",
			to, time.Now().Format(time.RFC1123Z), time.Now().UnixNano()),
	}
}

// delays sends transactional mail, one by one, and returns how long it took to arrive.
func (s *system) delays(t *testing.T, client *mxsend.Client, tag string) string {
	t.Helper()
	sent := map[string]time.Time{}
	for i := range samples {
		to := fmt.Sprintf("%s-%d@company.test", tag, i)
		sent[to] = time.Now()
		if _, err := client.Send(context.WithoutCancel(t.Context()), message("tx.shop.test", to)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(pause)
	}
	delays := map[string]time.Duration{}
	await(t, 3*time.Minute, "transactional mail has arrived", func() bool {
		for _, d := range lines[delivery](t, filepath.Join(s.dir, "delivered.log")) {
			if at, ok := sent[d.To]; ok {
				delays[d.To] = d.At.Sub(at)
			}
		}
		return len(delays) == samples
	})
	var list []time.Duration
	for _, d := range delays {
		list = append(list, d)
	}
	slices.Sort(list)
	return fmt.Sprintf("%.2f s / %.2f s", list[len(list)/2].Seconds(), list[len(list)-1].Seconds())
}

//go:build unix

package interop

import (
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/postfix"
	"github.com/mxsend/go-mxsend/mxsend"
)

func startPostfix(t *testing.T, cfg postfix.Config) *postfix.Instance {
	t.Helper()
	p, err := postfix.Start(cfg)
	if errors.Is(err, postfix.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := p.Log()
			t.Logf("the end of Postfix's log:\n%s", log[max(0, len(log)-2000):])
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// noPenalty has Postfix answer at once however many errors a client made, which
// costs a second each otherwise.
const noPenalty = "smtpd_error_sleep_time = 0"

// Postfix's queue manager logs the return path of each mail that it has.
var fromLine = regexp.MustCompile(`postfix/qmgr\[\d+\]: (\w+): from=<([^>]*)>`)

func TestPostfixMailing(t *testing.T) {
	cert := newCertificate(t, "*.relay.test")
	trusting := &tls.Config{RootCAs: cert.root}
	withTLS := []string{"smtpd_tls_security_level = may", "smtpd_tls_chain_files = " + cert.pem}
	tests := []struct {
		name   string
		relay  postfix.Config
		client mxsend.Config
	}{
		{"clear", postfix.Config{}, mxsend.Config{TLS: mxsend.TLSDisabled}},
		{"clear, no groups across messages", postfix.Config{}, mxsend.Config{TLS: mxsend.TLSDisabled, SeparateTransactions: true}},
		{"STARTTLS", postfix.Config{Main: withTLS}, mxsend.Config{TLSConfig: trusting}},
		{"TLS 1.2", postfix.Config{Main: append([]string{"smtpd_tls_protocols = TLSv1.2"}, withTLS...)}, mxsend.Config{TLSConfig: trusting}},
		{"without PIPELINING", postfix.Config{Main: []string{"smtpd_discard_ehlo_keywords = pipelining"}}, mxsend.Config{TLS: mxsend.TLSDisabled}},
		{"fewer processes than connections", postfix.Config{Processes: 2}, mxsend.Config{TLS: mxsend.TLSDisabled}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const n = 300
			p := startPostfix(t, tt.relay)
			got, results := sendAll(t, newClient(t, tt.client, p.Address), mailing(n))
			wantTally(t, got, tally{mxsend.Accepted: n}, results)
			if delivered, err := p.AwaitDelivered(n, 20*time.Second); delivered != n || err != nil {
				t.Errorf("Postfix delivered to %d recipients, %v, want %d", delivered, err, n)
			}
			log, err := p.Log()
			if err != nil {
				t.Fatal(err)
			}
			from := map[string]string{}
			for _, m := range fromLine.FindAllSubmatch(log, -1) {
				from[string(m[1])] = string(m[2])
			}
			for _, r := range results {
				if id := r.Receipt.Recipients[0].QueueID; from[id] != r.Message.ReturnPath {
					t.Fatalf("queue id %q of message %s has the return path %q in Postfix's log", id, r.Receipt.Ref, from[id])
				}
			}
		})
	}
}

func TestPostfixRefusals(t *testing.T) {
	p := startPostfix(t, postfix.Config{Main: []string{
		noPenalty,
		"message_size_limit = 20000",
		"smtpd_recipient_limit = 3",
		"smtpd_recipient_restrictions = check_recipient_access inline:{ " +
			"{ " + refusedForGood + " = 550 5.1.1 no such mailbox }, { " + refusedForNow + " = 450 4.2.0 try later } }",
	}})
	many := make([]string, 8)
	for i := range many {
		many[i] = fmt.Sprintf("r%d@destination.test", i)
	}
	large := append(content(0), strings.Repeat("0123456789\r\n", 2000)...)
	const accepted, rejected, deferred = mxsend.Accepted, mxsend.Rejected, mxsend.Deferred
	tests := []struct {
		name    string
		message mxsend.Message
		want    tally
	}{
		{"recipients with outcomes of their own",
			mxsend.Message{ReturnPath: "mixed@bounces.test", Recipients: []string{recipient, refusedForGood, refusedForNow}, Content: content(1)},
			tally{accepted: 1, rejected: 1, deferred: 1}},
		{"every recipient refused",
			mxsend.Message{ReturnPath: "refused@bounces.test", Recipients: []string{refusedForGood, refusedForNow}, Content: content(1)},
			tally{rejected: 1, deferred: 1}},
		{"more recipients than Postfix takes at once",
			mxsend.Message{ReturnPath: "many@bounces.test", Recipients: many, Content: content(1)}, tally{accepted: len(many)}},
		{"null return path",
			mxsend.Message{ReturnPath: "<>", Recipients: []string{recipient}, Content: content(1)}, tally{accepted: 1}},
		{"larger than SIZE",
			mxsend.Message{ReturnPath: "large@bounces.test", Recipients: []string{recipient}, Content: large}, tally{rejected: 1}},
		{"SMTPUTF8",
			mxsend.Message{ReturnPath: "grüße@bounces.test", Recipients: []string{"grüße@straße.test"}, Content: content(1)}, tally{accepted: 1}},
		{"DSN",
			mxsend.Message{ReturnPath: "dsn@bounces.test", Recipients: []string{recipient}, Content: content(1),
				DSN: mxsend.DSN{Return: "FULL", EnvelopeID: "a+b=c", Notify: "FAILURE,DELAY", OriginalRecipient: true}},
			tally{accepted: 1}},
	}
	c := newClient(t, mxsend.Config{TLS: mxsend.TLSDisabled}, p.Address)
	delivered := 0
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, results := sendAll(t, c, only(&tt.message))
			wantTally(t, got, tt.want, results)
			delivered += tt.want[accepted]
			if got, err := p.AwaitDelivered(delivered, 10*time.Second); got != delivered || err != nil {
				t.Errorf("Postfix delivered to %d recipients, %v, want %d", got, err, delivered)
			}
		})
	}
}

func only(m *mxsend.Message) iter.Seq[*mxsend.Message] {
	return func(yield func(*mxsend.Message) bool) { yield(m) }
}

// A relay that refuses the client, its name in EHLO or its return path refuses every
// recipient; that must turn no mail into a hard bounce, and with another relay at hand
// nothing is lost.
func TestPostfixThatRefusesTheClient(t *testing.T) {
	cert := newCertificate(t, "*.relay.test")
	taking, taken := startPostfix(t, postfix.Config{}), 0
	for _, tt := range []struct {
		name, mends string
		localName   string
		main        []string
	}{
		{"mynetworks", "mynetworks", "", []string{"mynetworks = 192.0.2.0/24"}},
		{"mynetworks, for now", "mynetworks", "", []string{"mynetworks = 192.0.2.0/24", "smtpd_relay_restrictions = permit_mynetworks, defer_unauth_destination"}},
		{"EHLO", "Config.LocalName", "mailer-7c9f", []string{"smtpd_recipient_restrictions = reject_non_fqdn_helo_hostname"}},
		{"sender", "Message.ReturnPath", "", []string{"smtpd_sender_restrictions = check_sender_access inline:{ bounces.test=REJECT }"}},
		{"TLS", "Config.TLS", "", []string{"smtpd_tls_security_level = encrypt", "smtpd_tls_chain_files = " + cert.pem}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refusing := startPostfix(t, postfix.Config{Main: append([]string{noPenalty}, tt.main...)})
			cfg := mxsend.Config{TLS: mxsend.TLSDisabled, LocalName: tt.localName}
			t.Run("alone", func(t *testing.T) {
				c := newClient(t, cfg, refusing.Address)
				receipt, err := c.Send(t.Context(), &mxsend.Message{ReturnPath: returnPath(1), Recipients: []string{recipient}, Content: content(1)})
				if o := receipt.Recipients[0].Outcome; o != mxsend.Deferred || !errors.Is(err, mxsend.ErrRelayRefused) || !strings.Contains(err.Error(), tt.mends) {
					t.Errorf("%v: %v; want one that names %s", o, err, tt.mends)
				}
			})
			t.Run("beside another", func(t *testing.T) {
				const n = 300
				c := newClient(t, cfg, refusing.Address, taking.Address)
				got, results := sendAll(t, c, mailing(n))
				wantTally(t, got, tally{mxsend.Accepted: n}, results)
				taken += n
				if delivered, err := taking.AwaitDelivered(taken, 20*time.Second); delivered != taken || err != nil {
					t.Errorf("Postfix delivered to %d recipients, %v, want %d", delivered, err, taken)
				}
			})
		})
	}
}

// One of two relays crashes in the middle of a mailing, and comes back. What was
// Accepted reaches the destination, and what was Deferred or Rejected does not.
func TestPostfixCrash(t *testing.T) {
	const n = 2000
	destination := startGoSMTP(t, nil, nil)
	relaying := postfix.Config{Main: []string{"default_transport = smtp:[" + strings.Replace(destination.address, ":", "]:", 1)}}
	crashing, standing := startPostfix(t, relaying), startPostfix(t, relaying)
	c := newClient(t, mxsend.Config{TLS: mxsend.TLSDisabled}, crashing.Address, standing.Address)
	crashed := make(chan error, 1)
	got, results := sendAll(t, c, func(yield func(*mxsend.Message) bool) {
		i := 0
		for m := range mailing(n) {
			if i++; i == n*3/4 { // up to 1000 are in flight
				go func() { crashed <- crashing.Kill() }()
			}
			if !yield(m) {
				return
			}
		}
	})
	if err := <-crashed; err != nil {
		t.Fatal(err)
	}
	if sum := got[mxsend.Accepted] + got[mxsend.InDoubt]; sum != n {
		t.Errorf("%d accepted and %d in doubt, want %d in all: %v", got[mxsend.Accepted], got[mxsend.InDoubt], n, got)
	}
	if most := 2 * 10; got[mxsend.InDoubt] > most {
		t.Errorf("%d in doubt; there were at most %d connections to lose", got[mxsend.InDoubt], most)
	}
	if err := crashing.Run(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for !destination.hasAccepted(results) && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	destination.mu.Lock()
	defer destination.mu.Unlock()
	byRelay := map[string]int{}
	for _, r := range results {
		to := r.Receipt.Recipients[0]
		byRelay[to.Relay]++
		copies := len(destination.taken[r.Message.ReturnPath])
		if to.Outcome == mxsend.Accepted && copies == 0 {
			t.Errorf("message %s was accepted by %s and is lost", r.Receipt.Ref, to.Relay)
		}
		if to.Outcome != mxsend.Accepted && to.Outcome != mxsend.InDoubt && copies > 0 {
			t.Errorf("message %s is %v and was delivered", r.Receipt.Ref, to.Outcome)
		}
	}
	if byRelay["p1.relay.test"] == 0 || byRelay["p2.relay.test"] == 0 {
		t.Errorf("one relay got nothing: %v", byRelay)
	}
}

// hasAccepted says whether the server has taken all that was accepted. What is in
// doubt may be there, too.
func (g *goSMTP) hasAccepted(results []mxsend.Result) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range results {
		if r.Receipt.Recipients[0].Outcome == mxsend.Accepted && len(g.taken[r.Message.ReturnPath]) == 0 {
			return false
		}
	}
	return true
}

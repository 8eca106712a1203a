//go:build unix

package main

import (
	"bytes"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A receipt is a line of quickstart -receipts.
type receipt struct {
	To         string `json:"to"`
	ReturnPath string `json:"return_path"`
	Lane       string `json:"lane"`
	Outcome    string `json:"outcome"`
	Relay      string `json:"relay"`
	QueueID    string `json:"queue_id"`
	Bounce     string `json:"bounce"`
}

// TestRealPostfix sends quickstart's mailing through real Postfix, as README.md says, kills a primary half-way, starts it again, and
// holds what the client says of every mail against what arrived and what came back.
func TestRealPostfix(t *testing.T) {
	s := up(t)
	began := time.Now()
	receipts := filepath.Join(filepath.Dir(s.dir), "receipts")
	keys := filepath.Join(s.dir, "keys")
	common := []string{"-nameserver", s.net + ".53", "-ca", filepath.Join(keys, "ca.pem"), "-key", filepath.Join(keys, "dkim.pem")}
	const n = 1200

	t.Run("preflight", func(t *testing.T) {
		cmd := exec.Command(s.build("preflight"), append(common, "-domain", "relays.shop.test", "-dkim-domain", "shop.test", "-selector", "s2026",
			"-from", "shop.test", "-return-path", "bounce.shop.test,tx.shop.test", "-outbound", strings.ReplaceAll("N.11,N.12,N.21,N.22", "N", s.net))...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("strangers", func(t *testing.T) { // are never refused for good: see the main.cf of both
		if code := s.strange(t, "g1", ".21"); code != 450 {
			t.Errorf("a graveyard answers a stranger %d, want 450", code)
		}
	})

	for _, name := range []string{"p1", "g1", "in"} { // it needs more services than delivery does
		s.command("postqueue", "-c", filepath.Join(s.dir, name, "etc"), "-f")
	}

	var said bytes.Buffer
	cmd := exec.Command(s.build("quickstart"), append(common, "-relays", "relays.shop.test", "-back", s.net+".1", "-n", fmt.Sprint(n), "-wait", "2m",
		"-receipts", receipts)...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	delivered := func() []delivery { return lines[delivery](t, filepath.Join(s.dir, "delivered.log")) }
	await(t, 30*time.Second, "a sixth of the mailing has arrived", func() bool { return len(delivered()) > n/6 })
	s.kill("p1")
	time.Sleep(2 * time.Second)
	s.start("p1")
	// Everything has been tried, and what cannot be delivered is given up after 20 s.
	idle := 0
	await(t, 80*time.Second, "all queues are empty", func() bool {
		if s.queued("p1", "p2", "g1", "g2", "in") > 0 {
			idle = 0
		} else {
			idle++
		}
		return idle > 10
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	t.Logf("after %.0f s: %v\n%s", time.Since(began).Seconds(), err, &said)

	s.judge(t, lines[receipt](t, receipts), delivered(), n)
	t.Run("trace", func(t *testing.T) { s.trace(t, lines[receipt](t, receipts)) })
	if log := s.log("p2"); !strings.Contains(log, "triggers FILTER trans:") {
		t.Error("transactional mail has not gone to its transport")
	}
}

// judge is the ledger.
func (s *system) judge(t *testing.T, receipts []receipt, deliveries []delivery, n int) {
	t.Helper()
	arrived := map[string][]delivery{} // by return path, which is another one for every mail
	for _, d := range deliveries {
		arrived[d.From] = append(arrived[d.From], d)
		if len(d.DKIM) != 1 || d.DKIM[0] != "valid shop.test" {
			t.Errorf("%s: DKIM: %q", d.To, d.DKIM)
		}
	}
	graveyards := map[string]int{} // greylisted mails by graveyard
	fates := map[string]int{}
	relays := map[string]int{}
	queue := s.log("p2")
	inDoubt, twice, transactional := 0, 0, 0
	for _, r := range receipts {
		got := arrived[r.ReturnPath]
		delete(arrived, r.ReturnPath)
		relays[r.Relay]++
		switch r.Outcome {
		case "accepted":
		case "in doubt":
			// The reply was under way when its relay was killed: the mail may be anywhere, or nowhere.
			if inDoubt++; len(got) > 1 {
				t.Errorf("%s is in doubt, and arrived %d times", r.To, len(got))
			}
			continue
		default:
			t.Errorf("%s: %s", r.To, r.Outcome)
			continue
		}
		if len(got) > 1 {
			twice++
			if r.Relay != "p1.relays.shop.test" { // Postfix says so itself: killed after a destination's 250, it sends again
				t.Errorf("%s arrived %d times, and its relay was never killed", r.To, len(got))
			}
		}
		if len(got) > 0 && got[0].To != r.To {
			t.Errorf("%s arrived at %s", r.To, got[0].To)
		}
		want, fate := expected(r.To), "delivered"
		if len(got) == 0 {
			fate = r.Bounce
		} else if r.Bounce != "" {
			fate = "delivered, and back: " + r.Bounce
		}
		if fate == "" {
			fate = "lost"
		}
		if !strings.HasSuffix(fate, want) {
			t.Errorf("%s by %s, queue id %s: %s, want %s", r.To, r.Relay, r.QueueID, fate, want)
		}
		fates[fate]++
		if r.Lane == "transactional" && r.Bounce != "" {
			transactional++
		}
		if len(got) > 0 && strings.HasSuffix(r.To, "@greylisting.test") {
			graveyards[strings.TrimPrefix(got[0].Client, s.net)]++
		}
		if r.Relay == "p2.relays.shop.test" && !strings.Contains(queue, r.QueueID+": from=<"+r.ReturnPath+">") {
			t.Errorf("%s: no queue id %s with its return path in the log of p2", r.To, r.QueueID)
		}
	}
	if len(receipts) < n || len(arrived) > 0 {
		t.Errorf("%d receipts for %d mails, and %d mails that arrived have none", len(receipts), n, len(arrived))
	}
	if relays["p1.relays.shop.test"] == 0 || relays["p2.relays.shop.test"] <= relays["p1.relays.shop.test"] {
		t.Errorf("relays %v: the one that stayed should have taken more than the one that was killed", relays)
	}
	if graveyards[".21"] == 0 || graveyards[".22"] == 0 || graveyards[".12"] > 0 { // what was at p1 when it was killed is tried again there
		t.Errorf("greylisted mail was delivered by %v, want both graveyards", graveyards)
	}
	if transactional == 0 {
		t.Error("no bounce came back to a return path of transactional mail")
	}
	for _, want := range []string{"delivered", "5.1.1 mailbox-unknown", "5.7.1 policy"} {
		if fates[want] == 0 {
			t.Errorf("no mail was %s: %v", want, fates)
		}
	}
	t.Logf("%d mails by %v: %v; greylisted ones by %v; in doubt %d, twice by the killed relay %d", len(receipts), relays, fates, graveyards, inDoubt, twice)
}

// trace follows greylisted mail by its return path: it is taken and handed over by a primary, deferred and delivered by a graveyard.
func (s *system) trace(t *testing.T, receipts []receipt) {
	t.Helper()
	logs := []string{"p1.log", "p2.log", "g1.log", "g2.log"}
	for i, name := range logs {
		logs[i] = filepath.Join(s.dir, name)
	}
	if out, err := exec.Command("./trace", append([]string{"nobody@bounce.shop.test"}, logs...)...).CombinedOutput(); err == nil || !strings.Contains(string(out), "no mail from nobody") {
		t.Errorf("a return path of nobody: %v, %s", err, out)
	}
	for _, r := range receipts {
		if r.Relay != "p2.relays.shop.test" || !strings.HasSuffix(r.To, "@greylisting.test") {
			continue
		}
		out, err := exec.Command("./trace", append([]string{r.ReturnPath}, logs...)...).CombinedOutput()
		for _, want := range []string{" p2/smtpd", "greylisted, come back later", "status=sent (250 2.0.0 Ok: queued as", "status=deferred", "status=sent (250 2.0.0 taken)"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%v; no %q in\n%s", err, want, out)
			}
		}
		return
	}
}

// expected is the fate of a mail, or its end.
func expected(to string) string {
	local, domain, _ := strings.Cut(to, "@")
	switch {
	case (domain == "bigmail.test" || domain == "postbox.test") && strings.HasPrefix(local, "gone"):
		return "5.1.1 mailbox-unknown"
	case domain == "strict.test":
		return "5.7.1 policy"
	case domain == "silent.test":
		return "expired"
	case domain == "closed.test":
		return "5.1.0 host-unknown"
	}
	return "delivered"
}

// strange offers an instance mail from an address that is in nobody's mynetworks, and returns the reply to its recipient.
func (s *system) strange(t *testing.T, name, last string) int {
	t.Helper()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(s.net + ".200")}}
	conn, err := from.DialContext(t.Context(), "tcp", s.net+last+":25")
	if err != nil {
		t.Fatal(err)
	}
	c, err := smtp.NewClient(conn, name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Mail("b@bounce.shop.test"); err != nil {
		t.Fatal(err)
	}
	err = c.Rcpt("jane@company.test")
	if reply, ok := err.(*textproto.Error); ok {
		return reply.Code
	}
	t.Fatalf("got %v, want a refusal", err)
	return 0
}

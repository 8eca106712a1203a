package postfix

import (
	"bufio"
	"context"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// A notice is what a notification says, without what differs from one to the next: names of relays, queue ids, times, addresses.
type notice struct {
	Subject, ContentType string
	Parts                []string // Content-Type and Content-Description of each part
	Message, Recipient   map[string]string
	Text                 string
}

var (
	varying = regexp.MustCompile(`\b[ps][0-9]\.mail\.test|\[[0-9.]+\](:25)?|\b[0-9A-F]{9,12}\b`)
	spaces  = regexp.MustCompile(`\s+`)
	dates   = regexp.MustCompile(`\w{3}, +\d+ \w{3} \d{4} [0-9:]{8} \S+ \(\w+\)`)
)

// plain takes away what differs.
func plain(s string) string {
	s = dates.ReplaceAllString(s, "DATE")
	return strings.TrimSpace(spaces.ReplaceAllString(varying.ReplaceAllString(s, "X"), " "))
}

// read takes a notification apart.
func read(t *testing.T, text string) notice {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	n := notice{Subject: m.Header.Get("Subject"), ContentType: kind + " " + params["report-type"] + " " + m.Header.Get("Auto-Submitted")}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			break
		}
		n.Parts = append(n.Parts, part.Header.Get("Content-Type")+"; "+part.Header.Get("Content-Description"))
		switch part.Header.Get("Content-Type") {
		case "text/plain; charset=utf-8", "text/plain; charset=us-ascii":
			var b strings.Builder
			bufio.NewReader(part).WriteTo(&b)
			n.Text = plain(b.String())
		case "message/delivery-status", "message/global-delivery-status":
			r := textproto.NewReader(bufio.NewReader(part))
			n.Message, n.Recipient = fields(r), fields(r)
		}
	}
	return n
}

// fields reads a group of fields.
func fields(r *textproto.Reader) map[string]string {
	group := map[string]string{}
	h, _ := r.ReadMIMEHeader()
	for name, values := range h {
		group[name] = plain(strings.Join(values, " | "))
	}
	return group
}

// compare compares two notifications.
func compare(t *testing.T, model, real string) {
	t.Helper()
	got, want := read(t, model), read(t, real)
	if got.Subject != want.Subject || got.ContentType != want.ContentType || strings.Join(got.Parts, "|") != strings.Join(want.Parts, "|") {
		t.Errorf("the model has\n%s %s %q, Postfix\n%s %s %q", got.Subject, got.ContentType, got.Parts, want.Subject, want.ContentType, want.Parts)
	}
	for _, pair := range []struct{ got, want map[string]string }{{got.Message, want.Message}, {got.Recipient, want.Recipient}} {
		for name, value := range pair.want {
			if pair.got[name] != value {
				t.Errorf("%s: the model has %q, Postfix %q", name, pair.got[name], value)
			}
		}
		for name := range pair.got {
			if _, ok := pair.want[name]; !ok {
				t.Errorf("the model has %s, Postfix has not", name)
			}
		}
	}
	if got.Text != want.Text {
		t.Errorf("text: the model has\n%s\nPostfix\n%s", got.Text, want.Text)
	}
}

// wait waits for a sink to take n mails for a recipient.
func (w *world) wait(t *testing.T, address string, n int) []string {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if got := w.got(address); len(got) >= n {
			return got
		}
	}
	t.Fatalf("%s got %d notifications, want %d", address, len(w.got(address)), n)
	return nil
}

// compareBounce compares the notification of a 550.
func compareBounce(t *testing.T, w *world) {
	real := w.wait(t, "bounce+rcpt550.2@app.test", 1)
	synctest.Test(t, func(t *testing.T) {
		c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
		c.Destination("rcpt550.test").Do(mxtest.Reject(mxtest.AtRcpt, "550 5.1.1 Recipient unknown"))
		sendThrough(t, c, c.Primary(1), "rcpt550.2", []string{"u2@rcpt550.test"})
		if err := c.Ledger().WaitBounces(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		compare(t, string(c.Ledger().Notifications()[0].Content), real[0])
	})
}

// compareSchedule compares the ages of attempts, the delay warning and the notification of expiry. When in a second, and
// when between two queue runs, the mail came to Postfix is not known and moves the first attempts about; so both must keep the same
// rule: each attempt comes a backoff after the one before it, within a queue run and a second, and the last is the first one at or after
// the lifetime.
func compareSchedule(t *testing.T, w *world, relay *instance) {
	var real []time.Duration
	lines := relay.attempts(t, "u@c421.test")
	for _, l := range lines {
		real = append(real, l.at.Sub(lines[0].at))
	}
	checkSchedule(t, "Postfix", real)
	notes := w.wait(t, "bounce+sched@app.test", 2)
	for phase := time.Duration(0); phase < time.Second; phase += 100 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			ages, model := schedule(t, phase)
			checkSchedule(t, "the model", ages)
			if d := len(ages) - len(real); d < -1 || d > 1 {
				t.Errorf("the model makes %d attempts, Postfix %d", len(ages), len(real))
			}
			if len(model) != 2 || len(notes) != 2 {
				t.Fatalf("the model has %d notifications, Postfix %d, want a warning and a bounce", len(model), len(notes))
			}
			if phase == 0 {
				for i := range model {
					compare(t, string(model[i].Content), notes[i])
				}
			}
		})
	}
}

func checkSchedule(t *testing.T, who string, ages []time.Duration) {
	t.Helper()
	t.Logf("%s tries at the ages %v", who, ages)
	const slack = 2 * time.Second // a queue run, and whole seconds
	for i := 1; i < len(ages); i++ {
		want := ages[i-1] + min(max(ages[i-1], 2*time.Second), 8*time.Second)
		if d := ages[i] - want; d < -slack || d > slack {
			t.Errorf("%s: attempt %d at the age %v, want %v within %v", who, i+1, ages[i], want, slack)
		}
	}
	n := len(ages)
	if n < 3 || ages[n-1] < 19*time.Second || ages[n-2] >= 21*time.Second {
		t.Errorf("%s: last attempts at the ages %v, want the first at or after the lifetime of 20 s to be the last", who, ages)
	}
}

// schedule runs a mail that comes some time after a queue run to its end.
func schedule(t *testing.T, phase time.Duration) (ages []time.Duration, notes []mxtest.Notification) {
	c := mxtest.NewCluster(t, mxtest.Config{Memory: true, Graveyards: mxtest.NoGraveyards, Relay: func(string) mxtest.RelayConfig {
		return mxtest.RelayConfig{MinimalBackoffTime: 2 * time.Second, MaximalBackoffTime: 8 * time.Second, QueueRunDelay: time.Second,
			MaximalQueueLifetime: 20 * time.Second, DelayWarningTime: 5 * time.Second}
	}})
	defer c.Close()
	c.Destination("c421.test").Do(mxtest.Reject(mxtest.AtGreeting, "421 4.3.2 Service shutting down"))
	time.Sleep(phase)
	began := time.Now()
	sendThrough(t, c, c.Primary(0), "sched", []string{"u@c421.test"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		synctest.Wait()
		r := c.Ledger().Find("sched@app.test")[0].Recipients[0]
		if r.Attempts > len(ages) {
			ages = append(ages, time.Since(began))
		}
		if r.Place == mxtest.Bounced {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return ages, c.Ledger().Notifications()
}

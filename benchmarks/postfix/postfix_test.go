package postfix

import (
	"context"
	"fmt"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// inside marks the test that runs in the namespaces.
const inside = "MXSEND_POSTFIX_NAMESPACE"

// TestPostfix runs the comparison in mount and network namespaces of its own, so that no packet leaves the machine and no
// file of the system's Postfix is read or written.
func TestPostfix(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("needs root on Linux")
	}
	for _, program := range []string{"postfix", "unshare", "ip", "script", "mount"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s: %v", program, err)
		}
	}
	if out, err := exec.Command("unshare", "--mount", "--net", "true").CombinedOutput(); err != nil {
		t.Skipf("needs namespaces: %v %s", err, out)
	}
	cmd := exec.Command("unshare", "--mount", "--net", os.Args[0], "-test.run", "^TestInside$", "-test.v", "-test.timeout", "5m")
	cmd.Env = append(os.Environ(), inside+"="+t.TempDir())
	out, err := cmd.CombinedOutput()
	t.Logf("\n%s", out)
	if err != nil {
		t.Error(err)
	}
}

func TestInside(t *testing.T) {
	dir := os.Getenv(inside)
	if dir == "" {
		t.Skip("runs inside TestPostfix")
	}
	// Postfix refuses to run below a directory that others cannot pass through.
	for d := dir; d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	command(t, "ip", "link", "set", "lo", "up")
	resolv := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(resolv, []byte("nameserver 127.0.0.53\noptions timeout:1 attempts:1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, "mount", "--bind", resolv, "/etc/resolv.conf")

	w := newWorld(t)
	w.serveDNS()
	for _, o := range outcomes {
		w.destination(o.name+".test", o.sink)
	}
	w.destination("app.test", sink{})
	w.destination("badfall.test", sink{at: mxtest.AtRcpt, reply: "450 4.2.0 later"})
	w.host("fallback550.mail.test", "127.0.79.1")
	w.listen("127.0.79.1:25", &sink{at: mxtest.AtRcpt, reply: "550 5.7.1 Relay access denied"})
	w.host("nobody.mail.test", "127.0.79.2")
	w.host("nobody2.mail.test", "127.0.79.3")

	graveyard := "qmgr_message_active_limit = 2000\nqmgr_message_recipient_limit = 2000\nmaximal_backoff_time = 4h\n"
	g := []*instance{start(t, dir, "g1", "127.0.77.11", graveyard), start(t, dir, "g2", "127.0.77.12", graveyard)}
	for _, i := range g {
		w.host(i.name, i.ip)
	}
	p := []*instance{
		start(t, dir, "p0", "127.0.77.1", "smtp_fallback_relay = [nobody.mail.test], [nobody2.mail.test]"),
		start(t, dir, "p1", "127.0.77.2", "smtp_fallback_relay = [nobody.mail.test], [g2.mail.test]"),
		start(t, dir, "p2", "127.0.77.3", "smtp_fallback_relay = [g1.mail.test], [g2.mail.test]"),
	}
	retry := start(t, dir, "s1", "127.0.77.21", "minimal_backoff_time = 2s\nmaximal_backoff_time = 8s\nqueue_run_delay = 1s\nmaximal_queue_lifetime = 20s\ndelay_warning_time = 5s\n")
	version, _ := exec.Command("postconf", "-c", filepath.Join(dir, "p1", "conf"), "-h", "mail_version").Output()
	t.Logf("Postfix %s", version)

	began := time.Now()
	submit(t, retry, "sched", "u@c421.test")
	for up, relay := range p {
		for _, o := range outcomes {
			submit(t, relay, fmt.Sprintf("%s.%d", o.name, up), tagged(o.recipients(), up)...)
		}
	}
	submit(t, p[2], "badfall", "u@badfall.test")

	t.Run("outcomes", func(t *testing.T) { compareOutcomes(t, p, g) })
	t.Run("fallback's 550", func(t *testing.T) {
		if l := p[2].first(t, "u@badfall.test"); l.status != "bounced" || l.dsn != "5.7.1" {
			t.Errorf("Postfix: got %s", l.orig)
		}
		// The model's side of this is mxtest's TestFallbackRefusal.
	})
	t.Run("notification of a 550", func(t *testing.T) { compareBounce(t, w) })
	time.Sleep(time.Until(began.Add(28 * time.Second)))
	t.Run("schedule", func(t *testing.T) { compareSchedule(t, w, retry) })
}

// tagged makes addresses differ by how many graveyards are up: nothing else does, and greylisting must not.
func tagged(to []string, up int) []string {
	out := slices.Clone(to)
	for i, a := range out {
		local, domain, _ := strings.Cut(a, "@")
		if local == "u" {
			out[i] = fmt.Sprintf("u%d@%s", up, domain)
		}
	}
	return out
}

// message is the mail that is sent.
func message(id string, to ...string) string {
	return "From: Shop <shop@app.test>\r\nTo: " + strings.Join(to, ", ") + "\r\nSubject: Your order\r\nMessage-ID: <" + id + "@app.test>\r\nX-Campaign: 42\r\n\r\nHello,\r\nyour order.\r\n"
}

// submit sends a mail through an instance.
func submit(t *testing.T, i *instance, id string, to ...string) {
	t.Helper()
	var client *smtp.Client
	var err error
	for range 50 {
		if client, err = smtp.Dial(i.ip + ":25"); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := hand(client, id, to); err != nil {
		t.Fatalf("%s: %v", i.name, err)
	}
}

func hand(client *smtp.Client, id string, to []string) error {
	if err := client.Hello("app1.app.test"); err != nil {
		return err
	}
	// Client.Mail would ask for SMTPUTF8 wherever it is offered, which changes the form of notifications.
	if ask := client.Mail; id == "rcpt550.2" {
		if err := ask("bounce+" + id + "@app.test"); err != nil {
			return err
		}
	} else {
		seq, err := client.Text.Cmd("MAIL FROM:<bounce+%s@app.test>", id)
		if err != nil {
			return err
		}
		client.Text.StartResponse(seq)
		_, _, err = client.Text.ReadResponse(250)
		client.Text.EndResponse(seq)
		if err != nil {
			return err
		}
	}
	for _, a := range to {
		if err := client.Rcpt(a); err != nil {
			return err
		}
	}
	wr, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := wr.Write([]byte(message(id, to...))); err != nil {
		return err
	}
	if err := wr.Close(); err != nil {
		return err
	}
	return client.Quit()
}

// A cell is what becomes of a recipient at first: S sent, F handed over, B bounced, D deferred, by the primary; and what a
// graveyard then does; with the last enhanced status code.
type cell struct{ what, relay, status string }

// compareOutcomes compares the table.
func compareOutcomes(t *testing.T, p, g []*instance) {
	for up := range 3 {
		for _, o := range outcomes {
			t.Run(fmt.Sprintf("%s/%d graveyards up", o.name, up), func(t *testing.T) {
				to := tagged(o.recipients(), up)
				var real []cell
				for _, a := range to {
					real = append(real, observed(t, p[up], g, a))
				}
				synctest.Test(t, func(t *testing.T) {
					for i, want := range real {
						if got := modelled(t, o, up, to)[i]; got != want {
							t.Errorf("%s: the model has %+v, Postfix %+v", to[i], got, want)
						}
					}
				})
			})
		}
	}
}

// observed reads a cell from the logs.
func observed(t *testing.T, primary *instance, g []*instance, to string) cell {
	l := primary.first(t, to)
	c := cell{status: l.dsn}
	switch {
	case l.status == "bounced":
		c.what = "B"
	case l.status == "deferred":
		c.what = "D"
	case !strings.HasPrefix(l.relay, "g"):
		c.what = "S"
	default:
		c.what, c.relay = "F", l.relay
		at := g[0]
		if l.relay == g[1].name {
			at = g[1]
		}
		l = at.first(t, to)
		c.what += map[string]string{"bounced": "B", "deferred": "", "sent": "S"}[l.status]
		c.status = l.dsn
	}
	return c
}

// modelled sends the same mail through a cluster in virtual time.
func modelled(t *testing.T, o outcome, up int, to []string) []cell {
	c := mxtest.NewCluster(t, mxtest.Config{Memory: true})
	defer c.Close()
	for i := range 2 - up {
		c.Graveyard(i).Stop()
	}
	c.Destination(o.name + ".test").Script(o.script()...)
	sendThrough(t, c, c.Primary(0), "m", to)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if err := c.WaitIdle(ctx); err != nil {
		t.Fatal(err)
	}
	var cells []cell
	for _, r := range c.Ledger().Find("m@app.test")[0].Recipients {
		x := cell{status: r.Status, what: map[mxtest.Place]string{mxtest.Delivered: "S", mxtest.Bounced: "B", mxtest.Deferred: "D"}[r.Place]}
		if strings.HasPrefix(r.Relay, "g") {
			x.what, x.relay = "F"+strings.TrimPrefix(x.what, "D"), r.Relay
		}
		cells = append(cells, x)
	}
	return cells
}

func sendThrough(t *testing.T, c *mxtest.Cluster, r *mxtest.Relay, id string, to []string) {
	t.Helper()
	conn, err := c.Dial(t.Context(), "tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	client, err := smtp.NewClient(conn, r.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := hand(client, id, to); err != nil {
		t.Fatal(err)
	}
}

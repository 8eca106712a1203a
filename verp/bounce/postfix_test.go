package bounce

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/mxsend/go-mxsend/verp"
)

// TestPostfix puts the Receiver behind a real Postfix with each of the shipped
// configurations: forged and foreign return paths must be refused at Postfix's
// own RCPT, genuine ones delivered, and what Handle fails on must be kept.
func TestPostfix(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Postfix: left out with -short")
	}
	if os.Getuid() != 0 {
		t.Skip("Postfix can only be started by root")
	}
	postfix, err := exec.LookPath("postfix")
	if err != nil {
		t.Skip("no postfix command in PATH: install Postfix to run this test")
	}
	for _, name := range []string{"policy", "verify"} {
		t.Run(name, func(t *testing.T) { testPostfix(t, postfix, name) })
	}
}

func testPostfix(t *testing.T, postfix, name string) {
	codec := testCodec(t)
	genuine, _ := codec.Encode(verp.FromUint64(4711))
	e := make(chan Event, 10)
	fail := make(chan struct{}, 1)
	fail <- struct{}{}
	r := &Receiver{Codec: codec, Handle: func(_ context.Context, ev Event) error {
		select {
		case <-fail: // the first time
			return errors.New("database is down")
		default:
		}
		ev.Raw = bytes.Clone(ev.Raw)
		e <- ev
		return nil
	}}
	lmtp := serveOn(t, r.ServeLMTP)
	policy := serveOn(t, r.ServePolicy)
	t.Cleanup(func() { r.Close() })

	p := startPostfix(t, postfix, strings.NewReplacer("127.0.0.1:2424", lmtp, "127.0.0.1:2425", policy).Replace(string(testdata(t, "postfix/"+name+".cf"))))
	for _, refused := range []struct{ name, address string }{
		{"forged", "b+a" + strings.TrimPrefix(genuine, "b+")}, {"foreign", "jane@bounce.example.com"}, {"plain VERP", "b+jane=example.net@bounce.example.com"},
	} {
		if got := code(p.submit(t, refused.address)); got != 550 {
			t.Errorf("%s: Postfix answers %d to RCPT, want 550", refused.name, got)
		}
	}
	for _, accepted := range []string{genuine, strings.ToUpper(genuine), "postmaster@bounce.example.com"} {
		if err := p.submit(t, accepted); err != nil {
			t.Errorf("Postfix refuses a genuine return path: %v", err)
		}
	}
	deadline := time.After(30 * time.Second)
	got := map[Verdict]int{}
	for n := 0; n < 3; {
		select {
		case ev := <-e:
			got[ev.Verdict]++
			n++
		case <-time.After(2 * time.Second):
			p.command(t, "flush") // what Handle failed on waits in the queue
		case <-deadline:
			t.Fatalf("events after 30 s: %v\n%s", got, p.log())
		}
	}
	if got[Valid] != 2 || got[Unverified] != 1 {
		t.Errorf("events %v, want 2 valid and 1 unverified", got)
	}
}

// serveOn runs a server on a free port and returns its address.
func serveOn(t *testing.T, serve func(net.Listener) error) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- serve(l) }()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

// realPostfix is an instance with a directory of its own.
type realPostfix struct{ command_, dir, address string }

func startPostfix(t *testing.T, command, config string) *realPostfix {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	dir, err := os.MkdirTemp("", "postfix")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"etc", "queue", "data"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("chown", "postfix", filepath.Join(dir, "data")).CombinedOutput(); err != nil {
		t.Skipf("no user postfix: %s", out)
	}
	main := fmt.Sprintf(`compatibility_level = 3.6
myhostname = mx.bounce.example.com
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
alias_maps =
smtpd_peername_lookup = no
default_database_type = lmdb
address_verify_map =
`, dir) + config
	master := fmt.Sprintf("%s inet n - n - - smtpd\n", address)
	for _, s := range []string{
		"cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr", "rewrite unix - - n - - trivial-rewrite",
		"bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce", "verify unix - - n - 1 verify",
		"flush unix n - n 1000? 0 flush", "proxymap unix - - n - - proxymap", "error unix - - n - - error", "retry unix - - n - - error",
		"lmtp unix - - n - - lmtp", "anvil unix - - n - 1 anvil", "scache unix - - n - 1 scache", "postlog unix-dgram n - n - 1 postlogd",
		"pickup unix n - n 60 1 pickup", "smtp unix - - n - - smtp", "relay unix - - n - - smtp",
	} {
		master += s + "\n"
	}
	for name, text := range map[string]string{"main.cf": main, "master.cf": master} {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p := &realPostfix{command, dir, address}
	p.command(t, "start")
	t.Cleanup(func() { p.command(t, "stop") })
	for range 100 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return p
		}
		time.Sleep(50 * time.Millisecond) // another process's start cannot be awaited otherwise
	}
	t.Fatalf("Postfix does not listen\n%s", p.log())
	return nil
}

func (p *realPostfix) command(t *testing.T, what string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, p.command_, "-c", filepath.Join(p.dir, "etc"), what).CombinedOutput(); err != nil {
		t.Errorf("postfix %s: %v\n%s\n%s", what, err, out, p.log())
	}
}

func (p *realPostfix) log() string {
	b, _ := os.ReadFile(filepath.Join(p.dir, "log"))
	return string(b)
}

// submit hands a bounce to Postfix as another mail system would.
func (p *realPostfix) submit(t *testing.T, to string) error {
	t.Helper()
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	c := smtp.NewClient(conn)
	defer c.Close()
	c.CommandTimeout, c.SubmissionTimeout = 20*time.Second, 20*time.Second
	return submit(c, to, []byte(testNotice))
}

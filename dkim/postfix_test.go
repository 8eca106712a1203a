package dkim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	netsmtp "net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// TestThroughPostfix sends the odd mails through a real Postfix and verifies what comes out at the
// other end: first to a receiver with 8BITMIME, then, after Prepare, to one without, where Postfix
// encodes 8-bit parts itself.
func TestThroughPostfix(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	sink := newSink(t)
	relay := startPostfix(t, sink.address)
	s := testSigner(t, nil)
	send := func(name, domain string, mail []byte) {
		t.Helper()
		fields, err := s.Sign(context.Background(), mail)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := netsmtp.SendMail(relay, nil, "bounce@example.org", []string{name + "@" + domain}, append(fields, mail...)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	mails := oddMails(t)
	want := 0
	for name, mail := range mails {
		send(name, "8bit.example", mail)
		prepared, err := Prepare(mail, PrepareOptions{Encode: true})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want++
		if name == "utf8-header" {
			continue // no relay can take that to a receiver without SMTPUTF8
		}
		send(name, "7bit.example", prepared)
		want++
	}
	send("unprepared", "7bit.example", mails["8bit"])
	got := sink.wait(t, want+1)
	for name := range mails {
		for _, domain := range []string{"8bit.example", "7bit.example"} {
			if name == "utf8-header" && domain == "7bit.example" {
				continue
			}
			if err := s.Verify(got[name+"@"+domain]); err != nil {
				t.Errorf("%s, to %s: %v", name, domain, err)
			}
		}
	}
	if err := s.Verify(got["unprepared@7bit.example"]); err == nil {
		t.Error("an 8-bit mail reached a receiver without 8BITMIME unharmed, so this test shows nothing about Prepare")
	}
}

// sink takes mail from the relay.
type sink struct {
	address string
	mu      sync.Mutex
	mails   map[string][]byte // by recipient
	arrived chan struct{}
}

func newSink(t *testing.T) *sink {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &sink{address: l.Addr().String(), mails: map[string][]byte{}, arrived: make(chan struct{}, 1000)}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &sinkSession{sink: k}, nil }))
	server.Domain, server.EnableSMTPUTF8 = "sink.example", true
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	return k
}

func (k *sink) wait(t *testing.T, n int) map[string][]byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for i := range n {
		select {
		case <-k.arrived:
		case <-ctx.Done():
			t.Fatalf("%d of %d mails arrived", i, n)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mails
}

type sinkSession struct {
	sink *sink
	to   string
}

func (s *sinkSession) Reset()                                    { s.to = "" }
func (s *sinkSession) Logout() error                             { return nil }
func (s *sinkSession) Mail(string, *smtp.MailOptions) error      { return nil }
func (s *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = to; return nil }

func (s *sinkSession) Data(r io.Reader) error {
	mail, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.sink.mu.Lock()
	s.sink.mails[s.to] = mail
	s.sink.mu.Unlock()
	s.sink.arrived <- struct{}{}
	return nil
}

// startPostfix runs an instance of its own on a loopback port until the test ends.
func startPostfix(t *testing.T, next string) (address string) {
	t.Helper()
	program, err := exec.LookPath("postfix")
	if err != nil {
		t.Skip("Postfix is not installed")
	}
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("Postfix can be started by root on Linux only")
	}
	dir, err := os.MkdirTemp("", "postfix") // t.TempDir is closed to the user that Postfix runs as
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	l.Close()
	_, port, err := net.SplitHostPort(next)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"", "etc", "queue", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("chown", "postfix", filepath.Join(dir, "data")).CombinedOutput(); err != nil {
		t.Skipf("chown: %s", out)
	}
	files := map[string]string{
		"main.cf":   fmt.Sprintf(postfixMain, dir, port),
		"master.cf": strings.ReplaceAll(postfixMaster, "LISTEN", address),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	log := filepath.Join(dir, "log")
	control := func(action string) error {
		cmd := exec.Command(program, "-c", filepath.Join(dir, "etc"), action)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, nil, nil // a pipe would stay open in the daemons
		return cmd.Run()
	}
	if err := control("start"); err != nil {
		text, _ := os.ReadFile(log)
		t.Skipf("Postfix does not start: %v\n%s", err, text)
	}
	t.Cleanup(func() {
		if err := control("stop"); err != nil {
			t.Errorf("stopping Postfix: %v", err)
		}
		if t.Failed() {
			text, _ := os.ReadFile(log)
			t.Logf("%s", text[max(0, len(text)-4000):])
		}
	})
	for range 100 {
		c, err := net.Dial("tcp", address)
		if err == nil {
			greeting := make([]byte, 4)
			_, err = io.ReadFull(c, greeting)
			c.Close()
			if err == nil && bytes.HasPrefix(greeting, []byte("220")) {
				return address
			}
		}
		time.Sleep(50 * time.Millisecond) // a process outside of this one
	}
	t.Fatal("Postfix does not greet")
	return ""
}

const postfixMain = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
myhostname = relay.example
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtp_tls_security_level = none
transport_maps = inline:{ {8bit.example = smtp:[127.0.0.1]:%[2]s}, {7bit.example = seven:[127.0.0.1]:%[2]s} }
`

const postfixMaster = `LISTEN inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
seven unix - - n - - smtp -o smtp_discard_ehlo_keywords=8bitmime,smtputf8
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
`

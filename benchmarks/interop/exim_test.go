//go:build unix

package interop

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
)

// An exim is a running Exim with configuration, spool and log of its own, that
// keeps what it takes.
type exim struct {
	address string
	dir     string
}

const eximConfig = `exim_path = %[1]s
primary_hostname = p1.relay.test
spool_directory = %[2]s/spool
log_file_path = %[2]s/log/%%slog
local_interfaces = 127.0.0.1
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 100
smtp_accept_max_per_host =
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
message_size_limit = 20000
queue_only = true
acl_smtp_rcpt = rcpt
acl_smtp_data = data
%[3]s
begin acl
rcpt:
  deny recipients = ` + refusedForGood + `
  defer recipients = ` + refusedForNow + `
  accept
data:
  accept
`

func startExim(t *testing.T, options ...string) *exim {
	t.Helper()
	program, err := exec.LookPath("exim4")
	if err != nil {
		program, err = exec.LookPath("exim")
	}
	switch {
	case err != nil:
		t.Skip("exim was not found")
	case os.Geteuid() != 0:
		t.Skip("Exim takes another configuration only from root")
	}
	dir, err := os.MkdirTemp("", "mxsend-exim-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	e := &exim{dir: dir}
	e.configure(t, program, options)
	e.run(t, program)
	return e
}

// configure writes the configuration, and gives the directories to Exim's user.
func (e *exim) configure(t *testing.T, program string, options []string) {
	t.Helper()
	config := filepath.Join(e.dir, "config")
	if err := os.WriteFile(config, fmt.Appendf(nil, eximConfig, program, e.dir, strings.Join(options, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(program, "-C", config, "-bP", "exim_user").Output()
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSpace(string(said[bytes.IndexByte(said, '=')+1:]))
	owner, err := user.Lookup(name)
	if err != nil {
		t.Skipf("Exim's user %q does not exist", name)
	}
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{".", "spool", "log"} {
		d = filepath.Join(e.dir, d)
		if err := errors.Join(os.MkdirAll(d, 0o755), os.Chmod(d, 0o755), os.Chown(d, uid, -1)); err != nil {
			t.Fatal(err)
		}
	}
}

func (e *exim) run(t *testing.T, program string) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Skip("no loopback:", err)
	}
	e.address = l.Addr().String()
	_ = l.Close()
	cmd := exec.Command(program, "-C", filepath.Join(e.dir, "config"), "-bdf",
		"-oX", strings.Replace(e.address, ":", ".", 1), "-oP", filepath.Join(e.dir, "pid"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // killed
	})
	for range 250 {
		if nc, err := net.Dial("tcp4", e.address); err == nil {
			_ = nc.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("Exim does not listen; its log:\n%s", e.log())
}

func (e *exim) log() []byte {
	log, _ := os.ReadFile(filepath.Join(e.dir, "log", "mainlog"))
	return log
}

// accepted is how many mails Exim took.
func (e *exim) accepted() int { return bytes.Count(e.log(), []byte(" <= ")) }

func TestEximMailing(t *testing.T) {
	cert := newCertificate(t, "*.relay.test")
	withTLS := []string{"tls_advertise_hosts = *", "tls_certificate = " + cert.shared(t)}
	tests := []struct {
		name    string
		options []string
		client  mxsend.Config
	}{
		{"clear", []string{"tls_advertise_hosts ="}, mxsend.Config{TLS: mxsend.TLSDisabled}},
		{"without PIPELINING", []string{"tls_advertise_hosts =", "pipelining_advertise_hosts ="}, mxsend.Config{TLS: mxsend.TLSDisabled}},
		{"STARTTLS", withTLS, mxsend.Config{TLSConfig: &tls.Config{RootCAs: cert.root}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const n = 100
			e := startExim(t, tt.options...)
			got, results := sendAll(t, newClient(t, tt.client, e.address), mailing(n))
			wantTally(t, got, tally{mxsend.Accepted: n}, results)
			if got := e.accepted(); got != n {
				t.Errorf("Exim took %d mails, want %d", got, n)
			}
			log := e.log()
			for _, r := range results {
				line := " " + r.Receipt.Recipients[0].QueueID + " <= " + r.Message.ReturnPath + " "
				if !bytes.Contains(log, []byte(line)) {
					t.Fatalf("Exim's log has no %q", line)
				}
			}
		})
	}
}

func TestEximRefusals(t *testing.T) {
	e := startExim(t, "tls_advertise_hosts =")
	c := newClient(t, mxsend.Config{TLS: mxsend.TLSDisabled}, e.address)
	const accepted, rejected, deferred = mxsend.Accepted, mxsend.Rejected, mxsend.Deferred
	large := append(content(0), strings.Repeat("0123456789\r\n", 2000)...)
	tests := []struct {
		name    string
		message mxsend.Message
		want    tally
		mails   int // that Exim takes
	}{
		{"recipients with outcomes of their own",
			mxsend.Message{ReturnPath: "mixed@bounces.test", Recipients: []string{recipient, refusedForGood, refusedForNow}, Content: content(1)},
			tally{accepted: 1, rejected: 1, deferred: 1}, 1},
		{"larger than SIZE",
			mxsend.Message{ReturnPath: "large@bounces.test", Recipients: []string{recipient}, Content: large}, tally{rejected: 1}, 0},
		{"null return path",
			mxsend.Message{ReturnPath: "<>", Recipients: []string{recipient}, Content: content(1)}, tally{accepted: 1}, 1},
		{"every recipient refused for now",
			mxsend.Message{ReturnPath: "refused@bounces.test", Recipients: []string{refusedForNow}, Content: content(1)}, tally{deferred: 1}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := e.accepted()
			got, results := sendAll(t, c, only(&tt.message))
			wantTally(t, got, tt.want, results)
			if got := e.accepted() - before; got != tt.mails {
				t.Errorf("Exim took %d mails, want %d", got, tt.mails)
			}
		})
	}
}

package postfix

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/postfix"
)

// An instance is a running Postfix.
type instance struct {
	name, ip, log string
}

const masterCF = `smtp inet n - n - - smtpd
badfall unix - - n - - smtp
    -o smtp_fallback_relay=[fallback550.mail.test]
showq unix n - n - - showq
` + postfix.Services

// start starts an instance, with parameters of its own.
func start(t *testing.T, dir, name, ip, parameters string) *instance {
	t.Helper()
	i := &instance{name: name + ".mail.test", ip: ip, log: filepath.Join(dir, name, "maillog")}
	conf := filepath.Join(dir, name, "conf")
	for _, d := range []string{conf, filepath.Join(dir, name, "queue"), filepath.Join(dir, name, "data")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	command(t, "chown", "postfix", filepath.Join(dir, name, "data"))
	command(t, "ip", "addr", "add", ip+"/32", "dev", "lo")
	main := fmt.Sprintf(postfix.Parameters+`maillog_file = %[1]s/maillog
myhostname = %[2]s
mydomain = mail.test
inet_interfaces = %[3]s
smtp_helo_timeout = 2s
smtp_connect_timeout = 3s
smtp_host_lookup = dns
transport_maps = inline:{ {badfall.test=badfall:} }
%[4]s
`, filepath.Join(dir, name), i.name, ip, parameters)
	for file, text := range map[string]string{"main.cf": main, "master.cf": masterCF} {
		if err := os.WriteFile(filepath.Join(conf, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { exec.Command("script", "-qc", "postfix -c "+conf+" stop", "/dev/null").Run() })
	command(t, "script", "-qec", "postfix -c "+conf+" start", "/dev/null")
	return i
}

// command runs a command that must succeed.
func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// A line is a delivery attempt in the log.
type line struct {
	at                 time.Time
	to, relay, dsn     string
	status, text, orig string
}

var logLine = regexp.MustCompile(`^(\S+ +\S+ \S+) .*: to=<([^>]*)>,(?: orig_to=<[^>]*>,)? relay=([^,]*),.* dsn=([0-9.]+), status=(\w+) \((.*)\)$`)

// attempts reads the attempts for a recipient from the log.
func (i *instance) attempts(t *testing.T, to string) []line {
	t.Helper()
	text, err := os.ReadFile(i.log)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var list []line
	for l := range strings.Lines(string(text)) {
		m := logLine.FindStringSubmatch(strings.TrimRight(l, "\n"))
		if m == nil || m[2] != to {
			continue
		}
		at, err := time.Parse("Jan _2 15:04:05", m[1])
		if err != nil {
			t.Fatal(err)
		}
		relay, _, _ := strings.Cut(m[3], "[")
		list = append(list, line{at: at, to: m[2], relay: relay, dsn: m[4], status: m[5], text: m[6], orig: l})
	}
	return list
}

// first waits for the first attempt for a recipient.
func (i *instance) first(t *testing.T, to string) line {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if list := i.attempts(t, to); len(list) > 0 {
			return list[0]
		}
	}
	text, _ := os.ReadFile(i.log)
	t.Fatalf("%s: no attempt for %s:\n%s", i.name, to, text)
	return line{}
}

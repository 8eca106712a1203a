package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// lockedBuffer is written to by the program and read by the test.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// start runs the program and returns the address that it serves.
func start(t *testing.T, args ...string) (address string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var stderr lockedBuffer
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, append([]string{"-listen", "127.0.0.1:0"}, args...), &stderr) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
		if t.Failed() {
			t.Log(stderr.String())
		}
	})
	serving := regexp.MustCompile(`metrics at http://(\S+)/metrics`)
	eventually(t, "the program serves", func() error {
		if m := serving.FindStringSubmatch(stderr.String()); m != nil {
			address = m[1]
			return nil
		}
		return fmt.Errorf("said %q", stderr.String())
	})
	return address
}

// eventually waits until f returns no error.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

func get(address string) (string, error) {
	r, err := http.Get(address)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.300s", r.Status, text)
	}
	return string(text), err
}

// A query is one of the dashboard or of an alert, with a place that names it.
type query struct{ place, expr string }

// queries are all of them, with Grafana's variables filled in.
func queries(t *testing.T) (all []query) {
	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, q := range p.Targets {
			all = append(all, query{"panel " + p.Title, strings.NewReplacer("$__rate_interval", "10s", "$lane", ".*").Replace(q.Expr)})
		}
	}
	rules, err := os.ReadFile("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(rules), "\n")
	for i, line := range lines {
		expr, found := strings.CutPrefix(line, "        expr: ")
		if !found {
			continue
		}
		if expr == "|" {
			expr = ""
			for _, more := range lines[i+1:] {
				if !strings.HasPrefix(more, "          ") {
					break
				}
				expr += more + " "
			}
		}
		all = append(all, query{strings.TrimSpace(lines[i-1]), expr})
	}
	if len(all) < 20 {
		t.Errorf("%d queries: were the files read?", len(all))
	}
	return all
}

// Dashboard and alerts ask for metrics that the program serves.
func TestQueriesAskForWhatIsServed(t *testing.T) {
	address := start(t)
	name := regexp.MustCompile(`mxsend_[a-z_]+`)
	occasional := map[string]bool{"mxsend_relay_ejections_total": true, "mxsend_connection_losses_total": true}
	labels := map[string]bool{"mxsend_lane": true, "mxsend_outcome": true}
	all := queries(t)
	eventually(t, "all that is asked for is served", func() error {
		served, err := get("http://" + address + "/metrics")
		if err != nil {
			return err
		}
		var missing []string
		for _, q := range all {
			for _, n := range name.FindAllString(q.expr, -1) {
				if !labels[n] && !occasional[n] && !strings.Contains(served, "\n"+n+"{") {
					missing = append(missing, q.place+" asks for "+n)
				}
			}
		}
		if len(missing) > 0 {
			return fmt.Errorf("not served: %s", strings.Join(missing, ", "))
		}
		return nil
	})
}

// A real Prometheus takes the rules, scrapes the program, and answers every query.
func TestPrometheus(t *testing.T) {
	for _, program := range []string{"prometheus", "promtool"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (Debian: apt-get install prometheus)", program)
		}
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}, {"check", "config", "prometheus.yml"}} {
		if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	program := start(t)
	prometheus := startPrometheus(t, program)
	ask := func(expr string) (n int, err error) {
		text, err := get("http://" + prometheus + "/api/v1/query?query=" + url.QueryEscape(expr))
		if err != nil {
			return 0, err
		}
		var answer struct {
			Status string
			Data   struct{ Result []any }
		}
		err = json.Unmarshal([]byte(text), &answer)
		if err == nil && answer.Status != "success" {
			err = fmt.Errorf("%.300s", text)
		}
		return len(answer.Data.Result), err
	}
	eventually(t, "Prometheus has scraped twice", func() error {
		n, err := ask(`rate(mxsend_recipients_total{mxsend_outcome="accepted",mxsend_lane="bulk"}[10s]) > 0`)
		if err == nil && n == 0 {
			err = fmt.Errorf("no rate yet")
		}
		return err
	})
	for _, q := range queries(t) {
		n, err := ask(q.expr)
		if err != nil {
			t.Errorf("%s: %v", q.place, err)
		}
		sometimes := strings.Contains(q.expr, "ejections") || strings.Contains(q.expr, "losses") || strings.Contains(q.expr, `error_type!=""`)
		if strings.HasPrefix(q.place, "panel") && n == 0 && !sometimes {
			t.Errorf("%s shows nothing: %s", q.place, q.expr)
		}
	}
	rules, err := get("http://" + prometheus + "/api/v1/rules")
	if err != nil || strings.Count(rules, `"health":"ok"`) != 7 {
		t.Errorf("rules (%v): %s", err, rules)
	}
}

// startPrometheus starts one of its own that scrapes a program every second, and returns its address.
func startPrometheus(t *testing.T, program string) (address string) {
	t.Helper()
	dir := t.TempDir()
	config, err := os.ReadFile("prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("127.0.0.1:9464", program, "interval: 5s", "interval: 1s", "alerts.yml", rules).Replace(string(config))
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = free.Addr().String()
	_ = free.Close()
	var log lockedBuffer
	cmd := exec.Command("prometheus", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	eventually(t, "Prometheus is ready", func() error {
		_, err := get("http://" + address + "/-/ready")
		return err
	})
	return address
}

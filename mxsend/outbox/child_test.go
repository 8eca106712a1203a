package outbox

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// A childSpec is what a process of its own is told: it opens the database, starts the mailing, which goes on where it was if it
// was started before, and ends when the mailing does.
type childSpec struct {
	Database string
	Relays   []mxsend.Host
	Mailing  Mailing
	N        int
	Slow     time.Duration // each rendering
	Gate     int
	Lease    time.Duration
	Resend   bool
	Stay     bool // goes on after the mailing has ended
}

const childVariable = "OUTBOX_TEST_CHILD"

// child is the process's main function.
func child(text string) int {
	var spec childSpec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		panic(err)
	}
	go func() { // dies with its parent
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	ctx := context.Background()
	client, err := mxsend.New(mxsend.Config{Domain: "mail.test", Resolver: mxsend.StaticRelays(spec.Relays...), TLS: mxsend.TLSDisabled})
	if err != nil {
		panic(err)
	}
	cfg := Config{
		Database: spec.Database, Client: client, VERP: testCodec(), Lease: spec.Lease, Gate: spec.Gate, Key: []byte("0123456789abcdef"),
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Render: func(ctx context.Context, d Draft) (*mxsend.Message, error) {
			time.Sleep(spec.Slow)
			return render(ctx, d)
		},
	}
	if spec.Resend {
		cfg.InDoubt = mxsend.InDoubtResend
	}
	b, err := New(ctx, cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 2
	}
	fmt.Println("ready", os.Getpid())
	for {
		if _, err := b.Start(ctx, spec.Mailing, people(spec.N)); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond) // the one before was killed while it loaded
	}
	for {
		s, err := b.Status(ctx, spec.Mailing.Name)
		if err == nil && s.Ended() {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Println("ended")
	for spec.Stay {
		time.Sleep(time.Second)
	}
	if b.Close() != nil || client.Close() != nil {
		return 1
	}
	return 0
}

// A childProcess is one that runs.
type childProcess struct {
	*exec.Cmd
	exited chan error
	ended  chan struct{} // it says that the mailing has ended
}

func startChild(t testing.TB, spec childSpec) *childProcess {
	t.Helper()
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	cmd.Stderr = t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &childProcess{cmd, make(chan error, 1), make(chan struct{})}
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if lines.Text() == "ended" {
				close(c.ended)
			}
		}
		c.exited <- cmd.Wait()
		_ = stdin.Close()
	}()
	t.Cleanup(c.kill)
	return c
}

// kill is kill -9, and waits for its effect.
func (c *childProcess) kill() {
	_ = c.Process.Kill()
	select {
	case err := <-c.exited:
		c.exited <- err
	case <-time.After(10 * time.Second):
	}
}

// relaysOf are a cluster's primaries as other processes reach them.
func relaysOf(t testing.TB, cluster *mxtest.Cluster) (hosts []mxsend.Host) {
	t.Helper()
	for i := range 2 {
		at, err := netip.ParseAddrPort(cluster.Primary(i).ListenAddr())
		if err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, mxsend.Host{Name: cluster.Primary(i).Name(), Preference: 10, Addresses: []netip.Addr{at.Addr()}, Port: int(at.Port())})
	}
	return hosts
}

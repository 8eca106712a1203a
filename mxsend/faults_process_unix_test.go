//go:build unix

package mxsend

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Processes that are stopped by SIGSTOP and go on by SIGCONT.
var faultsProcess = []liveFault{
	{"E6/relay process", relayProcessStopped},
	{"E6/client process", clientProcessStopped},
}

const processVariable = "MXSEND_TEST_PROCESS"

// TestProcess is the other process of faultsProcess.
func TestProcess(t *testing.T) {
	switch os.Getenv(processVariable) {
	case "relay":
		beRelay(t)
	case "client":
		beClient(t)
	default:
		t.Skip("it is started by other tests")
	}
}

// A child is such a process, which is spoken with line by line.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
}

func startChild(t *testing.T, role string, arguments ...string) *child {
	cmd := exec.Command(os.Args[0], append([]string{"-test.run=^TestProcess$", "--"}, arguments...)...)
	cmd.Env = append(os.Environ(), processVariable+"="+role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip("no process of our own:", err)
	}
	c := &child{t: t, cmd: cmd, in: in, lines: make(chan string, 100)}
	go func() {
		defer close(c.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return c
}

func (c *child) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

// say writes a line to the process.
func (c *child) say(line string) { fmt.Fprintln(c.in, line) }

// next returns what follows in the next line after a word.
func (c *child) next(word string) string {
	c.t.Helper()
	for {
		select {
		case line, ok := <-c.lines:
			if rest, found := strings.CutPrefix(line, word+" "); found {
				return rest
			}
			if !ok {
				c.t.Fatalf("the process ended without a word of %q", word)
			}
		case <-time.After(20 * time.Second):
			c.t.Fatalf("the process says nothing of %q", word)
		}
	}
}

// end has the process end, which it must do without complaint. It returns the
// rest of what it said.
func (c *child) end() (lines []string) {
	c.t.Helper()
	_ = c.in.Close()
	for line := range c.lines {
		lines = append(lines, line)
	}
	if err := c.cmd.Wait(); err != nil {
		c.t.Error("the process:", err)
	}
	return lines
}

// heldDots keeps the reply to the final dot of mails to held@ until it is released.
// It tells of each.
func heldDots(r *testRelay, tell func(), released <-chan struct{}) {
	var mu sync.Mutex
	held := map[int]bool{} // by connection
	r.before = func(n int, line string) {
		mu.Lock()
		if strings.HasPrefix(line, "RCPT") {
			held[n] = strings.HasPrefix(line, "RCPT TO:<held")
		}
		wait := line == "." && held[n]
		mu.Unlock()
		if wait {
			tell()
			<-released
		}
	}
}

// beRelay serves until the end of its input; each line releases a held dot.
func beRelay(t *testing.T) {
	r, released := &testRelay{name: "p1.relays.test", ehlo: fullEHLO}, make(chan struct{})
	heldDots(r, func() { fmt.Println("held now") }, released)
	h := tcpRelay(t, r)
	fmt.Println("address", netip.AddrPortFrom(h.Addresses[0], uint16(h.Port)))
	for s := bufio.NewScanner(os.Stdin); s.Scan(); {
		released <- struct{}{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.accepted {
		fmt.Println("took", m.from)
	}
}

// relayProcessStopped: a relay's process is stopped with a mail in doubt, and goes
// on later.
func relayProcessStopped(t *testing.T) {
	relay := startChild(t, "relay")
	first := loopbackHost("p1.relays.test", relay.next("address"))
	second := tcpRelay(t, &testRelay{name: "p2.relays.test", ehlo: fullEHLO})
	c, err := New(Config{Domain: "relays.test", TLS: TLSDisabled, Resolver: StaticRelays(first, second), Limits: stoppedLimits})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	took := map[string]bool{} // return paths that the first relay said it took
	send := func(m *Message) Outcome {
		r, _ := c.Send(t.Context(), m)
		if to := r.Recipients[0]; to.Relay == first.Name && to.Outcome == Accepted {
			took[m.ReturnPath] = true
		}
		return r.Recipients[0].Outcome
	}
	n := 0
	untilFirst := func(within time.Duration) {
		t.Helper()
		for start, before := time.Now(), len(took); len(took) == before; n++ {
			if got := send(testMessage(n)); got != Accepted || time.Since(start) > within {
				t.Fatalf("message %d: %v after %v", n, got, time.Since(start))
			}
		}
	}
	untilFirst(20 * time.Second)

	// Only the first relay is there while the mail to be held is placed.
	if err := c.SetWeights(map[string]int{second.Name: 0}); err != nil {
		t.Fatal(err)
	}
	held := make(chan Receipt)
	go func() {
		m := testMessage(1_000_000)
		m.Recipients[0] = "held@example.test"
		r, _ := c.Send(t.Context(), m)
		held <- r
	}()
	relay.next("held")
	relay.signal(syscall.SIGSTOP)
	if err := c.SetWeights(nil); err != nil {
		t.Fatal(err)
	}
	for range 10 { // each is accepted elsewhere, some after a time-out
		if got := send(testMessage(n)); got != Accepted {
			t.Errorf("message %d beside a stopped relay: %v", n, got)
		}
		n++
	}
	if r := (<-held).Recipients[0]; r.Outcome != InDoubt || r.Relay != first.Name {
		t.Errorf("the mail that was committed: %+v", r)
	}
	relay.signal(syscall.SIGCONT)
	relay.say("release")
	untilFirst(60 * time.Second)

	at := map[string]int{}
	for _, line := range relay.end() {
		if from, ok := strings.CutPrefix(line, "took "); ok {
			at[from]++
		}
	}
	for from := range took {
		if at[from] != 1 {
			t.Errorf("Accepted, but the relay has it %d times", at[from])
		}
	}
}

// beClient sends a mail to each address that it reads, all beside each other, over
// the relay that it is told of, and says what became of them.
func beClient(t *testing.T) {
	relay := loopbackHost("p1.relays.test", os.Args[len(os.Args)-1])
	c, err := New(Config{Domain: "relays.test", TLS: TLSDisabled, Resolver: StaticRelays(relay), Limits: stoppedLimits, Retry: noRetryNow})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var sends sync.WaitGroup
	for s := bufio.NewScanner(os.Stdin); s.Scan(); {
		m := testMessage(1)
		m.Recipients[0] = s.Text()
		sends.Go(func() {
			r, _ := c.Send(context.Background(), m)
			fmt.Println("outcome", m.Recipients[0], r.Recipients[0].Outcome)
		})
	}
	sends.Wait()
}

// clientProcessStopped: the client's process is stopped for longer than its
// deadlines, with a mail committed and another before its final dot. When it goes
// on the time is up: it reports both at once, and goes on with others.
func clientProcessStopped(t *testing.T) {
	told, released, waits := make(chan struct{}, 2), make(chan struct{}), make(chan struct{})
	r := &testRelay{name: "p1.relays.test", ehlo: fullEHLO}
	heldDots(r, func() { told <- struct{}{} }, released)
	atDot := r.before
	r.before = func(n int, line string) {
		if strings.HasPrefix(line, "RCPT TO:<late") {
			told <- struct{}{}
			<-waits
		}
		atDot(n, line)
	}
	defer close(waits)
	defer close(released)
	h := tcpRelay(t, r)
	client := startChild(t, "client", netip.AddrPortFrom(h.Addresses[0], uint16(h.Port)).String())
	client.say("held@example.test")
	client.say("late@example.test")
	<-told
	<-told
	client.signal(syscall.SIGSTOP)
	time.Sleep(stoppedLimits.FinalDot * 3 / 2) // what is tested is that this time counts
	client.signal(syscall.SIGCONT)
	start := time.Now()
	got := map[string]string{}
	for range 2 {
		address, outcome, _ := strings.Cut(client.next("outcome"), " ")
		got[address] = outcome
	}
	if took := time.Since(start); took >= stoppedLimits.FinalDot {
		t.Errorf("the deadlines began anew: %v", took)
	}
	for address, want := range map[string]Outcome{"held@example.test": InDoubt, "late@example.test": Deferred} {
		if got[address] != want.String() {
			t.Errorf("%s: got %s, want %v", address, got[address], want)
		}
	}
	client.say("next@example.test")
	if got, want := client.next("outcome"), "next@example.test "+Accepted.String(); got != want {
		t.Errorf("after it went on: got %s, want %s", got, want)
	}
	client.end()
}

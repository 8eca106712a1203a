//go:build unix

package outbox

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The page works in a browser, under its own Content-Security-Policy: the button is found and clicked, and the answer shown.
func TestUnsubscribeInABrowser(t *testing.T) {
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed here")
	}
	b, link := unsubscribeServer(t)
	browser := startBrowser(t, program)
	browser.call("Page.navigate", map[string]any{"url": link})
	browser.waitTitle("Unsubscribe")
	if unsubscribed(t, b, "jane@example.test") {
		t.Error("opening the page has unsubscribed")
	}
	// A click as a mouse makes it, and not a call of the form's submit.
	browser.evaluate("document.querySelector('button').click()")
	browser.waitTitle("You are unsubscribed")
	if !unsubscribed(t, b, "jane@example.test") {
		t.Error("the button has not unsubscribed")
	}
	if text := browser.evaluate("document.body.innerText"); !strings.Contains(text, "weekly <b>") {
		t.Errorf("the page says %q", text)
	}
	if cookies := browser.evaluate("document.cookie"); cookies != "" {
		t.Errorf("cookies: %q", cookies)
	}
}

// A browser is driven by the DevTools protocol over a pair of pipes.
type browser struct {
	t       *testing.T
	in      *os.File
	out     *bufio.Reader
	session string
	last    int
}

func startBrowser(t *testing.T, program string) *browser {
	t.Helper()
	readIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, writeOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{readIn, writeOut} // 3 and 4
	if err := cmd.Start(); err != nil {
		t.Skipf("chromium does not start here: %v", err)
	}
	_, _ = readIn.Close(), writeOut.Close()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = in.Close()
		_ = out.Close()
		time.Sleep(100 * time.Millisecond) // its children still write into the directory that is to be removed
	})
	if err := out.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, in: in, out: bufio.NewReader(out)}
	var target struct{ TargetID string }
	b.decode(b.call("Target.createTarget", map[string]any{"url": "about:blank"}), &target)
	var session struct{ SessionID string }
	b.decode(b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}), &session)
	b.session = session.SessionID
	return b
}

// call asks for something and returns the result, passing over events.
func (b *browser) call(method string, params any) json.RawMessage {
	b.t.Helper()
	b.last++
	text, err := json.Marshal(map[string]any{"id": b.last, "method": method, "params": params})
	if err != nil {
		b.t.Fatal(err)
	}
	if b.session != "" {
		text = fmt.Appendf(bytes.TrimSuffix(text, []byte("}")), `,"sessionId":%q}`, b.session)
	}
	if _, err := b.in.Write(append(text, 0)); err != nil {
		b.t.Fatalf("chromium: %v", err)
	}
	for {
		answer, err := b.out.ReadBytes(0)
		if err != nil {
			b.t.Fatalf("chromium: %v", err)
		}
		var reply struct {
			ID            int
			Result, Error json.RawMessage
		}
		b.decode(bytes.TrimSuffix(answer, []byte{0}), &reply)
		if reply.ID != b.last {
			continue
		}
		if reply.Error != nil {
			b.t.Fatalf("chromium: %s: %s", method, reply.Error)
		}
		return reply.Result
	}
}

func (b *browser) decode(text []byte, into any) {
	b.t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		b.t.Fatalf("chromium: %v in %s", err, text)
	}
}

func (b *browser) evaluate(script string) string {
	b.t.Helper()
	var answer struct{ Result struct{ Value any } }
	b.decode(b.call("Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true, "userGesture": true}), &answer)
	if answer.Result.Value == nil {
		return ""
	}
	return fmt.Sprint(answer.Result.Value)
}

func (b *browser) waitTitle(want string) {
	b.t.Helper()
	got := ""
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = b.evaluate("document.title"); got == want {
			return
		}
	}
	b.t.Fatalf("the page's title is %q, want %q: %s", got, want, b.evaluate("document.documentElement.outerHTML"))
}

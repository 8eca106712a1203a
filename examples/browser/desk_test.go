package browser_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/mxsend/go-mxsend/examples/browser"
	"github.com/mxsend/go-mxsend/mxsend"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// open starts a stage, serves its desk, and opens a browser, or skips the test where there is none.
func open(t *testing.T, o browser.StageOptions) (s *browser.Stage, url string, tab context.Context) {
	t.Helper()
	tab, end, err := browser.Open(t.Context())
	if errors.Is(err, browser.ErrMissing) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	s, url = serve(t, o)
	return s, url, tab
}

// serve starts a stage, and serves its desk.
func serve(t *testing.T, o browser.StageOptions) (s *browser.Stage, url string) {
	t.Helper()
	s, err := browser.NewStage(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	server := httptest.NewServer(s.Desk)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return s, server.URL
}

// watchDialogs fails the test where a page opens a dialog.
func watchDialogs(t *testing.T, tab context.Context) {
	chromedp.ListenTarget(tab, func(event any) {
		if e, ok := event.(*page.EventJavascriptDialogOpening); ok {
			t.Errorf("a dialog says %q", e.Message)
			go chromedp.Run(tab, page.HandleJavaScriptDialog(true))
		}
	})
}

// watchConsole fails the test where the page's own script fails, or the policy stops something.
func watchConsole(t *testing.T, tab context.Context) {
	chromedp.ListenTarget(tab, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("script: %s", e.ExceptionDetails.Error())
		case *cdplog.EventEntryAdded:
			if e.Entry.Level == cdplog.LevelError {
				t.Errorf("console: %s %s", e.Entry.Text, e.Entry.URL)
			}
		}
	})
}

func do(t *testing.T, tab context.Context, actions ...chromedp.Action) {
	t.Helper()
	if err := browser.Do(tab, actions...); err != nil {
		t.Fatal(err)
	}
}

// until waits until an expression of JavaScript is true, on this page or the next.
func until(expression string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		for {
			is := false
			err := chromedp.Evaluate("Boolean("+expression+")", &is).Do(ctx) // fails while the page changes
			if is && err == nil {
				return nil
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return fmt.Errorf("never true: %s: %w", expression, errors.Join(ctx.Err(), err))
			}
		}
	})
}

// A relay is stopped by a click, in the middle of a mailing: the page says so, shows the line of Go, and the mailing goes on over
// the other relay, without a loss.
func TestStopByClick(t *testing.T) {
	s, url, tab := open(t, browser.StageOptions{Accept: 20 * time.Millisecond})
	watchConsole(t, tab)
	var wg sync.WaitGroup
	enough := make(chan struct{})
	submitted, accepted := 0, 0
	wg.Go(func() {
		messages := func(yield func(*mxsend.Message) bool) {
			for ; ; submitted++ {
				select {
				case <-enough:
					return
				default:
				}
				m, err := s.Order(submitted, fmt.Sprintf("customer%d@example.test", submitted))
				if err != nil {
					t.Error(err)
					return
				}
				if !yield(m) {
					return
				}
			}
		}
		for result := range s.Client.SendAll(t.Context(), messages) {
			for _, r := range result.Receipt.Recipients {
				switch r.Outcome {
				case mxsend.Accepted:
					accepted++
				case mxsend.InDoubt: // the relay was stopped between its dot and its reply
				default:
					t.Errorf("%v: %v", r.Outcome, r.Err)
				}
			}
		}
	})
	defer wg.Wait()
	end := sync.OnceFunc(func() { close(enough) })
	defer end()
	p1, p2 := s.Cluster.Primary(0), s.Cluster.Primary(1)
	taken := func(r *mxtest.Relay) int { return s.Cluster.Ledger().Counts().ByRelay[r.Name()] }
	const number = `Number(document.getElementById("%s-accepted").innerText.replace(",", "").replace("k", "000"))`
	do(t, tab, browser.Wide.As(), chromedp.Navigate(url), until(fmt.Sprintf(number+" > 0", "p1")),
		chromedp.Click("#p1-stop", chromedp.ByQuery), until(`document.getElementById("p1-state")?.innerText === "stopped"`))
	if p1.Status().State != mxtest.Stopped {
		t.Fatal("the relay is not stopped")
	}
	atP1, atP2 := taken(p1), taken(p2)
	var line string
	do(t, tab, chromedp.Text("#deeds", &line, chromedp.ByQuery), until(fmt.Sprintf(number+" > %d", "p2", atP2+100))) // it goes on, and is seen
	if strings.TrimSpace(line) != "cluster.Primary(0).Stop()" {
		t.Errorf("the line of Go is %q", line)
	}
	if n := taken(p1); n != atP1 {
		t.Errorf("p1 took %d mails, then %d, although it is stopped", atP1, n)
	}
	do(t, tab, chromedp.Click("#p1-start", chromedp.ByQuery), until(`document.getElementById("p1-state")?.innerText === "running"`))
	if p1.Status().State != mxtest.Running {
		t.Error("the relay has not started")
	}
	end()
	wg.Wait()
	if err := s.Cluster.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	counts := s.Cluster.Ledger().Counts()
	s.Cluster.Ledger().AssertNothingLost(t)
	if counts.Mails < accepted || counts.Mails > submitted || counts.Duplicates > 0 {
		t.Errorf("%d mails submitted, %d accepted; the ledger has %+v", submitted, accepted, counts)
	}
}

// A form on a page of another origin, sent by its script or by a click, is refused.
func TestForeignForm(t *testing.T) {
	s, url, tab := open(t, browser.StageOptions{})
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form id="f" method="post" action="%s/relays/p1"><input name="do" value="stop"><button id="b">Win</button></form>`, url)
	}))
	t.Cleanup(evil.Close)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(evil.URL, "http://"))
	for _, from := range []string{evil.URL, "http://localhost:" + port} { // the same site at another port; another site
		tab, end := chromedp.NewContext(tab) // without the watch: the refusal is an error on the console
		var body string
		do(t, tab, chromedp.Navigate(from), chromedp.Click("#b", chromedp.ByQuery), until(`document.body.innerText.includes("cross-origin")`),
			chromedp.Text("body", &body, chromedp.ByQuery))
		if s.Cluster.Primary(0).Status().State != mxtest.Running {
			t.Errorf("from %s: the relay was stopped", from)
		}
		end()
	}
	do(t, tab, chromedp.Navigate(url), chromedp.Click("#p1-stop", chromedp.ByQuery), until(`document.getElementById("p1-state")?.innerText === "stopped"`))
}

// A hundred viewers see each change, and the cluster is looked at once a second, not a hundred times.
func TestHundredViewers(t *testing.T) {
	s, url := serve(t, browser.StageOptions{})
	began := time.Now()
	var wg sync.WaitGroup
	started := make(chan struct{}, 100)
	events := make([]int, 100)
	for i := range 100 {
		wg.Go(func() {
			resp, err := http.Get(url + "/events")
			if err != nil {
				t.Error(err)
				started <- struct{}{}
				return
			}
			defer resp.Body.Close()
			lines := bufio.NewReaderSize(resp.Body, 64<<10)
			for first := true; ; first = false {
				line, err := lines.ReadString('\n')
				if first {
					started <- struct{}{}
				}
				if err != nil {
					t.Error(err)
					return
				}
				data, ok := strings.CutPrefix(line, "data: ")
				if !ok {
					continue
				}
				var news map[string]string
				if err := json.Unmarshal([]byte(data), &news); err != nil {
					t.Error(err)
				}
				events[i]++
				if strings.Contains(news["p2-state"], "stopped") {
					return
				}
			}
		})
	}
	for range 100 {
		<-started
	}
	for n := range 200 { // while mail flows
		m, err := s.Order(n, "jane@example.test")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Client.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if time.Sleep(10 * time.Millisecond); n == 100 {
			resp, err := http.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	}
	resp, err := http.PostForm(url+"/relays/p2", map[string][]string{"do": {"stop"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	wg.Wait()
	limit := int(time.Since(began).Seconds()) + 4 // one a second, the first, and the click
	for i, n := range events {
		if n > limit {
			t.Errorf("viewer %d got %d events in %v", i, n, time.Since(began))
		}
	}
}

// The mail of a stranger, shown: none of its scripts run, nothing of it is loaded, and the page stays what it is.
func TestHostileMail(t *testing.T) {
	s, url, tab := open(t, browser.StageOptions{})
	watchDialogs(t, tab)
	outside := 0
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { outside++ }))
	t.Cleanup(trap.Close)
	attack := `<script>alert(1);parent.document.title="taken";top.location="TRAP/top"</script><img src="TRAP/img" onerror="alert(2)">
<link rel=stylesheet href="TRAP/css"><style>@import "TRAP/import"; body { background: url(TRAP/bg) }</style><iframe src="TRAP/frame"></iframe>
<meta http-equiv=refresh content="0;url=TRAP/meta"><svg onload="alert(3)"></svg><form action="TRAP/form"><button id=b autofocus>x</button></form>
<base href="TRAP/"><object data="TRAP/object"></object><video src="TRAP/video" autoplay></video><p id=seen>Seen.</p>`
	attack = strings.ReplaceAll(attack, "TRAP", trap.URL)
	content := "From: \"</title><script>alert(4)</script>\" <evil@app.test>\r\nTo: jane@example.test\r\n" +
		"Subject: </title><script>alert(5)</script><img src=x onerror=alert(6)>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <x@app.test>\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + attack + "\r\n"
	unsigned, err := mxsend.New(mxsend.Config{
		Domain: s.Cluster.Domain(), Resolver: mxsend.NewResolver(s.Cluster.DNSAddr()), Dial: s.Cluster.Dial, TLSConfig: s.Cluster.TLSConfig(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer unsigned.Close()
	if _, err := unsigned.Send(t.Context(), &mxsend.Message{ReturnPath: "evil@app.test", Recipients: []string{"jane@example.test"}, Content: []byte(content)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Cluster.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	id, err := s.Find(mxtest.Delivered)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var asked []string
	chromedp.ListenTarget(tab, func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok {
			mu.Lock()
			asked = append(asked, e.Request.URL)
			mu.Unlock()
		}
	})
	var title, heading, frame string
	do(t, tab, network.Enable(), chromedp.Navigate(url), chromedp.Navigate(url+"/mails"), chromedp.Navigate(url+"/mails/"+id),
		chromedp.WaitVisible("iframe", chromedp.ByQuery), chromedp.Sleep(time.Second), // for what should not happen
		chromedp.Title(&title), chromedp.Text("h1", &heading, chromedp.ByQuery))
	if want := "</title><script>alert(5)</script><img src=x onerror=alert(6)>"; heading != want || title != want+" · mail.test" {
		t.Errorf("the heading is %q, the title %q", heading, title)
	}
	do(t, tab, chromedp.Navigate(url+"/mails/"+id+"/parts/1"), chromedp.Sleep(500*time.Millisecond), chromedp.Text("#seen", &frame, chromedp.ByQuery))
	if frame != "Seen." {
		t.Errorf("the part says %q", frame)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, request := range asked {
		t.Logf("asked for %s", request)
	}
	if outside > 0 || len(asked) < 3 {
		t.Errorf("%d requests went elsewhere, %d in all", outside, len(asked))
	}
}

// Every page fits, wide and narrow, light and dark: nothing sticks out to the side.
func TestPagesFit(t *testing.T) {
	s, url, tab := open(t, browser.StageOptions{})
	watchConsole(t, tab)
	s.Destinations()
	if err := s.Play(t.Context(), 50, 3*time.Second); err != nil {
		t.Fatal(err)
	}
	id, err := s.Find(mxtest.Bounced)
	if err != nil {
		t.Fatal(err)
	}
	darkNarrow := browser.Narrow
	darkNarrow.Dark = true
	for _, look := range []browser.Look{browser.Wide, browser.Narrow, darkNarrow} {
		for _, path := range []string{"/", "/mails", "/mails?q=nothing", "/mails/" + id, "/connect", "/api", "/mails/none"} {
			tab, end := chromedp.NewContext(tab)
			var width int
			var background string
			do(t, tab, look.As(), chromedp.Navigate(url+path), chromedp.Evaluate(`document.documentElement.scrollWidth`, &width),
				chromedp.Evaluate(`getComputedStyle(document.body).backgroundColor`, &background))
			if width > look.Width {
				t.Errorf("%s is %d wide at %d", path, width, look.Width)
			}
			if dark := background != "rgb(246, 247, 249)"; dark != look.Dark {
				t.Errorf("%s: the background is %s, dark %v", path, background, look.Dark)
			}
			end()
		}
	}
}

// By keyboard alone: Tab reaches the button, Enter presses it, and what another viewer does meanwhile leaves the focus where it is.
func TestKeyboard(t *testing.T) {
	s, url, tab := open(t, browser.StageOptions{})
	watchConsole(t, tab)
	do(t, tab, browser.Wide.As(), chromedp.Navigate(url), until(`!document.body.classList.contains("offline")`))
	focus := ""
	for range 40 {
		do(t, tab, chromedp.KeyEvent(kb.Tab), chromedp.Evaluate(`document.activeElement.id`, &focus))
		if focus == "p1-freeze" {
			break
		}
	}
	if focus != "p1-freeze" {
		t.Fatalf("Tab led to %q", focus)
	}
	resp, err := http.PostForm(url+"/relays/p1", map[string][]string{"do": {"slow"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	do(t, tab, until(`document.getElementById("p1-fast")`), chromedp.Evaluate(`document.activeElement.id`, &focus))
	if focus != "p1-freeze" {
		t.Errorf("the focus went to %q", focus)
	}
	do(t, tab, chromedp.KeyEvent(kb.Enter), until(`document.getElementById("p1-state")?.innerText === "black-holed"`))
	if s.Cluster.Primary(0).Status().State != mxtest.BlackHoled {
		t.Error("the relay was not frozen")
	}
}

// Without script the page is complete, its buttons work, and it reloads by itself.
func TestWithoutScript(t *testing.T) {
	s, url, tab := open(t, browser.StageOptions{})
	var buttons []*cdp.Node
	do(t, tab, emulation.SetScriptExecutionDisabled(true), chromedp.Navigate(url), chromedp.Nodes("#p2-stop", &buttons, chromedp.ByQuery))
	do(t, tab, chromedp.MouseClickNode(buttons[0]))
	until := func(what string) { // without script there is only the source
		t.Helper()
		page := ""
		for range 500 {
			if chromedp.Run(tab, chromedp.OuterHTML("html", &page, chromedp.ByQuery)); strings.Contains(page, what) {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Fatalf("never says %s: %s", what, page)
	}
	until(`<td role="cell" id="p2-state"><span class="pill bad">stopped</span></td>`)
	if s.Cluster.Primary(1).Status().State != mxtest.Stopped {
		t.Errorf("the relay is %v", s.Cluster.Primary(1).Status().State)
	}
	s.Cluster.Primary(1).Start()
	until(`<td role="cell" id="p2-state"><span class="pill good">running</span></td>`) // at the next reload
}

package browser_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/mxsend/go-mxsend/examples/browser"
	"github.com/mxsend/go-mxsend/mxsend/outbox"
)

const newsletter = "newsletter"

// openMailing starts a mailing, which takes minutes, serves its dashboard under a path, and opens a browser, or skips the test where
// there is none.
func openMailing(t *testing.T) (s *browser.MailingStage, url string, tab context.Context) {
	t.Helper()
	tab, end, err := browser.Open(t.Context())
	if errors.Is(err, browser.ErrMissing) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	if s, err = browser.NewMailingStage(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Start(t.Context(), outbox.Mailing{Name: newsletter, Rate: 50}, 20_000); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.StripPrefix("/mail/ings", s.Dashboard))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return s, server.URL + "/mail/ings/", tab
}

func state(t *testing.T, s *browser.MailingStage) outbox.Status {
	t.Helper()
	status, err := s.Box.Status(t.Context(), newsletter)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

const (
	acceptedNow = `Number(document.getElementById("accepted").innerText.replaceAll(",", ""))`
	stateIs     = `document.getElementById("state").innerText === "%s"`
)

// A mailing is paused by a click: the count stands still, on the page, in the database and at the relays. By another click it goes on.
func TestMailingPausedByClick(t *testing.T) {
	s, url, tab := openMailing(t)
	watchConsole(t, tab)
	var at struct{ X, Y float64 } // the row changes each second, so the click is at a place, as a person's is
	do(t, tab, browser.Wide.As(), chromedp.Navigate(url),
		chromedp.Evaluate(`(({x, y}) => ({X: x + 9, Y: y + 9}))(document.querySelector("#mailing-rows a").getBoundingClientRect())`, &at))
	do(t, tab, chromedp.MouseClickXY(at.X, at.Y), until(acceptedNow+" > 20"),
		chromedp.SendKeys("#why-pause", "the link is wrong", chromedp.ByQuery), chromedp.Click("#pause", chromedp.ByQuery),
		until(fmt.Sprintf(stateIs, "paused")))
	if got := state(t, s); got.State != outbox.Paused || got.Why != "paused by jane: the link is wrong" {
		t.Errorf("it is %s: %s", got.State, got.Why)
	}
	before := int64(-1)
	for now := state(t, s).Outcomes[outbox.Accepted]; now != before; now = state(t, s).Outcomes[outbox.Accepted] { // what was under way ends
		before = now
		time.Sleep(1500 * time.Millisecond)
	}
	relays := s.Cluster.Ledger().Counts().Accepted
	shown := 0
	do(t, tab, until(fmt.Sprintf(acceptedNow+" === %d", before)), chromedp.Sleep(3*time.Second), chromedp.Evaluate(acceptedNow, &shown))
	if after := state(t, s).Outcomes[outbox.Accepted]; int64(shown) != before || after != before || s.Cluster.Ledger().Counts().Accepted != relays {
		t.Errorf("%d were accepted, then %d; the page says %d, the relays %d and then %d", before, after, shown, relays, s.Cluster.Ledger().Counts().Accepted)
	}
	do(t, tab, chromedp.Click("#resume", chromedp.ByQuery), until(fmt.Sprintf(stateIs, "running")), until(fmt.Sprintf(acceptedNow+" > %d", before+20)))
}

// A form on a page of another origin, sent by a click, is refused.
func TestMailingForeignForm(t *testing.T) {
	s, url, tab := openMailing(t)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form method="post" action="%sact"><input name="name" value="%s"><button id="b" name="do" value="cancel">Win</button></form>`, url, newsletter)
	}))
	t.Cleanup(evil.Close)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(evil.URL, "http://"))
	for _, from := range []string{evil.URL, "http://localhost:" + port} { // the same site at another port; another site
		do(t, tab, chromedp.Navigate(from), chromedp.Click("#b", chromedp.ByQuery), until(`document.body.innerText.includes("cross-origin")`))
		if got := state(t, s).State; got != outbox.Running {
			t.Errorf("from %s: the mailing is %s", from, got)
		}
	}
	do(t, tab, chromedp.Navigate(url+"mailing?name="+newsletter), chromedp.Click("#cancel-open", chromedp.ByQuery), chromedp.WaitVisible("#cancel", chromedp.ByQuery),
		chromedp.Click("#cancel", chromedp.ByQuery), until(fmt.Sprintf(stateIs, "cancelled")))
	if got := state(t, s).State; got != outbox.Cancelled {
		t.Errorf("from its own page: the mailing is %s", got)
	}
}

// Every page fits, wide and narrow, light and dark: nothing sticks out to the side.
func TestMailingPagesFit(t *testing.T) {
	s, url, tab := openMailing(t)
	watchConsole(t, tab)
	if err := s.Start(t.Context(), outbox.Mailing{Name: strings.Repeat("long-name", 20), Canary: 10}, 1000); err != nil {
		t.Fatal(err)
	}
	darkNarrow := browser.Narrow
	darkNarrow.Dark = true
	for _, look := range []browser.Look{browser.Wide, browser.Narrow, darkNarrow} {
		for _, path := range []string{"", "mailing?name=" + newsletter, "mailing?name=" + strings.Repeat("long-name", 20), "reasons?name=" + newsletter, "transactional", "address", "suppression"} {
			tab, end := chromedp.NewContext(tab)
			var width int
			var background string
			do(t, tab, look.As(), chromedp.Navigate(url+path), chromedp.Evaluate(`document.documentElement.scrollWidth`, &width),
				chromedp.Evaluate(`getComputedStyle(document.body).backgroundColor`, &background))
			if width > look.Width {
				t.Errorf("%q is %d wide at %d", path, width, look.Width)
			}
			if dark := background != "rgb(246, 247, 249)"; dark != look.Dark {
				t.Errorf("%q: the background is %s, dark %v", path, background, look.Dark)
			}
			end()
		}
	}
}

// By keyboard alone: Tab reaches the reason and the button, what changes meanwhile leaves the text and the focus, and Enter pauses.
func TestMailingKeyboard(t *testing.T) {
	s, url, tab := openMailing(t)
	watchConsole(t, tab)
	do(t, tab, browser.Wide.As(), chromedp.Navigate(url+"mailing?name="+newsletter), until(`!document.body.classList.contains("offline")`))
	focus := ""
	reach := func(id string) {
		t.Helper()
		for range 20 {
			do(t, tab, chromedp.KeyEvent(kb.Tab), chromedp.Evaluate(`document.activeElement.id`, &focus))
			if focus == id {
				return
			}
		}
		t.Fatalf("Tab never led to %s, but to %q", id, focus)
	}
	reach("why-pause")
	typed := ""
	accepted := state(t, s).Outcomes[outbox.Accepted]
	do(t, tab, chromedp.KeyEvent("by hand"), until(fmt.Sprintf(acceptedNow+" > %d", accepted+50)),
		chromedp.Evaluate(`document.activeElement.value`, &typed))
	if typed != "by hand" {
		t.Errorf("what was typed is %q", typed)
	}
	reach("pause")
	do(t, tab, chromedp.KeyEvent(kb.Enter), until(fmt.Sprintf(stateIs, "paused")))
	if got := state(t, s); got.State != outbox.Paused || got.Why != "paused by jane: by hand" {
		t.Errorf("it is %s: %s", got.State, got.Why)
	}
}

// Without script the page is complete, its buttons work, and it reloads by itself.
func TestMailingWithoutScript(t *testing.T) {
	s, url, tab := openMailing(t)
	var buttons []*cdp.Node
	do(t, tab, emulation.SetScriptExecutionDisabled(true), chromedp.Navigate(url+"mailing?name="+newsletter),
		chromedp.Nodes("#pause", &buttons, chromedp.ByQuery))
	do(t, tab, chromedp.MouseClickNode(buttons[0]))
	source := func(what string) { // without script there is only the source
		t.Helper()
		page := ""
		for range 500 {
			if err := chromedp.Run(tab, chromedp.OuterHTML("html", &page, chromedp.ByQuery)); err == nil && strings.Contains(page, what) {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Fatalf("never says %s: %s", what, page)
	}
	source(`<span class="pill bad">paused</span>`)
	if err := s.Box.Resume(t.Context(), newsletter); err != nil {
		t.Fatal(err)
	}
	source(`<span class="pill good">running</span>`) // at the next reload
}

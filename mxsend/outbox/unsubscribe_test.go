package outbox

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// unsubscribeServer serves the handler of a Box with one mailing that has ended, and returns its link for an address.
func unsubscribeServer(t *testing.T) (b *Box, link string) {
	cluster := mxtest.NewCluster(t, mxtest.Config{})
	cfg := testConfig(t, t.TempDir()+"/o.db", testClient(t, cluster))
	cfg.UnsubscribeURL = "https://shop.test/u"
	b = newBox(t, cfg)
	if _, err := b.Start(t.Context(), Mailing{Name: "news", List: "weekly <b>"}, of("jane@example.test", "bob@example.test")); err != nil {
		t.Fatal(err)
	}
	ended(t, b, "news")
	mux := http.NewServeMux()
	mux.Handle("/u/", b.Unsubscribe())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	m, err := b.mailingNamed(t.Context(), "news")
	if err != nil {
		t.Fatal(err)
	}
	link = b.unsubscribeLink(m, "jane@example.test")
	if !strings.HasPrefix(link, "https://shop.test/u/") || strings.Contains(link, "jane") {
		t.Fatalf("link %q", link)
	}
	return b, server.URL + "/u/" + path.Base(link)
}

func unsubscribed(t *testing.T, b *Box, address string) bool {
	t.Helper()
	s, err := b.Suppressed(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return len(s) == 1 && s[0].List == "weekly <b>" && s[0].Reason == ReasonUnsubscribe && s[0].Active
}

func TestUnsubscribe(t *testing.T) {
	b, link := unsubscribeServer(t)
	fetch := func(method, link, body string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, link, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, string(text)
	}
	// Scanners follow links.
	for _, method := range []string{"GET", "HEAD"} {
		response, text := fetch(method, link, "")
		if response.StatusCode != 200 || unsubscribed(t, b, "jane@example.test") {
			t.Errorf("%s: %s, and it has unsubscribed: %v", method, response.Status, unsubscribed(t, b, "jane@example.test"))
		}
		for name, want := range map[string]string{"Set-Cookie": "", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"} {
			if got := response.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if csp := response.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("Content-Security-Policy: %q", csp)
		}
		if method == "GET" && (!strings.Contains(text, `<form method="post">`) || !strings.Contains(text, "weekly &lt;b&gt;") || strings.Contains(text, "jane")) {
			t.Errorf("the page is\n%s", text)
		}
	}
	// What is not genuine is told from what is.
	token := path.Base(link)
	for _, forged := range []string{"", "x", token[1:], token + "A", "A" + token[1:], token[:len(token)-4] + "AAAA", strings.Repeat("A", len(token)), strings.Repeat("A", 1<<16)} {
		if forged == token {
			continue
		}
		if response, _ := fetch("POST", strings.TrimSuffix(link, token)+url.PathEscape(forged), "List-Unsubscribe=One-Click"); response.StatusCode != 404 {
			t.Errorf("a forged token %.50q: %s", forged, response.Status)
		}
	}
	if response, _ := fetch("DELETE", link, ""); response.StatusCode != 405 || response.Header.Get("Allow") == "" {
		t.Errorf("DELETE: %s", response.Status)
	}
	// RFC 8058 §3.2, and again.
	for range 2 {
		if response, _ := fetch("POST", link, "List-Unsubscribe=One-Click"); response.StatusCode != 200 || !unsubscribed(t, b, "jane@example.test") {
			t.Errorf("one-click: %s", response.Status)
		}
	}
	if unsubscribed(t, b, "bob@example.test") {
		t.Error("somebody else is unsubscribed")
	}
	if _, err := b.Start(t.Context(), Mailing{Name: "next", List: "weekly <b>"}, of("JANE@example.test", "bob@example.test")); err != nil {
		t.Fatal(err)
	}
	if s := ended(t, b, "next"); s.Outcomes[Skipped] != 1 || s.Outcomes[Accepted] != 1 {
		t.Errorf("got %v", s.Outcomes)
	}
	// The link of an old mail works when the recipient was forgotten.
	if err := b.Unsuppress(t.Context(), "weekly <b>", "jane@example.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Forget(t.Context(), "jane@example.test"); err != nil {
		t.Fatal(err)
	}
	if response, _ := fetch("POST", link, ""); response.StatusCode != 200 || !unsubscribed(t, b, "jane@example.test") {
		t.Errorf("after Forget: %s", response.Status)
	}
}

package page

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAssets(t *testing.T) {
	for _, tt := range []struct {
		path, kind string
		status     int
	}{
		{"/page.css", "text/css; charset=utf-8", 200},
		{"/some/where/page.js", "text/javascript; charset=utf-8", 200},
		{"/icon.svg", "image/svg+xml", 200},
		{"/page.go", "", 404},
		{"/", "", 404},
		{"/../page.go", "", 404},
	} {
		w := httptest.NewRecorder()
		Assets().ServeHTTP(w, httptest.NewRequest("GET", tt.path, nil))
		if w.Code != tt.status || tt.status == 200 && (w.Header().Get("Content-Type") != tt.kind || w.Body.Len() == 0) {
			t.Errorf("%s: got %d %s, %d octets", tt.path, w.Code, w.Header().Get("Content-Type"), w.Body.Len())
		}
	}
}

// The stylesheet and the script load nothing, and the script runs nothing that a page could smuggle in.
func TestFilesAreSelfContained(t *testing.T) {
	for _, name := range []string{"page.css", "page.js"} {
		content, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"http://", "https://", "@import", "url(", "eval(", "document.cookie", "localStorage"} {
			if strings.Contains(string(content), bad) {
				t.Errorf("%s contains %s", name, bad)
			}
		}
	}
}

func TestSecure(t *testing.T) {
	asked := 0
	h := Secure(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	for _, tt := range []struct {
		method string
		fields map[string]string
		status int
	}{
		{"GET", nil, 200},
		{"GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, 200}, // a link from elsewhere
		{"POST", nil, 200}, // no browser
		{"POST", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"POST", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"POST", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"POST", map[string]string{"Origin": "https://evil.test"}, 403},
		{"POST", map[string]string{"Origin": "null"}, 403},
		{"POST", map[string]string{"Origin": "http://example.com"}, 200},
	} {
		r := httptest.NewRequest(tt.method, "http://example.com/", nil)
		for name, value := range tt.fields {
			r.Header.Set(name, value)
		}
		asked = 0
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || (asked == 1) != (tt.status == 200) {
			t.Errorf("%s %v: got %d, asked %d times, want %d", tt.method, tt.fields, w.Code, asked, tt.status)
		}
		csp := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("headers: %v", w.Header())
		}
	}
}

// viewer is a client of a feed.
type viewer struct {
	t      *testing.T
	events *bufio.Reader
	body   io.Closer
}

func watch(t *testing.T, url string) *viewer {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("got %s %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	return &viewer{t, bufio.NewReader(resp.Body), resp.Body}
}

// next reads the next event.
func (v *viewer) next() map[string]string {
	for {
		line, err := v.events.ReadString('\n')
		if err != nil {
			v.t.Error(err)
			return nil
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			var news map[string]string
			if err := json.Unmarshal([]byte(data), &news); err != nil {
				v.t.Error(err)
			}
			return news
		}
	}
}

// A viewer gets everything at first and then what has changed, whatever is in it; one that comes later, too.
func TestFeed(t *testing.T) {
	var f Feed
	server := httptest.NewServer(&f)
	t.Cleanup(server.Close) // after the viewers have gone
	f.Publish(map[string]string{"a": "1", "b": "<b>\n\ndata: x\r</b>"})
	v := watch(t, server.URL)
	if got := fmt.Sprintf("%q", v.next()); got != `map["a":"1" "b":"<b>\n\ndata: x\r</b>"]` {
		t.Errorf("first: got %s", got)
	}
	f.Publish(map[string]string{"a": "2", "b": "<b>\n\ndata: x\r</b>"})
	if got := fmt.Sprint(v.next()); got != "map[a:2]" {
		t.Errorf("then: got %s", got)
	}
	if got := len(watch(t, server.URL).next()); got != 2 {
		t.Errorf("another: got %d fragments, want all", got)
	}
	if n := f.Viewers(); n != 2 {
		t.Errorf("%d viewers, want 2", n)
	}
	v.body.Close()
	for range 500 {
		if f.Viewers() == 1 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("a viewer that has gone is still counted")
}

// Many viewers hear of the last state, however fast it changes, and Publish waits for none of them.
func TestFeedManyViewers(t *testing.T) {
	const viewers = 200
	var f Feed
	server := httptest.NewServer(&f)
	t.Cleanup(server.Close) // after the viewers have gone
	var ready, done sync.WaitGroup
	ready.Add(viewers)
	f.Publish(map[string]string{"n": "0"})
	for range viewers {
		v := watch(t, server.URL)
		done.Go(func() {
			for first := true; ; first = false {
				news := v.next()
				if first {
					ready.Done()
				}
				if news == nil || news["n"] == "last" {
					return
				}
			}
		})
	}
	watch(t, server.URL) // and one that never reads

	ready.Wait()
	big := strings.Repeat("x", 1<<20)
	for i := range 50 {
		f.Publish(map[string]string{"n": fmt.Sprint(i), "big": big[:len(big)-i]})
	}
	f.Publish(map[string]string{"n": "last"})
	done.Wait()
}

func TestFeedFull(t *testing.T) {
	f := Feed{viewers: maxViewers}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusServiceUnavailable || f.Viewers() != maxViewers {
		t.Errorf("got %d, %d viewers", w.Code, f.Viewers())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var empty Feed
	empty.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx)) // ends
	if empty.Viewers() != 0 {
		t.Error("a viewer stays")
	}
}

func TestPlot(t *testing.T) {
	html := string(Plot{Title: `<Mail> "x"`, Unit: "/s", From: "<a", To: "b>", Series: []Series{
		{Name: "<i>", Values: []float64{math.NaN(), 0, 12, math.NaN(), 3, 4}}, {Name: "empty"},
	}}.HTML())
	for _, want := range []string{"&lt;Mail&gt;", "&lt;i&gt;", "&lt;a", "b&gt;", "20/s", `points="120,119.0 240,48.2"`, `points="480,101.3 600,95.4"`, "at most 12/s", "<b>–</b>"} {
		if !strings.Contains(html, want) {
			t.Errorf("no %s in %s", want, html)
		}
	}
	if strings.Contains(html, "NaN") || strings.Contains(html, "style=") || strings.Contains(html, "<i>") {
		t.Errorf("got %s", html)
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.04: "0", 0.44: "0.4", 9.96: "10", 17: "17", 999: "999", 999.6: "1,000", 1234: "1,234", 9999: "9,999", 12_345: "12k", 999_499: "999k",
		999_600: "1M", 1_700_000: "1.7M", 25e6: "25M",
	} {
		if got := Short(v); got != want {
			t.Errorf("%v: got %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]float64{0: 1, 1: 1, 1.5: 2, 2: 2, 3: 5, 7: 10, 10: 10, 11: 20, 99: 100, 501: 1000} {
		if got := roundUp(v); got != want {
			t.Errorf("roundUp(%v): got %v, want %v", v, got, want)
		}
	}
}

package dashboard

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"html"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/outbox"
)

// newBox is an outbox that sends nothing.
func newBox(t testing.TB) *outbox.Box {
	t.Helper()
	b, err := outbox.New(t.Context(), outbox.Config{Database: filepath.Join(t.TempDir(), "o.db"), Key: []byte("0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// people are n recipients of ten providers.
func people(n int) iter.Seq2[outbox.Recipient, error] {
	return func(yield func(outbox.Recipient, error) bool) {
		for i := range n {
			if !yield(outbox.Recipient{Address: fmt.Sprintf("user%d@provider%d.test", i, i%10)}, nil) {
				return
			}
		}
	}
}

func start(t testing.TB, b *outbox.Box, m outbox.Mailing, n int) {
	t.Helper()
	if _, err := b.Start(t.Context(), m, people(n)); err != nil {
		t.Fatal(err)
	}
}

func exec(t testing.TB, b *outbox.Box, query string, args ...any) {
	t.Helper()
	if _, err := b.DB().ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

// fill gives the first of a mailing's recipients in the order of sending outcomes, with their sums, and bounces in many hours.
func fill(t testing.TB, b *outbox.Box, mailing, n int) {
	t.Helper()
	exec(t, b, `WITH RECURSIVE r(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n + 1 < $1)
		INSERT INTO outbox_result (mailing, n, outcome, relay, queue_id, at, round, tries, due, duplicate, note, back)
		SELECT $2, n, CASE WHEN n % 50 = 0 THEN 2 WHEN n % 997 = 0 THEN 4 ELSE 1 END, 'p' || (n % 2 + 1) || '.relays.test', 'QID' || n, 1764000000000 + n, 1, 0, 0, 0,
			CASE WHEN n % 50 = 0 THEN '550 5.1.1 no such user, session ' || (1000000000 + n) ELSE '' END, CASE WHEN n % 50 = 1 THEN 8 ELSE 0 END FROM r`, n, mailing)
	exec(t, b, `INSERT INTO outbox_tally (mailing, process, relay, outcome, count)
		SELECT mailing, 'p', relay, outcome, count(*) FROM outbox_result WHERE mailing = $1 GROUP BY mailing, relay, outcome`, mailing)
	hour := time.Now().Truncate(time.Hour)
	exec(t, b, `WITH RECURSIVE h(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM h WHERE i < 299), c(c) AS (SELECT 0 UNION ALL SELECT c + 1 FROM c WHERE c < 7)
		INSERT INTO outbox_returned (mailing, hour, back, category, bad, count) SELECT $1, $2 - i * 3600000, 8, c, 1, 300 - i FROM h, c`, mailing, hour.UnixMilli())
}

type answer struct {
	*httptest.ResponseRecorder
	text string
}

func ask(t testing.TB, h http.Handler, method, path string, form url.Values) answer {
	t.Helper()
	r := httptest.NewRequest(method, "http://shop.test"+path, strings.NewReader(form.Encode()))
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return answer{w, w.Body.String()}
}

// Every page is complete for an empty database, and for mailings whose names are hostile, and is where its links say that it is.
func TestPages(t *testing.T) {
	b := newBox(t)
	h := http.StripPrefix("/in/here", Handler(b, Options{Control: true}))
	for _, path := range []string{"/", "/transactional", "/address", "/suppression", "/page.css", "/page.js", "/icon.svg"} {
		if a := ask(t, h, "GET", "/in/here"+path, nil); a.Code != 200 {
			t.Errorf("empty: %s: got %d", path, a.Code)
		}
	}
	names := []string{"news", "..", "a/b?c=d#e&f", `</title><script>alert(1)</script>`, `" onmouseover="alert(1)`, "Überraschung 100%", "<b>"}
	for _, name := range names {
		start(t, b, outbox.Mailing{Name: name, Canary: 2, Rate: 10}, 10)
	}
	list := ""
	for range 300 { // until the next second
		if list = ask(t, h, "GET", "/in/here/", nil).text; strings.Contains(list, "news") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, bad := range []string{"<script>alert", `" onmouseover="alert`, "<b>b"} {
		if strings.Contains(list, bad) {
			t.Errorf("the list contains %s", bad)
		}
	}
	var linked []string
	for _, link := range regexp.MustCompile(`href="(mailing[^"]*)"`).FindAllStringSubmatch(list, -1) {
		u, err := url.Parse(html.UnescapeString(link[1]))
		if err != nil {
			t.Fatal(err)
		}
		linked = append(linked, u.Query().Get("name"))
	}
	for _, name := range names {
		query := "name=" + url.QueryEscape(name)
		for _, path := range []string{"mailing?" + query, "reasons?" + query, "recipients.csv?outcome=rejected&" + query} {
			a := ask(t, h, "GET", "/in/here/"+path, nil)
			if a.Code != 200 || strings.Contains(a.text, "<script>alert") || strings.Contains(a.text, `="" onmouseover`) {
				t.Errorf("%s: got %d: %s", path, a.Code, a.text)
			}
		}
		if !slices.Contains(linked, name) {
			t.Errorf("no link to %q", name)
		}
	}
	for path, want := range map[string]int{"/mailing": 404, "/mailing?name=none": 404, "/reasons?name=none": 404, "/reasons": 404, "/recipients.csv?name=none&outcome=rejected": 404,
		"/recipients.csv?name=news&outcome=happy": 400, "/events?name=none": 404, "/none": 404} {
		if a := ask(t, h, "GET", "/in/here"+path, nil); a.Code != want {
			t.Errorf("%s: got %d, want %d", path, a.Code, want)
		}
	}
}

// Without Control nothing can be done, and nothing is offered.
func TestReadOnly(t *testing.T) {
	b := newBox(t)
	start(t, b, outbox.Mailing{Name: "news"}, 10)
	h := Handler(b, Options{Logger: slog.New(slog.DiscardHandler)})
	for _, do := range []string{"pause", "resume", "cancel", "rate", "release", "discard"} {
		if a := ask(t, h, "POST", "/act", url.Values{"do": {do}, "name": {"news"}, "rate": {"1"}, "domain": {"x.test"}}); a.Code != 403 {
			t.Errorf("%s: got %d", do, a.Code)
		}
	}
	if s, err := b.Status(t.Context(), "news"); err != nil || s.State != outbox.Running || s.Rate != 0 {
		t.Errorf("the mailing is %s at %v, %v", s.State, s.Rate, err)
	}
	for _, path := range []string{"/", "/mailing?name=news", "/suppression"} {
		if a := ask(t, h, "GET", path, nil); a.Code != 200 || strings.Contains(a.text, `action="act"`) || !strings.Contains(a.text, "read-only") {
			t.Errorf("%s: got %d, with a form or without the words: %s", path, a.Code, a.text)
		}
	}
}

// Each action does what it says, leads back to its page relative to where it was, is shown at once, and is logged with who did it.
func TestActions(t *testing.T) {
	b := newBox(t)
	start(t, b, outbox.Mailing{Name: "my news"}, 10)
	exec(t, b, `INSERT INTO outbox_suppression (list, hash, rest, reason, provider, at, until, count, active, held) VALUES ('', 1, 1, 'bounce', 'x.test', 1, 0, 1, 1, 1),
		('', 2, 2, 'bounce', 'y.test', 1, 0, 1, 1, 1)`)
	var log bytes.Buffer
	h := Handler(b, Options{Control: true, Logger: slog.New(slog.NewTextHandler(&log, nil)), Actor: func(r *http.Request) string { return "jane\n</p><b>" }})
	for _, tt := range []struct {
		form   url.Values
		status int
		back   string // where it leads, and what is seen there, or on the page with the problem
		seen   string
	}{
		{url.Values{"do": {"pause"}, "name": {"my news"}, "why": {" the <b>link</b> is wrong "}}, 303, "mailing?name=my+news", "paused by jane\n&lt;/p&gt;&lt;b&gt;: the &lt;b&gt;link&lt;/b&gt; is wrong"},
		{url.Values{"do": {"resume"}, "name": {"my news"}}, 303, "mailing?name=my+news", `<span class="pill good">running</span>`},
		{url.Values{"do": {"rate"}, "name": {"my news"}, "rate": {"12.5"}}, 303, "mailing?name=my+news", "at most 12.5 recipients a second"},
		{url.Values{"do": {"rate"}, "name": {"my news"}, "rate": {" "}}, 303, "mailing?name=my+news", "unlimited"},
		{url.Values{"do": {"rate"}, "name": {"my news"}, "rate": {"-1"}}, 400, "", "recipients a second"},
		{url.Values{"do": {"rate"}, "name": {"my news"}, "rate": {"NaN"}}, 400, "", "recipients a second"},
		{url.Values{"do": {"rate"}, "name": {"my news"}, "rate": {"Inf"}}, 400, "", "recipients a second"},
		{url.Values{"do": {"cancel"}, "name": {"my news"}}, 303, "mailing?name=my+news", "Nothing more will be sent"},
		{url.Values{"do": {"resume"}, "name": {"my news"}}, 409, "", "somebody else was faster"},
		{url.Values{"do": {"pause"}, "name": {"none"}}, 404, "", "no such mailing"},
		{url.Values{"do": {"explode"}, "name": {"my news"}}, 400, "", "no such action"},
		{url.Values{"do": {"release"}, "domain": {"x.test"}}, 303, "suppression", "y.test"},
		{url.Values{"do": {"discard"}, "domain": {"y.test"}}, 303, "suppression", "Nothing is held"},
		{url.Values{"do": {"discard"}, "domain": {"y.test"}}, 404, "", "nothing is held"},
	} {
		log.Reset()
		a := ask(t, h, "POST", "/act", tt.form)
		page := a.text
		if a.Code == 303 && a.Header().Get("Location") == tt.back {
			page = ask(t, h, "GET", "/"+tt.back, nil).text
		}
		if a.Code != tt.status || a.Header().Get("Location") != tt.back || !strings.Contains(page, tt.seen) {
			t.Errorf("%v: got %d to %q, want %d to %q with %s in\n%s", tt.form, a.Code, a.Header().Get("Location"), tt.status, tt.back, tt.seen, page)
		}
		if !strings.Contains(log.String(), `actor="jane\n</p><b>"`) || !strings.Contains(log.String(), "action="+tt.form.Get("do")) {
			t.Errorf("%v: the log says %s", tt.form, log.String())
		}
	}
}

func TestForeignForm(t *testing.T) {
	b := newBox(t)
	start(t, b, outbox.Mailing{Name: "news"}, 10)
	h := Handler(b, Options{Control: true})
	r := httptest.NewRequest("POST", "http://shop.test/act", strings.NewReader("do=cancel&name=news"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://evil.test")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if s, err := b.Status(t.Context(), "news"); w.Code != 403 || err != nil || s.State != outbox.Running {
		t.Errorf("got %d, the mailing is %s, %v", w.Code, s.State, err)
	}
}

// counting counts the polls that reach the outbox, and fails them when it is told to.
type counting struct {
	*outbox.Box
	polls atomic.Int64
	down  atomic.Bool
}

func (c *counting) Mailings(ctx context.Context, limit int) ([]outbox.Status, error) {
	c.polls.Add(1)
	if c.down.Load() {
		return nil, errors.New("the database is away")
	}
	return c.Box.Mailings(ctx, limit)
}

// However many look, with script or without, the database is asked once a second; and when all have left, nothing is left.
func TestOnePoll(t *testing.T) {
	b := &counting{Box: newBox(t)}
	start(t, b.Box, outbox.Mailing{Name: "news"}, 10)
	h := newHandler(b, Options{})
	before := runtime.NumGoroutine()
	server := httptest.NewServer(h)
	began := time.Now()
	ctx, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			path := []string{"/events", "/events?name=news", "/events?page=transactional"}[i%3]
			r, err := http.NewRequestWithContext(ctx, "GET", server.URL+path, nil)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = resp.Body.Close() }()
			_, _ = io.Copy(io.Discard, resp.Body)
		})
	}
	for time.Since(began) < 3*time.Second {
		if a := ask(t, h, "GET", "/mailing?name=news", nil); a.Code != 200 {
			t.Errorf("got %d", a.Code)
		}
		time.Sleep(5 * time.Millisecond)
	}
	leave()
	wg.Wait()
	polls := b.polls.Load()
	if limit := int64(time.Since(began).Seconds()) + 2; polls < 3 || polls > limit {
		t.Errorf("%d polls in %v", polls, time.Since(began))
	}
	server.Close()
	http.DefaultClient.CloseIdleConnections()
	for range 500 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines were left", runtime.NumGoroutine()-before)
}

// A poll needs none of the tables that grow with a mailing.
func TestPollReadsSumsOnly(t *testing.T) {
	b := newBox(t)
	start(t, b, outbox.Mailing{Name: "news"}, 1000)
	fill(t, b, 1, 500)
	for _, table := range []string{"outbox_recipient", "outbox_address", "outbox_result", "outbox_event"} {
		exec(t, b, "ALTER TABLE "+table+" RENAME TO away_"+table)
	}
	h := Handler(b, Options{Control: true})
	for _, path := range []string{"/", "/mailing?name=news", "/transactional", "/suppression"} {
		a := ask(t, h, "GET", path, nil)
		if a.Code != 200 {
			t.Errorf("%s: got %d", path, a.Code)
		}
		if path == "/mailing?name=news" && (!strings.Contains(a.text, "<b>50.0%</b>") && !strings.Contains(a.text, "<b>50%</b>") || !strings.Contains(a.text, "361,200")) {
			t.Errorf("the page of the mailing says\n%s", a.text)
		}
	}
	if _, err := b.Find(t.Context(), "user1@provider1.test"); err == nil {
		t.Error("the tables are still there")
	}
}

// While the database is away, the last figures are shown, and named so.
func TestDatabaseAway(t *testing.T) {
	b := &counting{Box: newBox(t)}
	start(t, b.Box, outbox.Mailing{Name: "news"}, 10)
	h := newHandler(b, Options{Logger: slog.New(slog.DiscardHandler)})
	b.down.Store(true)
	if a := ask(t, h, "GET", "/", nil); a.Code != 503 || strings.Contains(a.text, "is away") {
		t.Errorf("at first: got %d %s", a.Code, a.text)
	}
	until := func(what string, ok func(string) bool) {
		t.Helper()
		for range 500 {
			if ok(ask(t, h, "GET", "/", nil).text) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("never %s", what)
	}
	notice := "The database does not answer"
	b.down.Store(false)
	until("back", func(s string) bool { return strings.Contains(s, "news") && !strings.Contains(s, notice) })
	b.down.Store(true)
	until("away", func(s string) bool { return strings.Contains(s, "news") && strings.Contains(s, notice) })
	b.down.Store(false)
	until("back again", func(s string) bool { return strings.Contains(s, "news") && !strings.Contains(s, notice) })
}

// A search and CSV mask addresses unless they are told not to, and the log has none.
func TestAddresses(t *testing.T) {
	b := newBox(t)
	start(t, b, outbox.Mailing{Name: "my news"}, 1000)
	fill(t, b, 1, 1000)
	if err := b.Suppress(t.Context(), "", slices.Values([]string{"user7@provider7.test"})); err != nil {
		t.Fatal(err)
	}
	for _, whole := range []bool{false, true} {
		var log bytes.Buffer
		h := Handler(b, Options{Addresses: whole, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		a := ask(t, h, "POST", "/address", url.Values{"address": {" USER7@provider7.test "}})
		if a.Code != 200 || strings.Contains(strings.ToLower(a.text), "user7@") != whole || !strings.Contains(a.text, "my news") || !strings.Contains(a.text, "every list: import") {
			t.Errorf("whole %v: the search: %d %s", whole, a.Code, a.text)
		}
		a = ask(t, h, "POST", "/address", url.Values{"address": {"<script>alert(1)</script>"}})
		if a.Code != 200 || strings.Contains(a.text, "<script>alert") || !strings.Contains(a.text, "No mail to it is known") {
			t.Errorf("a hostile search: %d %s", a.Code, a.text)
		}
		a = ask(t, h, "GET", "/recipients.csv?name=my+news&outcome=rejected", nil)
		lines, err := csv.NewReader(strings.NewReader(a.text)).ReadAll()
		if err != nil || len(lines) != 21 || strings.Contains(a.text, ",u***@") == whole || strings.Contains(a.text, ",user") != whole {
			t.Errorf("whole %v: %d lines of CSV, %v: %.300s", whole, len(lines), err, a.text)
		}
		if got := a.Header().Get("Content-Disposition"); got != `attachment; filename="my news rejected.csv"` {
			t.Errorf("the file is %s", got)
		}
		if strings.Contains(strings.ToLower(log.String()), "user7") {
			t.Errorf("the log says %s", &log)
		}
	}
}

func TestMask(t *testing.T) {
	for address, want := range map[string]string{
		"jane@example.net": "j***@example.net", "j@example.net": "***@example.net", "": "***", "jane": "***", "@example.net": "***@example.net",
		"äöü@example.net": "ä***@example.net", `"a@b"@example.net`: `"***@example.net`, "\xff\xfe@x.test": "\xff***@x.test",
	} {
		if got := mask(address); got != want {
			t.Errorf("%q: got %q, want %q", address, got, want)
		}
	}
}

// A client that leaves in the middle of the CSV ends it.
func TestMaskCSVEnds(t *testing.T) {
	out, done := maskCSV(brokenWriter{})
	var err error
	for i := 0; err == nil && i < 1e6; i++ {
		_, err = io.WriteString(out, "line,address\n")
	}
	if err == nil || done(err) == nil {
		t.Errorf("writing went on: %v", err)
	}
	var b bytes.Buffer
	out, done = maskCSV(&b)
	if _, err := io.WriteString(out, "line,address,note\n1,jane@example.net,\"a,\"\"b\n@\"\n2,,\n"); err != nil {
		t.Fatal(err)
	}
	if err := done(nil); err != nil || b.String() != "line,address,note\n1,j***@example.net,\"a,\"\"b\n@\"\n2,,\n" {
		t.Errorf("got %v, %s", err, &b)
	}
	out, done = maskCSV(&b)
	cut := errors.New("cut")
	if _, err := io.WriteString(out, "line,address\n"); err != nil || !errors.Is(done(cut), cut) {
		t.Error("an error of the outbox is not passed on")
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("gone") }

// Equal reasons are counted together, and everybody is counted once under their provider.
func TestReasons(t *testing.T) {
	b := newBox(t)
	start(t, b, outbox.Mailing{Name: "news"}, 1000)
	fill(t, b, 1, 500)
	got, err := readBreakdown(t.Context(), b, "news")
	if err != nil {
		t.Fatal(err)
	}
	var total, pending, rejected, bounced int64
	for _, p := range got.Providers {
		total, pending, rejected, bounced = total+p.Total, pending+p.Pending, rejected+p.Cells[1], bounced+p.Bounced
	}
	if len(got.Providers) != 10 || got.Read != 1000 || total != 1000 || pending != 500 || rejected != 10 || bounced != 10 {
		t.Errorf("%d providers, read %d, total %d, pending %d, rejected %d, bounced %d", len(got.Providers), got.Read, total, pending, rejected, bounced)
	}
	want := []reasonRow{{outbox.Rejected, "p1.relays.test", "550 5.1.1 no such user, session …", 10}}
	if !slices.Equal(got.Reasons, want) {
		t.Errorf("reasons: got %+v, want %+v", got.Reasons, want)
	}
	if a := ask(t, Handler(b, Options{}), "GET", "/reasons?name=news", nil); !strings.Contains(a.text, "550 5.1.1 no such user") || !strings.Contains(a.text, "provider7.test") || !strings.HasSuffix(strings.TrimSpace(a.text), "</html>") {
		t.Errorf("the page: %s", a.text)
	}
}

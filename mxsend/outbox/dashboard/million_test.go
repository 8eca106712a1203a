package dashboard

import (
	"flag"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/outbox"
)

var recipients = flag.Int("recipients", 2_000, "how many a mailing has whose polls are measured")

// What a poll and pages cost in a large mailing, half sent, with 100,000 suppressed addresses:
//
//	go test ./mxsend/outbox/dashboard -run TestMillion -v -recipients 1700000
func TestMillion(t *testing.T) {
	b := newBox(t)
	begin := time.Now()
	start(t, b, outbox.Mailing{Name: "news"}, *recipients)
	fill(t, b, 1, *recipients*3/4)
	exec(t, b, `WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 100000)
		INSERT INTO outbox_suppression (list, hash, rest, reason, provider, at, until, count, active, held)
		SELECT '', n, n, 'bounce', 'provider' || (n % 100) || '.test', n, 0, 1, 1, n % 1000 = 0 FROM r`)
	t.Logf("%d recipients after %v", *recipients, time.Since(begin).Round(time.Millisecond))
	h := newHandler(b, Options{Logger: slog.New(slog.DiscardHandler)})
	median := func(what string, times int, do func()) {
		took := make([]time.Duration, times)
		for i := range took {
			from := time.Now()
			do()
			took[i] = time.Since(from)
		}
		slices.Sort(took)
		t.Logf("%-40s median %v of %d, least %v", what, took[times/2].Round(10*time.Microsecond), times, took[0].Round(10*time.Microsecond))
	}
	page := func(path string) func() {
		return func() {
			if a := ask(t, h, "GET", path, nil); a.Code != 200 {
				t.Fatalf("%s: got %d", path, a.Code)
			}
		}
	}
	_, leave := h.watch(mailingKey + "news")
	defer leave()
	median("a poll, with the mailing looked at", 51, func() {
		if _, err := h.poll(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	median("the page of the mailing", 51, page("/mailing?name=news"))
	median("the page of mailings", 51, page("/"))
	median("the page of suppression", 11, page("/suppression"))
	median("a search", 11, func() {
		if a := ask(t, h, "POST", "/address", url.Values{"address": {"user5@provider5.test"}}); a.Code != 200 {
			t.Fatalf("got %d", a.Code)
		}
	})
	median("the page of reasons and providers", 1, page("/reasons?name=news"))
	median("CSV of those in doubt", 1, func() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/recipients.csv?name=news&outcome=in+doubt", nil))
	})
}

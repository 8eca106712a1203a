// Package dashboard is a web page for who sends mailings with an outbox: how they go, live, and buttons to stop them.
//
//	page := dashboard.Handler(box, dashboard.Options{
//		Control: true,
//		Actor:   func(r *http.Request) string { return session(r).User },
//	})
//	mux.Handle("/mailings/", authenticated(http.StripPrefix("/mailings", page)))
//
// It asks for no password: mount it behind the authentication that the application has, at a path that ends in a slash. It sets no
// cookie, loads nothing from elsewhere, and works without JavaScript, by reloading. Forms from other origins are refused
// ([http.CrossOriginProtection]).
//
// # What it costs
//
// While somebody looks, the database is asked once a second, whatever the number of viewers, and only for sums that the outbox
// keeps as it goes: what that costs does not grow with a mailing. While nobody looks, nothing is asked, and no goroutine
// is left. Searches, CSV, and the page of reasons and providers read what they show, when somebody asks for it; the last two read the
// whole mailing, one reader at a time for the reasons.
//
// # Personal data
//
// Addresses are masked ("j***@example.net") unless Options.Addresses. A search is a form that is posted, so that no address
// is in a URL, and so in logs. The log of actions has no addresses.
package dashboard

import (
	"context"
	"embed"
	"html/template"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/internal/page"
	"github.com/mxsend/go-mxsend/mxsend/outbox"
)

//go:embed pages
var pages embed.FS

// Options say what a dashboard shows, and what it lets do. The zero value only shows, with addresses masked.
type Options struct {
	// Control lets everybody who reaches the page pause, resume and cancel mailings, change their rates, give the go after a
	// canary, and release or discard held suppressions. False: the page is read-only.
	Control bool

	// Actor says who makes a request, for the log, and for why a mailing is paused: the user that the application has
	// authenticated. Nil: "somebody".
	Actor func(*http.Request) string

	// Addresses shows addresses whole, in what a search finds and in CSV. False: they are masked.
	Addresses bool

	// Logger gets every action, with who did it, and errors of the database. Nil: slog.Default().
	Logger *slog.Logger
}

// box is what a dashboard needs of an outbox.
type box interface {
	Mailings(ctx context.Context, limit int) ([]outbox.Status, error)
	ReturnedTotals(ctx context.Context, limit int) (map[string][]outbox.ReturnedTally, error)
	Status(ctx context.Context, name string) (outbox.Status, error)
	ReturnedSince(ctx context.Context, name string, since time.Time) ([]outbox.ReturnedTally, error)
	Transactional(ctx context.Context) (outbox.TransactionalStatus, error)
	Processes(ctx context.Context) ([]outbox.Process, error)
	Held(ctx context.Context) ([]outbox.HeldBurst, error)
	SuppressionTallies(ctx context.Context) ([]outbox.SuppressionTally, error)
	Suppressed(ctx context.Context, address string) ([]outbox.Suppression, error)
	Find(ctx context.Context, address string) ([]outbox.RecipientStatus, error)
	Recipients(ctx context.Context, name string, f outbox.Filter) iter.Seq2[outbox.RecipientStatus, error]
	Export(ctx context.Context, name string, f outbox.Filter, w io.Writer) error
	Pause(ctx context.Context, name, why string) error
	Resume(ctx context.Context, name string) error
	Cancel(ctx context.Context, name, why string) error
	SetRate(ctx context.Context, name string, rate float64) error
	Release(ctx context.Context, domain string) error
	Discard(ctx context.Context, domain string) error
}

// A handler is a dashboard.
type handler struct {
	http.Handler
	box       box
	options   Options
	templates *template.Template
	began     time.Time

	polling chan struct{} // holds a token for who asks the database; it guards tick
	tick    int64         // the second of the last poll, since began
	reading chan struct{} // holds a token for who reads a whole mailing

	mu      sync.Mutex // guards below
	now     *snapshot  // nil: there is none yet; it is never changed
	past    map[string]*past
	watched map[string]*watch
	found   map[string]*breakdown
}

// Handler returns the dashboard of an outbox, which the caller closes after the HTTP server. It is safe for concurrent use.
func Handler(b *outbox.Box, o Options) http.Handler { return newHandler(b, o) }

func newHandler(b box, o Options) *handler {
	if o.Actor == nil {
		o.Actor = func(*http.Request) string { return "somebody" }
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	h := &handler{
		box: b, options: o, began: time.Now(), tick: -1, polling: make(chan struct{}, 1), reading: make(chan struct{}, 1),
		templates: template.Must(template.New("").Funcs(functions).ParseFS(pages, "pages/*.html")),
		past:      map[string]*past{}, watched: map[string]*watch{}, found: map[string]*breakdown{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.overview)
	mux.HandleFunc("GET /mailing", h.mailing)
	mux.HandleFunc("GET /reasons", h.reasons)
	mux.HandleFunc("GET /recipients.csv", h.csv)
	mux.HandleFunc("GET /transactional", h.transactional)
	mux.HandleFunc("GET /address", h.address)
	mux.HandleFunc("POST /address", h.find)
	mux.HandleFunc("GET /suppression", h.suppression)
	mux.HandleFunc("GET /events", h.events)
	mux.HandleFunc("POST /act", h.act)
	for _, name := range []string{"page.css", "page.js", "icon.svg"} {
		mux.Handle("GET /"+name, page.Assets())
	}
	h.Handler = page.Secure(http.MaxBytesHandler(mux, 64<<10))
	return h
}

// Package desk is a web page to watch and to play with a cluster of mxtest: its relays, destinations and queues live, every
// mail with its way, and what can go wrong at a click. Behind the same paths is a JSON API.
package desk

import (
	"context"
	"embed"
	"html/template"
	"net/http"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/internal/page"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
	"github.com/mxsend/go-mxsend/verp"
)

//go:embed pages
var pages embed.FS

// Options says what a desk shows besides the cluster. The zero value is of use.
type Options struct {
	// VERP decodes return paths. Nil: they are shown as they are.
	VERP *verp.Codec

	// AnyHost answers requests whatever host name they are for. False: only for localhost and loopback addresses, so that a
	// page in the browser cannot reach the desk under a name of its own (DNS rebinding).
	AnyHost bool
}

// A Desk is the page of a cluster, an [http.Handler]. It is safe for concurrent use.
type Desk struct {
	cluster   *mxtest.Cluster
	options   Options
	templates *template.Template
	handler   http.Handler
	feed      page.Feed
	past      past
	cancel    context.CancelFunc
	wg        sync.WaitGroup

	acting chan struct{} // holds a token while an action is carried out: one at a time
	mu     sync.Mutex    // guards done
	done   []deed
}

// New makes the desk of a cluster, which is the caller's to close, after the desk.
func New(cluster *mxtest.Cluster, options Options) (*Desk, error) {
	d := &Desk{cluster: cluster, options: options, acting: make(chan struct{}, 1)}
	var err error
	if d.templates, err = template.New("").Funcs(functions).ParseFS(pages, "pages/*.html"); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", d.overview)
	mux.HandleFunc("GET /mails", d.mails)
	mux.HandleFunc("GET /mails/{id}", d.mail)
	mux.HandleFunc("GET /mails/{id}/raw", d.raw)
	mux.HandleFunc("GET /mails/{id}/parts/{number}", d.part)
	mux.HandleFunc("GET /connect", d.connect)
	mux.HandleFunc("GET /api", d.api)
	mux.HandleFunc("GET /ca.pem", d.ca)
	mux.HandleFunc("POST /relays/{relay}", d.actOnRelay)
	mux.HandleFunc("POST /destinations", d.actOnDestination)
	mux.HandleFunc("POST /clock", d.actOnClock)
	mux.HandleFunc("POST /dns", d.actOnDNS)
	mux.Handle("GET /events", &d.feed)
	for _, name := range []string{"page.css", "page.js", "icon.svg"} {
		mux.Handle("GET /"+name, page.Assets())
	}
	d.handler = page.Secure(mux)

	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.look()
	d.wg.Go(func() {
		second := time.NewTicker(time.Second)
		defer second.Stop()
		for {
			select {
			case <-second.C:
				d.look()
			case <-ctx.Done():
				return
			}
		}
	})
	return d, nil
}

// Close stops watching the cluster. Browsers that are connected are the HTTP server's to close.
func (d *Desk) Close() {
	d.cancel()
	d.wg.Wait()
}

// ServeHTTP answers a request.
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !d.options.AnyHost && !page.OnLoopback(r.Host) {
		http.Error(w, "This desk answers as localhost or a loopback address only.", http.StatusMisdirectedRequest)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	d.handler.ServeHTTP(w, r)
}

// look notes how things are, and tells the viewers. It is called once a second, however many there are.
func (d *Desk) look() {
	d.past.add(d.cluster)
	if d.feed.Viewers() > 0 {
		d.publish()
	} else {
		d.feed.Publish(nil) // whoever comes next has a page that is newer
	}
}

// publish tells the viewers how things are now.
func (d *Desk) publish() { d.feed.Publish(d.fragments(d.snapshot())) }

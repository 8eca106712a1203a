package page

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

const (
	maxViewers = 1000             // more are turned away: each holds a connection
	beat       = 15 * time.Second // silence after which a viewer hears a comment, so that a dead one is found
	patience   = 10 * time.Second // a write that takes longer ends the viewer
)

// A Feed keeps the fragments of a page up to date in any number of browsers, by server-sent events: Publish is called once for
// all of them. Each viewer gets what has changed since it was last sent something, so that a slow one skips what is in between
// and holds up nobody. The zero Feed is empty and ready. It is safe for concurrent use.
type Feed struct {
	mu      sync.Mutex // guards below
	now     map[string]string
	changed chan struct{} // closed and replaced by Publish; nil: nobody waits
	viewers int
}

// Publish sets fragments: the inner HTML of elements, by id. It keeps the map.
func (f *Feed) Publish(fragments map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = fragments
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// Viewers is how many browsers are being kept up to date.
func (f *Feed) Viewers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.viewers
}

// next returns the fragments as of now, and a channel that is closed when they change.
func (f *Feed) next() (map[string]string, chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return f.now, f.changed
}

// enter counts a viewer, and reports whether there is room.
func (f *Feed) enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.viewers >= maxViewers {
		return false
	}
	f.viewers++
	return true
}

func (f *Feed) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.viewers--
}

// ServeHTTP keeps one viewer up to date until it goes.
func (f *Feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.enter() {
		http.Error(w, "Too many viewers: reload later.", http.StatusServiceUnavailable)
		return
	}
	defer f.leave()
	w.Header().Set("Content-Type", "text/event-stream")
	to := http.NewResponseController(w)
	say := func(text string) bool {
		to.SetWriteDeadline(time.Now().Add(patience)) // where it is not supported, the connection's own limits hold
		_, err := w.Write([]byte(text))
		return err == nil && to.Flush() == nil
	}
	if !say("retry: 1000\n\n") {
		return
	}
	timer := time.NewTicker(beat)
	defer timer.Stop()
	sent := map[string]string{}
	for {
		now, changed := f.next()
		news := map[string]string{}
		for id, text := range now {
			if was, ok := sent[id]; !ok || was != text {
				news[id] = text
			}
		}
		if len(news) > 0 {
			data, err := json.Marshal(news)
			if err != nil || !say("data: "+string(data)+"\n\n") {
				return
			}
			sent = now
		}
		select {
		case <-changed:
		case <-timer.C:
			if !say(":\n\n") {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

package desk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/internal/page"
)

// functions are what templates call.
var functions = template.FuncMap{
	"number": func(n int) string { return page.Short(float64(n)) },
	"clock":  func(t time.Time) string { return t.Format("15:04:05") },
	"date":   func(t time.Time) string { return t.Format("2 Jan 15:04:05") },
	"size":   func(n int) string { return size(n) },
	"add":    func(a, b int) int { return a + b },
	"join":   strings.Join,
	"colour": colour,
}

// colour is the class of a word for a state or a place.
func colour(word string) string {
	switch word {
	case "running", "delivered", "valid":
		return "good"
	case "stopped", "black-holed", "bounced", "lost", "not valid":
		return "bad"
	case "deferred", "queued":
		return "warn"
	}
	return ""
}

// size writes a number of octets for people.
func size(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d octets", n)
}

// wantsJSON reports whether a request is for the API.
func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	to := json.NewEncoder(w)
	to.SetEscapeHTML(false)
	to.SetIndent("", "  ")
	to.Encode(v) // the client may have gone
}

// A view is what every page has.
type view struct {
	Title, Here string // Here is the entry of the menu
	Domain      string
	Live        bool // fragments are kept up to date
	Refresh     bool // a page without the script loads again every five seconds
	Data        any
}

// show answers with a page, or with data as JSON.
func (d *Desk) show(w http.ResponseWriter, r *http.Request, name string, v view) {
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, v.Data)
		return
	}
	d.write(w, http.StatusOK, name, v)
}

// write answers with a page.
func (d *Desk) write(w http.ResponseWriter, status int, name string, v view) {
	v.Domain = d.cluster.Domain()
	var b bytes.Buffer
	if err := d.templates.ExecuteTemplate(&b, name, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// fail answers with what is wrong.
func (d *Desk) fail(w http.ResponseWriter, r *http.Request, status int, problem string) {
	if wantsJSON(r) {
		writeJSON(w, status, map[string]string{"error": problem})
		return
	}
	d.write(w, status, "problem.html", view{Title: http.StatusText(status), Data: problem})
}

// overview answers with the front page.
func (d *Desk) overview(w http.ResponseWriter, r *http.Request) {
	d.show(w, r, "overview.html", view{Title: "Relays", Here: "/", Live: true, Data: d.snapshot()})
}

// fragments are the parts of the overview that are kept up to date, by the id of their element.
func (d *Desk) fragments(s snapshot) map[string]string {
	all := map[string]string{}
	put := func(id, name string, data any) {
		var b bytes.Buffer
		if err := d.templates.ExecuteTemplate(&b, name, data); err == nil {
			all[id] = b.String()
		}
	}
	put("tiles", "tiles", s)
	put("clock-now", "clock-now", s)
	put("flow", "plot", s.Flow)
	put("queues", "plot", s.Queues)
	for _, r := range s.Relays {
		put(r.ID+"-state", "state", r)
		put(r.ID+"-share", "share", r)
		put(r.ID+"-load", "load", r)
		put(r.ID+"-queue", "queue", r)
		put(r.ID+"-accepted", "accepted", r)
		put(r.ID+"-buttons", "buttons", r)
	}
	put("destination-rows", "destination-rows", s)
	put("latest", "latest", s)
	put("deeds", "deeds", s)
	return all
}

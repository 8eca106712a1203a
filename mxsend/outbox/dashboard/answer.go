package dashboard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/internal/page"
	"github.com/mxsend/go-mxsend/mxsend/outbox"
)

// functions are what templates call.
var functions = template.FuncMap{
	"number": number,
	"clock":  func(t time.Time) string { return t.Format("15:04:05") },
	"date": func(t time.Time) string {
		if t.IsZero() {
			return "–"
		}
		return t.Format("2 Jan 2006 15:04")
	},
	"colour":    colour,
	"relayRows": relayRows,
	"every":     func(list string) string { return orElse(list, "every list") },
	"past":      func(t, now time.Time) bool { return t.Before(now) },
	"dict":      dict,
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// dict makes a map of keys and values, for templates that take more than one thing.
func dict(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

// number writes a count with commas: 1,700,000.
func number(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// colour is the class of a state or an outcome.
func colour(word any) string {
	switch fmt.Sprint(word) {
	case string(outbox.Running), string(outbox.Done), "accepted", "delivered":
		return "good"
	case string(outbox.Waiting), string(outbox.Loading), "deferred", "not attempted", "in doubt", "delayed":
		return "warn"
	case string(outbox.Paused), string(outbox.Cancelled), "rejected", "failed", "complaint":
		return "bad"
	}
	return ""
}

// A view is what every page has.
type view struct {
	Title, Here string // Here is the entry of the menu
	Live        string // the URL of events; empty: nothing is kept up to date
	Refresh     bool   // without the script it is loaded again every five seconds
	Control     bool
	Now         *snapshot
	Data        any
}

// write answers with a page.
func (h *handler) write(w http.ResponseWriter, status int, name string, v view) {
	v.Control = h.options.Control
	var b bytes.Buffer
	if err := h.templates.ExecuteTemplate(&b, name, v); err != nil {
		h.options.Logger.Error("outbox dashboard: a page", "error", err)
		http.Error(w, "This page cannot be shown; the log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may have gone
}

// problem answers with what is wrong.
func (h *handler) problem(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusServiceUnavailable, "The database does not answer. The log says more."
	var asked badRequest
	switch {
	case errors.As(err, &asked):
		status, text = asked.status, asked.text
	case errors.Is(err, outbox.ErrUnknown):
		status, text = http.StatusNotFound, "There is no such mailing, or nothing is held."
	case errors.Is(err, outbox.ErrState):
		status, text = http.StatusConflict, "The mailing's state does not allow that any more: somebody else was faster, or it has ended."
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return // nobody is there
	default:
		h.options.Logger.Error("outbox dashboard: the database does not answer", "error", err)
	}
	h.write(w, status, "problem.html", view{Title: http.StatusText(status), Data: text})
}

// A badRequest is what is wrong with a request, in words for who made it.
type badRequest struct {
	status int
	text   string
}

func (e badRequest) Error() string { return e.text }

func (h *handler) overview(w http.ResponseWriter, r *http.Request) {
	s, err := h.look(r.Context(), "")
	if err != nil {
		h.problem(w, r, err)
		return
	}
	h.write(w, http.StatusOK, "mailings.html", view{Title: "Mailings", Here: overviewKey, Live: "events", Refresh: true, Now: s, Data: s})
}

func (h *handler) mailing(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	if name == "" {
		h.problem(w, r, outbox.ErrUnknown)
		return
	}
	s, err := h.look(r.Context(), name)
	if err != nil {
		h.problem(w, r, err)
		return
	}
	live := "events?name=" + url.QueryEscape(name)
	h.write(w, http.StatusOK, "mailing.html", view{Title: name, Live: live, Refresh: true, Now: s, Data: s.Details[name]})
}

func (h *handler) transactional(w http.ResponseWriter, r *http.Request) {
	s, err := h.look(r.Context(), "")
	if err != nil {
		h.problem(w, r, err)
		return
	}
	h.write(w, http.StatusOK, "transactional.html",
		view{Title: "Transactional mail", Here: transactionalKey, Live: "events?page=" + transactionalKey, Refresh: true, Now: s, Data: s})
}

func (h *handler) suppression(w http.ResponseWriter, r *http.Request) {
	held, err := h.box.Held(r.Context())
	if err != nil {
		h.problem(w, r, err)
		return
	}
	tallies, err := h.box.SuppressionTallies(r.Context())
	if err != nil {
		h.problem(w, r, err)
		return
	}
	h.write(w, http.StatusOK, "suppression.html", view{Title: "Suppression", Here: "suppression", Data: dict("Held", held, "Tallies", tallies)})
}

// fragments are the parts of a page that are kept up to date, by the id of their element.
func (h *handler) fragments(key string, s *snapshot) map[string]string {
	all := map[string]string{}
	put := func(id string, data any) {
		var b bytes.Buffer
		if err := h.templates.ExecuteTemplate(&b, id, data); err != nil {
			h.options.Logger.Error("outbox dashboard: a part of a page", "error", err)
			return
		}
		all[id] = b.String()
	}
	put("notice", s)
	switch {
	case key == overviewKey:
		put("tiles", s)
		put("mailing-rows", s)
		put("process-rows", s)
	case key == transactionalKey:
		put("queue-tiles", s)
		put("queue-relays", s)
		put("queue-back", s)
		put("queue-returned", s)
	default:
		d, ok := s.Details[strings.TrimPrefix(key, mailingKey)]
		if !ok {
			break
		}
		for _, id := range []string{"state", "why", "progress", "mailing-tiles", "bar", "pace", "back", "relay-rows", "returned-rows", "rate"} {
			put(id, d)
		}
		if h.options.Control {
			put("buttons", d)
		}
	}
	return all
}

// Hourly is what came back, drawn.
func (d detail) Hourly() page.Plot { return backPlot(d.hourly, time.Now()) }

// Plot is the rate of the last minutes, drawn.
func (f figures) Plot() page.Plot { return f.plot }

// MayPause says whether it can be paused.
func (f figures) MayPause() bool { return f.State == outbox.Running || f.State == outbox.Waiting }

// MayGo says whether Resume has an effect.
func (f figures) MayGo() bool { return f.State == outbox.Paused || f.State == outbox.Waiting }

// MayEnd says whether it can be cancelled.
func (f figures) MayEnd() bool { return f.MayPause() || f.MayGo() }

// Running is how many mailings are being sent.
func (s *snapshot) Running() (running int) {
	for _, f := range s.Mailings {
		if f.State == outbox.Running {
			running++
		}
	}
	return running
}

// HeldCount is how many suppressions wait for review.
func (s *snapshot) HeldCount() (n int64) {
	for _, one := range s.Held {
		n += one.Count
	}
	return n
}

// QueuePlot is what came back of transactional mail, drawn.
func (s *snapshot) QueuePlot() page.Plot { return backPlot(s.QueueBack, s.At) }

// Waits is how long the oldest mail that is due has been waiting.
func (s *snapshot) Waits() string {
	if s.Queue.Oldest.IsZero() {
		return "–"
	}
	return span(max(0, s.At.Sub(s.Queue.Oldest)))
}

// mask hides who an address belongs to: "j***@example.net".
func mask(address string) string {
	i := strings.LastIndexByte(address, '@')
	if i < 0 {
		return "***"
	}
	for n := range address[:i] {
		if n > 0 { // there is a second character
			return address[:n] + "***" + address[i:]
		}
	}
	return "***" + address[i:]
}

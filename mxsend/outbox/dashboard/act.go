package dashboard

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// act carries out an action, and leads the browser back to the page it is about. Where it leads is relative to this page, so
// that it does not matter where the dashboard is mounted.
func (h *handler) act(w http.ResponseWriter, r *http.Request) {
	if !h.options.Control {
		h.problem(w, r, badRequest{http.StatusForbidden, "This page is read-only."})
		return
	}
	actor, do := h.options.Actor(r), r.PostFormValue("do")
	name, domain := r.PostFormValue("name"), r.PostFormValue("domain")
	ctx := context.WithoutCancel(r.Context()) // a click counts, even if the browser leaves
	back := "mailing?name=" + url.QueryEscape(name)
	var err error
	switch do {
	case "pause":
		err = h.box.Pause(ctx, name, because("paused", actor, r.PostFormValue("why")))
	case "resume":
		err = h.box.Resume(ctx, name)
	case "cancel":
		err = h.box.Cancel(ctx, name, because("cancelled", actor, r.PostFormValue("why")))
	case "rate":
		var rate float64
		if rate, err = parseRate(r.PostFormValue("rate")); err == nil {
			err = h.box.SetRate(ctx, name, rate)
		}
	case "release":
		back, err = "suppression", h.box.Release(ctx, domain)
	case "discard":
		back, err = "suppression", h.box.Discard(ctx, domain)
	default:
		err = badRequest{http.StatusBadRequest, "There is no such action."}
	}
	log := h.options.Logger.With("action", do, "actor", actor, "mailing", name, "domain", domain, "rate", r.PostFormValue("rate"))
	if err != nil {
		log.Warn("outbox dashboard: an action failed", "error", err)
		h.problem(w, r, err)
		return
	}
	log.Info("outbox dashboard: an action")
	h.forget(ctx)
	w.Header().Set("Location", back) // http.Redirect would make it absolute, from a path that may have been stripped
	w.WriteHeader(http.StatusSeeOther)
}

// because says who did something, and why.
func because(what, actor, why string) string {
	text := what + " by " + actor
	if why = strings.TrimSpace(why); why != "" {
		text += ": " + why
	}
	return text
}

// parseRate reads recipients a second; nothing is unlimited.
func parseRate(text string) (float64, error) {
	if text = strings.TrimSpace(text); text == "" {
		return 0, nil
	}
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil || rate < 0 || math.IsNaN(rate) || math.IsInf(rate, 0) {
		return 0, badRequest{http.StatusBadRequest, "The rate is in recipients a second: a number such as 200 or 0.5, or nothing for unlimited."}
	}
	return rate, nil
}

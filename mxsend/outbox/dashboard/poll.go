package dashboard

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/internal/page"
	"github.com/mxsend/go-mxsend/mxsend/outbox"
)

const (
	listed   = 25              // newest mailings that are shown
	every    = time.Second     // a poll
	patience = 5 * time.Second // that a poll has
	hours    = 48              // of what came back are drawn
)

// A snapshot is what one poll has found. It is never changed.
type snapshot struct {
	At        time.Time
	Down      bool // the database has not answered since
	Mailings  []figures
	Details   map[string]detail // of mailings that somebody looks at
	Queue     outbox.TransactionalStatus
	QueueBack []outbox.ReturnedTally // hour by hour
	Processes []outbox.Process
	Held      []outbox.HeldBurst
}

// A detail is what only the page of one mailing shows.
type detail struct {
	figures
	hourly []outbox.ReturnedTally
}

// A watch is a page that somebody looks at, live.
type watch struct {
	feed    page.Feed
	viewers int // guarded by handler.mu
}

// Pages that are live are known by the name of a mailing behind mailingKey, or one of the others.
const (
	overviewKey      = "mailings"
	transactionalKey = "transactional"
	mailingKey       = "mailing "
)

// look returns a snapshot of this second, with the details of the named mailing unless name is empty. Whoever comes first in a
// second asks the database, and the others wait for that. Where it does not answer, the last snapshot is returned, and marked.
func (h *handler) look(ctx context.Context, name string) (*snapshot, error) {
	select {
	case h.polling <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.polling }()
	h.mu.Lock()
	s := h.now
	h.mu.Unlock()
	// Who has asked may leave; what is found is for all.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if tick := int64(time.Since(h.began) / every); tick != h.tick {
		fresh, err := h.poll(ctx)
		if err != nil {
			h.options.Logger.Error("outbox dashboard: the database does not answer", "error", err)
			if s == nil {
				return nil, err
			}
			down := *s
			down.Down = true
			fresh = &down
		}
		s, h.tick = fresh, int64(time.Since(h.began)/every)
		h.publish(s)
	}
	if _, ok := s.Details[name]; name != "" && !ok {
		d, err := h.detail(ctx, s, name)
		if err != nil {
			return nil, err
		}
		more := *s
		more.Details = maps.Clone(s.Details)
		more.Details[name] = d
		s = &more
		h.mu.Lock()
		h.now = s
		h.mu.Unlock()
	}
	return s, nil
}

// forget has the next look ask the database again: something was changed.
func (h *handler) forget(ctx context.Context) {
	select {
	case h.polling <- struct{}{}:
		h.tick = -1
		<-h.polling
	case <-ctx.Done():
	}
}

// poll asks the database, for sums only.
func (h *handler) poll(ctx context.Context) (*snapshot, error) {
	s := &snapshot{At: time.Now(), Details: map[string]detail{}}
	all, err := h.box.Mailings(ctx, listed)
	if err != nil {
		return nil, err
	}
	back, err := h.box.ReturnedTotals(ctx, listed)
	if err != nil {
		return nil, err
	}
	if s.Queue, err = h.box.Transactional(ctx); err != nil {
		return nil, err
	}
	if s.QueueBack, err = h.box.ReturnedSince(ctx, "", s.At.Add(-hours*time.Hour)); err != nil {
		return nil, err
	}
	if s.Processes, err = h.box.Processes(ctx); err != nil {
		return nil, err
	}
	if s.Held, err = h.box.Held(ctx); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, status := range all {
		status.Returned = back[status.Mailing.Name]
		names[status.Mailing.Name] = true
		s.Mailings = append(s.Mailings, h.figures(s.At, status))
	}
	for _, name := range h.watchedMailings() {
		d, err := h.detail(ctx, s, name)
		if errors.Is(err, outbox.ErrUnknown) {
			continue // it was deleted
		} else if err != nil {
			return nil, err
		}
		names[name], s.Details[name] = true, d
	}
	h.mu.Lock()
	maps.DeleteFunc(h.past, func(name string, _ *past) bool { return !names[name] })
	h.mu.Unlock()
	return s, nil
}

// detail asks for what only the page of one mailing shows. One that is not among the listed is asked for itself.
func (h *handler) detail(ctx context.Context, s *snapshot, name string) (d detail, err error) {
	if i := slices.IndexFunc(s.Mailings, func(f figures) bool { return f.Name == name }); i >= 0 {
		d.figures = s.Mailings[i]
	} else {
		status, err := h.box.Status(ctx, name)
		if err != nil {
			return d, err
		}
		d.figures = h.figures(s.At, status)
	}
	d.hourly, err = h.box.ReturnedSince(ctx, name, s.At.Add(-hours*time.Hour))
	return d, err
}

// figures notes how far a mailing is.
func (h *handler) figures(at time.Time, s outbox.Status) figures {
	f := figuresOf(s)
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.past[f.Name]
	if p == nil {
		p = &past{}
		h.past[f.Name] = p
	}
	p.add(at, f.Attempted)
	f.pace(p.rate())
	f.plot = p.plot()
	return f
}

// publish makes a snapshot the one that is shown, and tells the viewers.
func (h *handler) publish(s *snapshot) {
	h.mu.Lock()
	h.now = s
	watched := maps.Clone(h.watched)
	h.mu.Unlock()
	for key, w := range watched {
		w.feed.Publish(h.fragments(key, s))
	}
}

func (h *handler) watchedMailings() (names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key := range h.watched {
		if len(key) > len(mailingKey) && key[:len(mailingKey)] == mailingKey {
			names = append(names, key[len(mailingKey):])
		}
	}
	return names
}

// watch adds a viewer to a page; leave takes it away.
func (h *handler) watch(key string) (w *watch, leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w = h.watched[key]
	if w == nil {
		w = &watch{}
		h.watched[key] = w
	}
	w.viewers++
	return w, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if w.viewers--; w.viewers == 0 {
			delete(h.watched, key)
		}
	}
}

// events keeps a page up to date. Every viewer wakes up each second, and the first of them polls for all.
func (h *handler) events(w http.ResponseWriter, r *http.Request) {
	key, name := overviewKey, ""
	switch {
	case r.FormValue("page") == transactionalKey:
		key = transactionalKey
	case r.FormValue("name") != "":
		name = r.FormValue("name")
		key = mailingKey + name
	}
	if _, err := h.look(r.Context(), name); err != nil {
		h.problem(w, r, err)
		return
	}
	watched, leave := h.watch(key)
	defer leave()
	ctx, cancel := context.WithCancel(r.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		for {
			next := every - time.Since(h.began)%every
			select {
			case <-time.After(next):
			case <-ctx.Done():
				return
			}
			if _, err := h.look(ctx, ""); err != nil && !errors.Is(err, context.Canceled) {
				continue // it was logged, and the next second is another
			}
		}
	})
	watched.feed.ServeHTTP(w, r)
}

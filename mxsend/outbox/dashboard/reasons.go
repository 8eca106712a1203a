package dashboard

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/mxsend/outbox"
	"github.com/mxsend/go-mxsend/verp/bounce"
)

const (
	fresh        = time.Minute // that a breakdown is shown again
	most         = 20_000      // reasons, and providers, that are told apart
	shownReasons = 50
	others       = "all others"
	remembers    = 10 // breakdowns
)

// A breakdown is what became of a mailing by provider and reason. There are no sums of those, so the mailing is read.
type breakdown struct {
	At        time.Time
	Took      time.Duration
	Read      int64
	Providers []providerRow
	Reasons   []reasonRow
	MoreP     int // that are not shown
	MoreR     int
}

// A providerRow is what one domain of addresses has made of a mailing.
type providerRow struct {
	Domain     string
	Cells      []int64 // by outcome, as in shown
	Pending    int64
	Bounced    int64
	Complaints int64
	Total      int64
}

// A reasonRow is why recipients have an outcome.
type reasonRow struct {
	Outcome outbox.Outcome
	Relay   string
	Note    string
	Count   int64
}

// readBreakdown reads a mailing.
func readBreakdown(ctx context.Context, b box, name string) (*breakdown, error) {
	result := &breakdown{At: time.Now()}
	providers := map[string]*providerRow{}
	reasons := map[reasonRow]int64{}
	for one, err := range b.Recipients(ctx, name, outbox.Filter{}) {
		if err != nil {
			return nil, err
		}
		result.Read++
		domain := strings.ToLower(one.Address[strings.LastIndexByte(one.Address, '@')+1:])
		if domain == "" {
			domain = "(forgotten)"
		}
		row := providers[domain]
		if row == nil && len(providers) >= most {
			domain = others
			row = providers[domain]
		}
		if row == nil {
			row = &providerRow{Domain: domain, Cells: make([]int64, len(shown))}
			providers[domain] = row
		}
		row.add(one)
		if one.Note == "" {
			continue
		}
		reason := reasonRow{Outcome: one.Outcome, Relay: one.Relay, Note: withoutNumbers(one.Note)}
		if _, ok := reasons[reason]; !ok && len(reasons) >= most {
			reason.Note = others
		}
		reasons[reason]++
	}
	result.Providers = slices.SortedFunc(func(yield func(providerRow) bool) {
		for _, row := range providers {
			if !yield(*row) {
				return
			}
		}
	}, func(a, b providerRow) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), strings.Compare(a.Domain, b.Domain))
	})
	result.Reasons = slices.SortedFunc(func(yield func(reasonRow) bool) {
		for reason, n := range maps.All(reasons) {
			reason.Count = n
			if !yield(reason) {
				return
			}
		}
	}, func(a, b reasonRow) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Note, b.Note), strings.Compare(a.Relay, b.Relay), cmp.Compare(a.Outcome, b.Outcome))
	})
	result.Providers, result.MoreP = cut(result.Providers)
	result.Reasons, result.MoreR = cut(result.Reasons)
	result.Took = time.Since(result.At)
	return result, nil
}

func cut[T any](rows []T) (first []T, more int) {
	n := min(len(rows), shownReasons)
	return slices.Clip(rows[:n]), len(rows) - n
}

func (p *providerRow) add(one outbox.RecipientStatus) {
	p.Total++
	for i, part := range shown {
		if part.Outcome == one.Outcome {
			p.Cells[i]++
		}
	}
	switch {
	case one.Outcome == outbox.Pending:
		p.Pending++
	case one.Returned == bounce.Failed:
		p.Bounced++
	case one.Returned == bounce.Complaint:
		p.Complaints++
	}
}

// withoutNumbers replaces what is likely to be of one mail only, so that equal reasons are counted together: words with a digit that are
// longer than a reply code or an enhanced status code.
func withoutNumbers(note string) string {
	words := strings.Fields(note)
	for i, word := range words {
		if len(word) > 8 && strings.ContainsAny(word, "0123456789") {
			words[i] = "…"
		}
	}
	return strings.Join(words, " ")
}

// Span is how long the reading took, for people.
func (b *breakdown) Span() string { return b.Took.Round(100 * time.Millisecond).String() }

// broken returns the breakdown of a mailing, at most a minute old. One is made at a time.
func (h *handler) broken(ctx context.Context, name string) (*breakdown, error) {
	select {
	case h.reading <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.reading }()
	h.mu.Lock()
	maps.DeleteFunc(h.found, func(_ string, b *breakdown) bool { return time.Since(b.At.Add(b.Took)) > fresh })
	b := h.found[name]
	h.mu.Unlock()
	if b != nil {
		return b, nil
	}
	b, err := readBreakdown(ctx, h.box, name)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.found) < remembers {
		h.found[name] = b
	}
	return b, nil
}

// reasons shows a breakdown. The head of the page is sent at once, since reading may take a while.
func (h *handler) reasons(w http.ResponseWriter, r *http.Request) {
	name := r.FormValue("name")
	s, err := h.look(r.Context(), name)
	if err == nil && name == "" {
		err = outbox.ErrUnknown
	}
	if err != nil {
		h.problem(w, r, err)
		return
	}
	send := func(part string, data any) error {
		var b bytes.Buffer
		if err := h.templates.ExecuteTemplate(&b, part, view{Title: name, Data: data, Control: h.options.Control}); err != nil {
			return err
		}
		_, err := w.Write(b.Bytes())
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := send("reasons.html", s.Details[name]); err != nil {
		return
	}
	to := http.NewResponseController(w)
	_ = to.Flush()
	_ = to.SetWriteDeadline(time.Now().Add(10 * time.Minute)) // where neither is supported, the connection's own limits hold
	b, err := h.broken(r.Context(), name)
	if err != nil {
		if r.Context().Err() == nil {
			h.options.Logger.Error("outbox dashboard: reasons", "mailing", name, "error", err)
			_ = send("reasons-failed", nil)
		}
		return
	}
	_ = send("reasons-found", b)
}

package dashboard

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/mxsend/go-mxsend/internal/page"
	"github.com/mxsend/go-mxsend/mxsend/outbox"
	"github.com/mxsend/go-mxsend/verp/bounce"
)

// figures are a mailing as pages show it.
type figures struct {
	outbox.Status
	Name       string
	Attempted  int64 // have an outcome
	Bounced    int64
	Complaints int64
	Pace       string // recipients a second, lately
	Left       string // time
	plot       page.Plot
}

func figuresOf(s outbox.Status) figures {
	f := figures{Status: s, Name: s.Mailing.Name, Attempted: s.Recipients - s.Outcomes[outbox.Pending], Pace: "–", Left: "–"}
	f.Bounced, f.Complaints = sum(s.Returned, bounce.Failed), sum(s.Returned, bounce.Complaint)
	return f
}

func sum(all []outbox.ReturnedTally, kind bounce.Kind) (n int64) {
	for _, t := range all {
		if t.Kind == kind {
			n += t.Count
		}
	}
	return n
}

// pace sets what follows from a rate, NaN if it is not known.
func (f *figures) pace(rate float64) {
	if f.State != outbox.Running {
		return
	}
	if !math.IsNaN(rate) {
		f.Pace = page.Short(rate) + "/s"
	}
	switch pending := f.Outcomes[outbox.Pending]; {
	case pending == 0:
		f.Left = "retries"
	case rate > 0:
		f.Left = span(time.Duration(float64(pending) / rate * float64(time.Second)))
	}
}

// span writes a time for people.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(math.Ceil(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
	case d < 48*time.Hour:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%d h %02d", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(math.Round(d.Hours()/24)))
}

// shown are the outcomes in the order of the bar and of columns, with their colours.
var shown = []struct {
	Outcome outbox.Outcome
	Class   string
}{
	{outbox.Accepted, "good"}, {outbox.Rejected, "bad"}, {outbox.InDoubt, "doubt"}, {outbox.Deferred, "warn"}, {outbox.NotAttempted, "warn"}, {outbox.Skipped, "soft"},
}

// Count is how many have an outcome, by its name; for templates.
func (f figures) Count(name string) (int64, error) {
	o, err := outbox.ParseOutcome(name)
	return f.Outcomes[o], err
}

// Bar draws what became of the recipients.
func (f figures) Bar() template.HTML {
	const width = 1000
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="bar" viewBox="0 0 %d 10" preserveAspectRatio="none" role="img" aria-label="%s have an outcome"><rect class="none" width="%d" height="10"/>`,
		width, f.Percent(), width)
	x := 0.0
	for _, part := range shown {
		n := f.Outcomes[part.Outcome]
		if n == 0 || f.Recipients == 0 {
			continue
		}
		w := float64(n) / float64(f.Recipients) * width
		fmt.Fprintf(&b, `<rect class="%s" x="%.1f" width="%.1f" height="10"/>`, part.Class, x, max(w, 1)) // few are seen, too
		x += w
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// Percent is how many have an outcome. It is 100% only if all have.
func (f figures) Percent() string {
	if f.Recipients == 0 {
		return "0%"
	}
	share := float64(f.Attempted) / float64(f.Recipients) * 100
	if share > 99.9 && f.Attempted < f.Recipients {
		share = 99.9
	}
	if share == 100 || share < 0.05 {
		return fmt.Sprintf("%.0f%%", share)
	}
	return fmt.Sprintf("%.1f%%", share)
}

// A relayRow is what one relay has made of a mailing.
type relayRow struct {
	Relay string
	Cells []int64 // by outcome, as in shown
	Total int64
}

// relayRows are a row for each relay.
func relayRows(tallies []outbox.RelayTally) (rows []relayRow) {
	for _, t := range tallies {
		if n := len(rows); n == 0 || rows[n-1].Relay != t.Relay { // they are in the relays' order
			rows = append(rows, relayRow{Relay: t.Relay, Cells: make([]int64, len(shown))})
		}
		row := &rows[len(rows)-1]
		row.Total += t.Count
		for i, part := range shown {
			if part.Outcome == t.Outcome {
				row.Cells[i] += t.Count
			}
		}
	}
	return rows
}

// backPlot draws what came back, hour by hour.
func backPlot(tallies []outbox.ReturnedTally, at time.Time) page.Plot {
	plot := page.Plot{Title: "Came back, by the hour", From: fmt.Sprintf("%d hours ago", hours), To: "now",
		Series: []page.Series{{Name: "bounced"}, {Name: "delayed"}, {Name: "complaints"}}}
	kinds := []bounce.Kind{bounce.Failed, bounce.Delayed, bounce.Complaint}
	for i := range plot.Series {
		plot.Series[i].Values = make([]float64, hours)
	}
	last := at.Truncate(time.Hour)
	for _, t := range tallies {
		back := int(last.Sub(t.Hour) / time.Hour)
		for i, kind := range kinds {
			if t.Kind == kind && back >= 0 && back < hours {
				plot.Series[i].Values[hours-1-back] += float64(t.Count)
			}
		}
	}
	return plot
}

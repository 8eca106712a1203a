package desk

import (
	"math"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/internal/page"
	"github.com/mxsend/go-mxsend/mxsend/mxtest"
)

// What is remembered: ten minutes, drawn in steps of five seconds. At first less is drawn, but not less than a minute.
const (
	remembered = 600
	least      = 60
	step       = 5
)

// A past is what the cluster did in the last minutes, a moment for each second. The zero value remembers nothing yet.
type past struct {
	mu      sync.Mutex // guards below
	moments []moment   // the last one is the newest
	total   int        // moments ever
}

// A moment is how things were.
type moment struct {
	at     time.Time
	counts mxtest.Counts
}

// add takes note of how things are.
func (p *past) add(c *mxtest.Cluster) {
	now := moment{time.Now(), c.Ledger().Counts()}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total++
	p.moments = append(p.moments, now)
	if len(p.moments) > remembered+1 {
		p.moments = append(p.moments[:0], p.moments[len(p.moments)-remembered-1:]...)
	}
}

// ago returns the counts of that many seconds ago, or the oldest that are known.
func (p *past) ago(seconds int) mxtest.Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.moments) == 0 {
		return mxtest.Counts{}
	}
	return p.moments[max(0, len(p.moments)-1-seconds)].counts
}

// plots draws the last minutes.
func (p *past) plots() (flow, queues page.Plot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.moments)
	drawn := min(remembered, max(least, (n-1+step-1)/step*step))
	from, to := span(time.Duration(drawn)*time.Second)+" ago", "now"
	flow = page.Plot{Title: "Mail a second", Unit: "/s", From: from, To: to, Series: []page.Series{{Name: "accepted"}, {Name: "delivered"}, {Name: "bounced"}}}
	queues = page.Plot{Title: "Mail in the queues", From: from, To: to, Series: []page.Series{{Name: "at primaries"}, {Name: "at graveyards"}}}
	put := func(plot *page.Plot, values ...float64) {
		for i, v := range values {
			plot.Series[i].Values = append(plot.Series[i].Values, v)
		}
	}
	// Steps end at multiples of five since the start, so that a point stays what it was as it moves to the left.
	newest := n - 1 - p.total%step
	for end := newest - drawn + step; end <= newest; end += step {
		begin := end - step
		if begin < 0 {
			put(&flow, math.NaN(), math.NaN(), math.NaN())
			put(&queues, math.NaN(), math.NaN())
			continue
		}
		a, b := p.moments[begin], p.moments[end]
		seconds := max(0.001, b.at.Sub(a.at).Seconds())
		put(&flow, float64(b.counts.Accepted-a.counts.Accepted)/seconds, float64(b.counts.Delivered-a.counts.Delivered)/seconds,
			float64(b.counts.Bounced-a.counts.Bounced)/seconds)
		put(&queues, float64(b.counts.Queued+b.counts.Deferred-b.counts.AtGraveyard), float64(b.counts.AtGraveyard))
	}
	return flow, queues
}

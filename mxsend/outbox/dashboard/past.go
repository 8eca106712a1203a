package dashboard

import (
	"math"
	"time"

	"github.com/mxsend/go-mxsend/internal/page"
)

const (
	remembered = 10 * time.Minute
	step       = 5 * time.Second  // between the points of the plot
	recent     = 10 * time.Second // that the rate is about
)

// A past is how far a mailing was when somebody looked, in the last minutes.
type past struct{ moments []moment }

type moment struct {
	at        time.Time
	attempted int64
}

func (p *past) add(at time.Time, attempted int64) {
	if n := len(p.moments); n > 0 && at.Sub(p.moments[n-1].at) < every/2 {
		return // one that is not listed may be asked for twice in a second
	}
	p.moments = append(p.moments, moment{at, attempted})
	old := 0
	for old < len(p.moments)-2 && at.Sub(p.moments[old+1].at) > remembered {
		old++
	}
	p.moments = append(p.moments[:0], p.moments[old:]...)
}

// rate is in recipients a second, over the last ten seconds, or for as long as it was looked at. It is NaN where that is not known.
func (p *past) rate() float64 {
	n := len(p.moments)
	if n < 2 {
		return math.NaN()
	}
	last, first := p.moments[n-1], n-2
	for first > 0 && last.at.Sub(p.moments[first].at) < recent {
		first--
	}
	return perSecond(p.moments[first], last)
}

// perSecond is never negative: Resend and Forget take outcomes back.
func perSecond(a, b moment) float64 {
	return max(0, float64(b.attempted-a.attempted)) / b.at.Sub(a.at).Seconds()
}

// plot draws the last minutes. A point is the rate since somebody looked before, if that was not long before.
func (p *past) plot() page.Plot {
	values := make([]float64, remembered/step)
	for i := range values {
		values[i] = math.NaN()
	}
	plot := page.Plot{Title: "Recipients a second", Unit: "/s", From: "10 minutes ago", To: "now", Series: []page.Series{{Name: "lately", Values: values}}}
	if len(p.moments) == 0 {
		return plot
	}
	// Steps end at multiples of five seconds, so that points stay what they are as they move to the left.
	end := p.moments[len(p.moments)-1].at.Truncate(step)
	before, at := -1, 0 // the last moment of the step before that has one, and that step
	for i, m := range p.moments {
		n := len(values) - 1 - int(end.Sub(m.at)/step)
		if m.at.After(end) || n < 0 || i+1 < len(p.moments) && !p.moments[i+1].at.After(end.Add(-step*time.Duration(len(values)-1-n))) {
			continue // it is of a step that is not over, is long past, or is not the last of its step
		}
		if before >= 0 && m.at.Sub(p.moments[before].at) <= 3*step {
			for k := at + 1; k <= n; k++ {
				values[k] = perSecond(p.moments[before], m)
			}
		}
		before, at = i, n
	}
	return plot
}

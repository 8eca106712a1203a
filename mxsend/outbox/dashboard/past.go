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
		return // a mailing is asked for twice where it is both listed and looked at
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

// plot draws the last minutes. A point is the rate since the point before, where somebody looked at both.
func (p *past) plot() page.Plot {
	plot := page.Plot{Title: "Recipients a second", Unit: "/s", From: "10 minutes ago", To: "now", Series: []page.Series{{Name: "now"}}}
	if len(p.moments) == 0 {
		return plot
	}
	// Points are at multiples of five seconds, so that they stay what they are as they move to the left.
	end := p.moments[len(p.moments)-1].at.Truncate(step)
	i := 0
	values := make([]float64, remembered/step)
	var before *moment
	for n := range values {
		from := end.Add(step * time.Duration(n-len(values)))
		var last *moment // in this step
		for ; i < len(p.moments) && !p.moments[i].at.After(from.Add(step)); i++ {
			if p.moments[i].at.After(from) {
				last = &p.moments[i]
			}
		}
		values[n] = math.NaN()
		if last != nil && before != nil {
			values[n] = perSecond(*before, *last)
		}
		before = last
	}
	plot.Series[0].Values = values
	return plot
}

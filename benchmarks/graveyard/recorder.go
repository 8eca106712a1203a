package main

import (
	"math"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/relaysim"
)

// bucket is the resolution of the plots.
const bucket = 10 * time.Minute

// The histogram's bins are 5 % wide, from a millisecond to twelve days.
const (
	bins  = 430
	scale = 1.05
)

// A recorder keeps the delays of transactional mail over the week, by when it was submitted, and the queues.
type recorder struct {
	hist  [][bins]uint32
	worst []time.Duration
	queue []sample
}

// A sample is a point of the plots.
type sample struct {
	At                                 time.Duration
	Mails                              int
	Median, P99, Max                   float64 // seconds
	Incoming, Active, Deferred         int     // of the primaries
	GraveyardActive, GraveyardDeferred int
}

func newRecorder() *recorder {
	n := int(week / bucket)
	return &recorder{hist: make([][bins]uint32, n), worst: make([]time.Duration, n), queue: make([]sample, n)}
}

func (r *recorder) add(submitted, delay time.Duration) {
	i := int(submitted / bucket)
	if i >= len(r.hist) {
		return
	}
	bin := 0
	if ms := float64(delay) / float64(time.Millisecond); ms > 1 {
		bin = min(bins-1, int(math.Log(ms)/math.Log(scale)))
	}
	r.hist[i][bin]++
	r.worst[i] = max(r.worst[i], delay)
}

func (r *recorder) queues(at time.Duration, s *relaysim.Sim) {
	p, g := s.Counts(false), s.Counts(true)
	r.queue[at/bucket] = sample{At: at, Incoming: p.Incoming, Active: p.Active, Deferred: p.Deferred, GraveyardActive: g.Active + g.Incoming, GraveyardDeferred: g.Deferred}
}

// quantile reads a quantile off a histogram, in seconds: the middle of its bin.
func quantile(h *[bins]uint32, q float64) (value float64, total int) {
	for _, n := range h {
		total += int(n)
	}
	if total == 0 {
		return 0, 0
	}
	rank := int(q * float64(total-1))
	for bin, n := range h {
		if rank -= int(n); rank < 0 {
			return math.Pow(scale, float64(bin)+0.5) / 1000, total
		}
	}
	return 0, total
}

// result works the week out.
func (r *recorder) result() weekResult {
	var all [bins]uint32
	var out weekResult
	over := 0
	for i := range r.hist {
		h := &r.hist[i]
		for bin, n := range h {
			all[bin] += n
			if math.Pow(scale, float64(bin)) > 10_000 {
				over += int(n)
			}
		}
		s := &r.queue[i]
		s.Median, s.Mails = quantile(h, 0.5)
		s.P99, _ = quantile(h, 0.99)
		s.Max = r.worst[i].Seconds()
		out.Max = max(out.Max, s.Max)
		if s.Median > 1 {
			out.SlowMinutes += int(bucket / time.Minute)
		}
		out.PeakDeferred = max(out.PeakDeferred, s.Deferred)
		out.PeakGraveyard = max(out.PeakGraveyard, s.GraveyardDeferred)
	}
	var total int
	out.Median, total = quantile(&all, 0.5)
	out.P99, _ = quantile(&all, 0.99)
	out.Over10s = float64(over) / float64(max(1, total))
	out.series = r.queue
	return out
}

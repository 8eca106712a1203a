package mxsend

import (
	"math/bits"
	"time"
)

// A Histogram counts durations in buckets that double: the first holds those under
// 250 µs, the next those under 500 µs, and so on; the last all from about an hour on.
type Histogram [25]uint64

const histogramFirst = 250 * time.Microsecond

func (h *Histogram) add(d time.Duration) {
	i := bits.Len64(uint64(max(d, 0) / histogramFirst))
	h[min(i, len(h)-1)]++
}

// Bound returns the upper end of bucket i.
func (h *Histogram) Bound(i int) time.Duration { return histogramFirst << i }

// Count returns how many durations were counted.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h {
		n += c
	}
	return n
}

// Quantile returns the upper end of the bucket in which the share q of all
// durations, such as 0.99, is reached; zero if none were counted.
func (h *Histogram) Quantile(q float64) time.Duration {
	wanted := q * float64(h.Count())
	var sum uint64
	for i, c := range h {
		if sum += c; c > 0 && float64(sum) >= wanted {
			return h.Bound(i)
		}
	}
	return 0
}

package mxsend

import (
	"math/bits"
	"time"
)

// A Histogram counts durations. The zero value has counted none.
type Histogram struct {
	// Buckets count durations by their size, and the bounds double: the first counts
	// those under 250 µs, the next those under 500 µs that are not under 250 µs, and so
	// on; the last counts all from about an hour on.
	Buckets [25]uint64
	// Sum is the sum of all durations counted.
	Sum time.Duration
}

const histogramFirst = 250 * time.Microsecond

func (h *Histogram) add(d time.Duration) {
	d = max(d, 0)
	i := bits.Len64(uint64(d / histogramFirst))
	h.Buckets[min(i, len(h.Buckets)-1)]++
	h.Sum += d
}

// Bound returns the upper end of bucket i. That of the last one, which has none, is
// the lower end doubled.
func (h *Histogram) Bound(i int) time.Duration { return histogramFirst << i }

// Count returns how many durations were counted.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Buckets {
		n += c
	}
	return n
}

// Quantile returns the upper end of the bucket in which the share q of all
// durations, such as 0.99, is reached. It returns zero where none were counted.
func (h *Histogram) Quantile(q float64) time.Duration {
	wanted := q * float64(h.Count())
	var sum uint64
	for i, c := range h.Buckets {
		if sum += c; c > 0 && float64(sum) >= wanted {
			return h.Bound(i)
		}
	}
	return 0
}

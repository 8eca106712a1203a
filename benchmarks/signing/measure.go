package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"
)

// operation does one thing once.
type operation func() error

// measureCase is an operation and the bare one that it is measured in turns with.
type measureCase struct {
	name     string
	op, bare operation
}

// measurement holds one figure for each round.
type measurement struct {
	value, ratio []float64 // microseconds; times the bare operation
}

type plan struct {
	rounds   int
	slice    time.Duration // for each case in each round, at least
	batches  int           // in each slice, at least
	progress io.Writer
}

func (p plan) quick() bool { return p.rounds <= 3 }

// measure runs all cases in every round, so that none has the quiet minutes for itself.
func (p plan) measure(cases []measureCase) (map[string]*measurement, error) {
	all := map[string]*measurement{}
	for round := range p.rounds {
		fmt.Fprintf(p.progress, "round %d of %d\n", round+1, p.rounds)
		for _, c := range cases {
			value, ratio, err := c.run(p)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			m := all[c.name]
			if m == nil {
				m = &measurement{}
				all[c.name] = m
			}
			m.value = append(m.value, value)
			m.ratio = append(m.ratio, ratio)
		}
	}
	return all, nil
}

const batchTime = 200 * time.Microsecond

// run alternates batches of the two operations and returns the median microseconds of c.op, and the
// median of what it takes as a multiple of c.bare in the batch beside it.
func (c measureCase) run(p plan) (value, ratio float64, err error) {
	runtime.GC()
	size, err := batchSize(c.op)
	if err != nil {
		return 0, 0, err
	}
	bareSize, err := batchSize(c.bare)
	if err != nil {
		return 0, 0, err
	}
	var values, ratios []float64
	for start := time.Now(); time.Since(start) < p.slice || len(values) < p.batches; {
		var v, b float64
		var err1, err2 error
		if len(values)%2 == 0 { // what comes second finds the caches as the first left them
			v, err1 = batch(c.op, size)
			b, err2 = batch(c.bare, bareSize)
		} else {
			b, err2 = batch(c.bare, bareSize)
			v, err1 = batch(c.op, size)
		}
		if err := errors.Join(err1, err2); err != nil {
			return 0, 0, err
		}
		values, ratios = append(values, v), append(ratios, v/b)
	}
	return median(values), median(ratios), nil
}

// batchSize also warms up.
func batchSize(op operation) (int, error) {
	us, err := batch(op, 5)
	return max(1, int(float64(batchTime.Microseconds())/us)), err
}

func batch(op operation, n int) (us float64, err error) {
	start := time.Now()
	for range n {
		if err := op(); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(start).Nanoseconds()) / 1000 / float64(n), nil
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

func spread(values []float64) float64 {
	return (slices.Max(values) - slices.Min(values)) / median(values)
}

// allocations counts those of one operation.
func allocations(op operation) (float64, error) {
	const n = 200
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		if err := op(); err != nil {
			return 0, err
		}
	}
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / n), nil
}

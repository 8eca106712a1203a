package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
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
	value, ratio report.Sample // microseconds; times the bare operation
}

type plan struct {
	rounds   int
	slice    time.Duration // for each case in each round, at least
	batches  int           // in each slice, at least
	progress func(format string, args ...any)
}

func (p plan) quick() bool { return p.rounds <= 3 }

// measure runs all cases in every round, so that none has the quiet minutes for itself.
func (p plan) measure(ctx context.Context, cases []measureCase) (map[string]*measurement, error) {
	all := map[string]*measurement{}
	for round := range p.rounds {
		for _, c := range cases {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			p.progress("round %d of %d: %s", round+1, p.rounds, c.name)
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
	var values, ratios report.Sample
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
	return values.Median(), ratios.Median(), nil
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

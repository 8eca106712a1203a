package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
	"github.com/mxsend/go-mxsend/dkim"
)

// scaling compares how many signatures one core and all cores make: of one Signer, and of the bare
// operation, which shows what the machine has to give.
func (b *bench) scaling(ctx context.Context, p plan) ([]report.Row, error) {
	signer, err := dkim.NewSigner(dkim.Config{Domain: "example.org", Keys: []dkim.Key{{Selector: "s", Signer: b.ed}}})
	if err != nil {
		return nil, err
	}
	all, started := runtime.GOMAXPROCS(0), 0
	var rows []report.Row
	for _, c := range []struct {
		name string
		op   func() operation // one for each goroutine
	}{
		{"bare Ed25519", func() operation { return b.bareEd }},
		{"Ed25519, 4 KiB", func() operation {
			m := newMail(small, false)
			started++
			m.count = started * 1_000_000 // no two goroutines sign the same body
			return func() error {
				_, err := signer.Sign(context.Background(), m.next())
				return err
			}
		}},
	} {
		var values, ratios report.Sample
		for round := range p.rounds * 4 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			p.progress("%s, on %d cores: round %d of %d", c.name, all, round+1, p.rounds*4)
			one, err := rate(1, p.slice/4, c.op)
			if err != nil {
				return nil, err
			}
			many, err := rate(all, p.slice/4, c.op)
			if err != nil {
				return nil, err
			}
			values, ratios = append(values, many), append(ratios, many/one)
		}
		rows = append(rows, figure(fmt.Sprintf("%s, on %d cores (ratio: to one core)", c.name, all), "signatures/s", values, ratios))
	}
	return rows, nil
}

// rate runs the operation on n goroutines for the given time and returns how many there were a second.
func rate(n int, d time.Duration, op func() operation) (float64, error) {
	counts, errs := make([]int, n), make([]error, n)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range n {
		do := op()
		wg.Go(func() {
			count := 0
			for time.Since(start) < d && errs[i] == nil {
				for range 10 {
					if errs[i] = do(); errs[i] != nil {
						break
					}
					count++
				}
			}
			counts[i] = count
		})
	}
	wg.Wait()
	seconds, sum := time.Since(start).Seconds(), 0
	for i := range n {
		if errs[i] != nil {
			return 0, errs[i]
		}
		sum += counts[i]
	}
	return float64(sum) / seconds, nil
}

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

// sending is how long Send takes, idle and under a mailing.
type sending struct {
	service, phase time.Duration
	rounds         int
	progress       func(format string, args ...any)
	idle           phases
	loaded         []phases // by kind
}

func (s *sending) measure(ctx context.Context) error {
	b, err := newBench(s.service)
	if err != nil {
		return err
	}
	defer b.close()
	s.loaded = make([]phases, len(kinds))
	for i := range s.rounds {
		s.progress("round %d of %d: idle", i+1, s.rounds)
		if err := b.every5ms(ctx, plain, s.phase, &s.idle); err != nil {
			return err
		}
		for j, k := range kinds {
			s.progress("round %d of %d: %s under a mailing", i+1, s.rounds, k.name)
			if err := b.loaded(ctx, k, s.phase, &s.loaded[j]); err != nil {
				return err
			}
		}
	}
	return b.audit(ctx)
}

func (s *sending) report(r *report.Report) *report.Table {
	t := &report.Table{
		Title:  fmt.Sprintf("Send of a transactional mail, relays with %v service time, %d rounds of %v", s.service, s.rounds, s.phase),
		Header: []string{"", "idle ms", "under a mailing ms", "ratio"},
	}
	for _, k := range kinds[1:] {
		t.Header = append(t.Header, k.name+" ms", "ratio")
	}
	for _, q := range []struct {
		name string
		of   float64
	}{{"median", 0.5}, {"p99", 0.99}, {"slowest", 1}} {
		before := s.idle.quantile(q.of)
		r.Add("transactional "+q.name+", idle", "ms", before)
		cells := []string{q.name, report.Figure(before.Median())}
		for i, k := range kinds {
			name := "transactional " + q.name + ", under a mailing"
			if i > 0 {
				name += ", " + k.name
			}
			during := s.loaded[i].quantile(q.of)
			r.AddRatio(name, "ms", during, before.Median())
			cells = append(cells, report.Figure(during.Median()), report.Figure(during.Median()/before.Median()))
		}
		t.Rows = append(t.Rows, cells)
	}
	rate := s.loaded[0].rate
	r.Add("mailing", "messages/s", rate)
	t.Notes = append(t.Notes, "what failed over was deferred at DATA by the first relay", fmt.Sprintf("the mailing ran at %s messages/s (spread %.0f %%), signed with Ed25519", report.Figure(rate.Median()), 100*rate.Spread()))
	return t
}

// plot draws which share of the mails took how long at most.
func (s *sending) plot(dir, name, title string) error {
	var lines []report.Series
	draw := func(name string, p *phases) {
		all := slices.Concat(p.took...)
		slices.Sort(all)
		line := report.Series{Name: name}
		const points = 500
		for i := range points + 1 {
			line.X = append(line.X, all[min(len(all)-1, i*len(all)/points)])
			line.Y = append(line.Y, 100*float64(i)/points)
		}
		lines = append(lines, line)
	}
	draw("idle", &s.idle)
	for i, k := range kinds {
		draw("under a mailing, "+k.name, &s.loaded[i])
	}
	return report.Lines(dir, name, title, "ms", "% of the mails", lines)
}

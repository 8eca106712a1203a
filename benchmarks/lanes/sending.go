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
	idle, loaded   phases
}

func (s *sending) measure(ctx context.Context) error {
	b, err := newBench(s.service)
	if err != nil {
		return err
	}
	defer b.close()
	for i := range s.rounds {
		s.progress("round %d of %d: idle", i+1, s.rounds)
		if err := b.idle(ctx, s.phase, &s.idle); err != nil {
			return err
		}
		s.progress("round %d of %d: under a mailing", i+1, s.rounds)
		if err := b.loaded(ctx, s.phase, &s.loaded); err != nil {
			return err
		}
	}
	return b.audit(ctx)
}

func (s *sending) report(r *report.Report) *report.Table {
	t := &report.Table{
		Title:  fmt.Sprintf("Send of a transactional mail, relays with %v service time, %d rounds of %v", s.service, s.rounds, s.phase),
		Header: []string{"", "idle ms", "under a mailing ms", "ratio"},
	}
	for _, q := range []struct {
		name string
		of   float64
	}{{"median", 0.5}, {"p99", 0.99}, {"slowest", 1}} {
		before, during := s.idle.quantile(q.of), s.loaded.quantile(q.of)
		r.Add("transactional "+q.name+", idle", "ms", before)
		r.AddRatio("transactional "+q.name+", under a mailing", "ms", during, before.Median())
		t.Rows = append(t.Rows, []string{q.name, report.Figure(before.Median()), report.Figure(during.Median()), report.Figure(during.Median() / before.Median())})
	}
	rate := s.loaded.rate
	r.Add("mailing", "messages/s", rate)
	t.Notes = append(t.Notes, fmt.Sprintf("the mailing ran at %s messages/s (spread %.0f %%), signed with Ed25519", report.Figure(rate.Median()), 100*rate.Spread()))
	return t
}

// plot draws which share of the mails took how long at most.
func (s *sending) plot(dir, name, title string) error {
	var lines []report.Series
	for _, p := range []struct {
		name string
		of   *phases
	}{{"idle", &s.idle}, {"under a mailing", &s.loaded}} {
		all := slices.Concat(p.of.took...)
		slices.Sort(all)
		line := report.Series{Name: p.name}
		const points = 500
		for i := range points + 1 {
			line.X = append(line.X, all[min(len(all)-1, i*len(all)/points)])
			line.Y = append(line.Y, 100*float64(i)/points)
		}
		lines = append(lines, line)
	}
	return report.Lines(dir, name, title, "ms", "% of the mails", lines)
}

package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/program"
	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

// limits are the two ways in which a relay turns away a client that is one too many.
var limits = []struct {
	name    string
	waiting bool
}{{"421", false}, {"waiting", true}}

// runPlans carries out plans in processes beside each other, one a core.
func runPlans(ctx context.Context, plans []plan) ([]outcome, error) {
	outcomes, errs := make([]outcome, len(plans)), make([]error, len(plans))
	slots := make(chan struct{}, 2)
	var all sync.WaitGroup
	for i, p := range plans {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			outcomes[i], errs[i] = p.run(ctx)
		})
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%+v: %w", plans[i], err)
		}
	}
	return outcomes, nil
}

// runCrowds asks whether clients that all have a mailing share relays as one would.
func runCrowds(ctx context.Context, e *program.Env) error {
	sizes := either(e.Quick, []int{20}, []int{20, 100, 300})
	var plans []plan
	for _, n := range sizes {
		for _, l := range limits {
			plans = append(plans, plan{
				Clients: n, Waiting: l.waiting, Bulk: 1, Warm: either(e.Quick, seconds(30*time.Second), seconds(2*time.Minute)),
				Window: either(e.Quick, seconds(30*time.Second), seconds(5*time.Minute)), Joiners: 10, Patience: seconds(10 * time.Minute),
			})
		}
	}
	outcomes, err := runPlans(ctx, plans)
	if err != nil {
		return err
	}
	t := &report.Table{
		Title:  "Clients that all have a mailing and send a transactional mail every two seconds; relays take 400 ms for a mail and admit 100 sessions each",
		Header: []string{"clients; one too many is", "% of capacity", "Jain's index", "transactional p50 s", "p99 s", "% failed", "late joiner's first mail, median s", "slowest s", ""},
		Notes: []string{
			fmt.Sprintf("capacity: %.0f mails/s; failed: no acceptance within %v; a late joiner that got nothing within the time counts as %v", capacity, deadline, 10*time.Minute),
		},
	}
	lines := make([]report.Series, len(limits))
	for i, p := range plans {
		o, limit := outcomes[i], limits[i%len(limits)]
		name := fmt.Sprintf("crowd of %d, %s", p.Clients, limit.name)
		late := either(p.Waiting, 35.0, 5.0)
		rows := []report.Row{
			row(name+": throughput", "% of capacity", o.share(time.Duration(p.Window)), atLeast(95)),
			row(name+": Jain's index", "1", jain(o.PerClient), atLeast(0.95)),
			row(name+": transactional median", "s", quantile(o.Took, 0.5), none),
			row(name+": transactional p99", "s", quantile(o.Took, 0.99), atMost(30)),
			row(name+": transactional failed", "%", o.failed(), atMost(0)),
			row(name+": late joiner's first mail, median", "s", quantile(o.joined(p), 0.5), none),
			row(name+": late joiner's first mail, slowest", "s", quantile(o.joined(p), 1), atMost(late)),
		}
		t.Rows = append(t.Rows, add(e, fmt.Sprintf("%d; %s", p.Clients, limit.name), rows))
		line := &lines[i%len(limits)]
		line.Name = limit.name
		line.X, line.Y = append(line.X, float64(p.Clients)), append(line.Y, quantile(o.Took, 0.99))
	}
	return firstError(e.Table(t), e.Plot("fleet-transactional", "p99 of a transactional mail, by the number of clients", func(dir, name, title string) error {
		return report.Lines(dir, name, title, "clients", "seconds", lines)
	}))
}

// runReturns asks how soon all clients are back at a relay that was away.
func runReturns(ctx context.Context, e *program.Env) error {
	outages := either(e.Quick, []time.Duration{20 * time.Second}, []time.Duration{20 * time.Second, 700 * time.Second})
	var plans []plan
	for _, outage := range outages {
		for _, l := range limits {
			plans = append(plans, plan{
				Clients: either(e.Quick, 20, 100), Waiting: l.waiting, Bulk: 1, Warm: seconds(time.Minute), Window: seconds(10 * time.Second),
				Outage: seconds(outage), Patience: seconds(10 * time.Minute),
			})
		}
	}
	outcomes, err := runPlans(ctx, plans)
	if err != nil {
		return err
	}
	t := &report.Table{
		Title:  fmt.Sprintf("One of two relays is switched off and comes back: when does each of %d clients use it again?", plans[0].Clients),
		Header: []string{"outage; one too many is", "median s", "slowest s", "connects refused a client, median", "most", ""},
		Notes:  []string{"refused: connections that could not be had while it was away, at either relay"},
	}
	for i, p := range plans {
		o := outcomes[i]
		name := fmt.Sprintf("return after %v, %s", time.Duration(p.Outage), limits[i%len(limits)].name)
		var refused []float64
		for _, n := range o.Refused {
			refused = append(refused, float64(n))
		}
		rows := []report.Row{
			row(name+": median", "s", quantile(never(o.Returned, p.Patience), 0.5), none),
			row(name+": slowest", "s", quantile(never(o.Returned, p.Patience), 1), atMost(45)),
			row(name+": connects refused, median", "1", quantile(refused, 0.5), none),
			row(name+": connects refused, most", "1", quantile(refused, 1), none),
		}
		t.Rows = append(t.Rows, add(e, fmt.Sprintf("%v; %s", time.Duration(p.Outage), limits[i%len(limits)].name), rows))
	}
	return e.Table(t)
}

// runFew asks whether clients that are idle most of the time keep sessions that others could use.
func runFew(ctx context.Context, e *program.Env) error {
	return runSimple(ctx, e, "Some clients (one in ten, in a short run one in two) have a mailing; all send a transactional mail every two seconds", "few with mailings", func(waiting bool) plan {
		return plan{Clients: either(e.Quick, 20, 300), Waiting: waiting, Bulk: either(e.Quick, 0.5, 0.1), Warm: seconds(time.Minute), Window: either(e.Quick, seconds(20*time.Second), seconds(2*time.Minute))}
	}, atLeast(95), atMost(30))
}

// runApart gives transactional mail relays of its own.
func runApart(ctx context.Context, e *program.Env) error {
	idle := plan{Clients: either(e.Quick, 20, 300), Apart: true, Warm: seconds(10 * time.Second), Window: seconds(30 * time.Second)}
	outcomes, err := runPlans(ctx, []plan{idle})
	if err != nil {
		return err
	}
	p99 := quantile(outcomes[0].Took, 0.99)
	e.Report().Rows = append(e.Report().Rows, row("relays of its own: transactional p99 without mailings", "s", p99, none))
	return runSimple(ctx, e, fmt.Sprintf("Transactional mail has relays of its own (without mailings its p99 is %s s)", report.Figure(p99)), "relays of its own", func(waiting bool) plan {
		idle.Bulk, idle.Waiting, idle.Warm = 1, waiting, seconds(time.Minute)
		return idle
	}, none, atMost(2*p99))
}

// runSimple runs one plan under both limits, and shows throughput and transactional mail.
func runSimple(ctx context.Context, e *program.Env, title, name string, of func(waiting bool) plan, throughput, p99 wanted) error {
	plans := []plan{of(false), of(true)}
	outcomes, err := runPlans(ctx, plans)
	if err != nil {
		return err
	}
	t := &report.Table{
		Title:  fmt.Sprintf("%s; %d clients", title, plans[0].Clients),
		Header: []string{"one too many is", "% of capacity", "transactional p50 s", "p99 s", "% failed", ""},
	}
	for i, p := range plans {
		o, limit := outcomes[i], limits[i].name
		n := name + ", " + limit
		t.Rows = append(t.Rows, add(e, limit, []report.Row{
			row(n+": throughput", "% of capacity", o.share(time.Duration(p.Window)), throughput),
			row(n+": transactional median", "s", quantile(o.Took, 0.5), none),
			row(n+": transactional p99", "s", quantile(o.Took, 0.99), p99),
			row(n+": transactional failed", "%", o.failed(), atMost(0)),
		}))
	}
	return e.Table(t)
}

// runLookups asks whether all clients ask DNS at the same moment.
func runLookups(ctx context.Context, e *program.Env) error {
	p := plan{Clients: either(e.Quick, 50, 300), Warm: seconds(2 * time.Minute), Window: seconds(8 * time.Minute)}
	outcomes, err := runPlans(ctx, []plan{p})
	if err != nil {
		return err
	}
	o := outcomes[0]
	even := float64(o.Questions) * 2 / (time.Duration(p.Window) + deadline).Seconds()
	rows := []report.Row{row("lookups: busiest two seconds", "× even", float64(o.Busiest)/even, atMost(4))}
	return e.Table(&report.Table{
		Title:  fmt.Sprintf("Lookups of %d clients that started at once, DNS says a minute", p.Clients),
		Header: []string{"", "busiest two seconds, × of evenly spread", ""},
		Rows:   [][]string{add(e, fmt.Sprintf("%d lookups", o.Questions), rows)},
	})
}

func either[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// jain is Jain's index of fairness: 1 where all have the same, 1/n where one has all.
func jain(of []int) float64 {
	sum, squares := 0.0, 0.0
	for _, n := range of {
		sum += float64(n)
		squares += float64(n) * float64(n)
	}
	if squares == 0 {
		return 0
	}
	return sum * sum / (float64(len(of)) * squares)
}

func quantile(of []float64, q float64) float64 {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min(len(sorted)-1, int(math.Floor(q*float64(len(sorted)))))]
}

// never has those who got nothing wait as long as they were watched.
func never(of []float64, patience seconds) []float64 {
	out := slices.Clone(of)
	for i, v := range out {
		if v < 0 {
			out[i] = time.Duration(patience).Seconds()
		}
	}
	return out
}

func (o *outcome) joined(p plan) []float64 { return never(o.Joined, p.Patience) }

func (o *outcome) share(window time.Duration) float64 {
	return 100 * float64(o.Sent) / (capacity * window.Seconds())
}

func (o *outcome) failed() float64 { return 100 * float64(o.Failed) / float64(max(1, len(o.Took))) }

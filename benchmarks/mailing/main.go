// Mailing submits 1.7 million mails, each with a recipient, return path and
// content of its own, through one SendAll over two relays, and watches the
// resident memory of the process all the while: it has to be small, and to stay
// as it is however long the mailing is. The relays are a sink in a process of its
// own, which counts.
//
//	go run ./benchmarks/mailing           # 1.7 million, a minute or two
//	go run ./benchmarks/mailing -quick    # at most 20 s
//	go run ./benchmarks/mailing -json     # one object on standard output
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/program"
	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
	"github.com/mxsend/go-mxsend/benchmarks/internal/sink"
)

// beSink makes this program the sink.
const beSink = "be-sink"

func main() {
	m := &mailing{}
	program.Main(program.Program{
		Name: "mailing", Quick: "a shorter mailing",
		Flags: func(f *flag.FlagSet) {
			f.IntVar(&m.n, "n", 1_700_000, "mails to submit")
			f.IntVar(&m.size, "size", 4<<10, "octets of each")
			f.IntVar(&m.connections, "connections", 10, "to each of the two relays")
		},
		Run: m.run,
		Others: map[string]func(context.Context, []string) error{
			beSink: func(context.Context, []string) error { return sink.Main(os.Stdin, os.Stdout) },
		},
	})
}

func (m *mailing) run(ctx context.Context, e *program.Env) (err error) {
	if m.n < 1 || m.size < 512 || m.connections < 1 {
		return program.Misuse("-n and -connections have to be 1 at least, -size 512")
	}
	if e.Quick {
		m.most = 12 * time.Second
	}
	s, err := sink.Start(exec.Command(program.Self(), beSink))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	m.address, m.progress = s.Address, e.Progress
	if err := m.send(ctx); err != nil {
		return err
	}
	counted, err := s.Totals()
	if err != nil {
		return err
	}
	if got, want := counted.Accepted, int64(m.accepted); got != want {
		return fmt.Errorf("void: %d mails were reported accepted, and the sink counted %d", want, got)
	}
	m.addRows(e.Report())
	title := fmt.Sprintf("Memory during a mailing of %d", m.accepted)
	return errors.Join(e.Plot("mailing-memory", title, m.plot), e.Table(m.table(e.Report())))
}

func (m *mailing) addRows(r *report.Report) {
	largest := 0.0
	for _, x := range m.samples {
		largest = max(largest, x.resident)
	}
	r.Add("mails accepted", "1", report.Sample{float64(m.accepted)})
	r.Add("rate", "messages/s", report.Sample{float64(m.accepted) / m.elapsed.Seconds()})
	r.Add("resident memory, largest", "MiB", report.Sample{largest})
	r.Add("resident memory, median of the last quarter", "MiB", m.quarter(3))
	r.Add("resident memory, growth from the second quarter to the last", "MiB",
		report.Sample{m.quarter(3).Median() - m.quarter(1).Median()})
}

func (m *mailing) plot(dir, name, title string) error {
	resident, heap := report.Series{Name: "resident"}, report.Series{Name: "heap"}
	for _, x := range m.samples {
		resident.X, resident.Y = append(resident.X, x.at.Seconds()), append(resident.Y, x.resident)
		heap.X, heap.Y = append(heap.X, x.at.Seconds()), append(heap.Y, x.heap)
	}
	return report.Lines(dir, name, title, "seconds", "MiB", []report.Series{resident, heap})
}

// quarter is the resident memory of the samples in a quarter of the mailing.
func (m *mailing) quarter(i int) (s report.Sample) {
	for _, x := range m.samples {
		if x.at*4/(m.elapsed+1) == time.Duration(i) {
			s = append(s, x.resident)
		}
	}
	return s
}

// table shows some twenty of the samples and the figures of the report.
func (m *mailing) table(r *report.Report) *report.Table {
	t := &report.Table{
		Title:  fmt.Sprintf("SendAll of %d mails of %d octets, %d connections to each of two relays", m.accepted, m.size, m.connections),
		Header: []string{"after", "accepted", "messages/s", "resident MiB", "heap MiB", "goroutines"},
	}
	step := max(1, len(m.samples)/20)
	last := sample{}
	for i := step - 1; i < len(m.samples); i += step {
		x := m.samples[i]
		rate := float64(x.accepted-last.accepted) / (x.at - last.at).Seconds()
		t.Rows = append(t.Rows, []string{
			x.at.Round(100 * time.Millisecond).String(), fmt.Sprint(x.accepted), report.Figure(rate),
			report.Figure(x.resident), report.Figure(x.heap), fmt.Sprint(x.goroutines),
		})
		last = x
	}
	for _, row := range r.Rows {
		t.Notes = append(t.Notes, fmt.Sprintf("%s: %s %s", row.Name, report.Figure(row.Value), row.Unit))
	}
	return t
}

package main

import (
	"fmt"
	"strings"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

// A target is what a figure is to reach.
type target struct {
	what  string
	most  bool // the limit is an upper one
	limit float64
	unit  string
	of    func(results) (float64, bool) // false: it was not measured
}

// Cases and rows that the targets are about.
const (
	minimal10   = "minimal sink, 10 connections, 4 KiB"
	minimal50   = "minimal sink, 50 connections, 4 KiB"
	postfix10   = "Postfix (discard), 10 connections, 4 KiB"
	clientCPU   = ": client CPU"
	mxsend      = ": mxsend"
	smtpSource  = ": smtp-source"
	bytesPerMiB = 1 << 20
)

func value(benchmark, row string) func(results) (float64, bool) {
	return func(all results) (float64, bool) { return all.value(benchmark, row) }
}

func ratio(benchmark, row string) func(results) (float64, bool) {
	return func(all results) (float64, bool) { return all.ratio(benchmark, row) }
}

func times(benchmark, row, of string) func(results) (float64, bool) {
	return func(all results) (float64, bool) { return all.times(benchmark, row, of) }
}

// megabytes turns a row in MiB into MB.
func megabytes(benchmark, row string) func(results) (float64, bool) {
	return func(all results) (float64, bool) {
		v, ok := all.value(benchmark, row)
		return v * bytesPerMiB / 1e6, ok
	}
}

// targets lists them. The CPU of a message was set on a machine where smtp-source took 25 µs: the share of that is what can be
// compared elsewhere.
func targets() []target {
	const t, f = "throughput", "failover"
	return []target{
		{minimal10 + ", to smtp-source", false, 3, "×", ratio(t, minimal10+mxsend)},
		{minimal50 + ", to smtp-source", false, 3, "×", ratio(t, minimal50+mxsend)},
		{minimal10 + ", to go-smtp's client", false, 4, "×", times(t, minimal10+mxsend, minimal10+": go-smtp")},
		{minimal50 + ", to go-smtp's client", false, 4, "×", times(t, minimal50+mxsend, minimal50+": go-smtp")},
		{"smtp-sink, 10 connections, 4 KiB, to smtp-source", false, 1.5, "×", ratio(t, "smtp-sink, 10 connections, 4 KiB"+mxsend)},
		{"minimal sink, 1 connection, 4 KiB, 1ms round trip", false, 850, "messages/s", value(t, "minimal sink, 1 connection, 4 KiB, 1ms round trip"+mxsend)},
		{minimal10 + ", client CPU", true, 12, "µs/message", value(t, minimal10+mxsend+clientCPU)},
		{minimal10 + ", client CPU to smtp-source's", true, 12.0 / 25, "×", times(t, minimal10+mxsend+clientCPU, minimal10+smtpSource+clientCPU)},
		{minimal10 + ", allocations", true, 6, "1/message", value(t, minimal10+mxsend+": allocations")},
		{postfix10 + ", to smtp-source", false, 0.95, "×", ratio(t, postfix10+mxsend)},
		{postfix10 + ", one return path, to smtp-source, which has one", false, 0.95, "×", ratio(t, postfix10+mxsend+" (one return path)")},
		{postfix10 + ", client CPU to net/smtp's", true, 0.5, "×", times(t, postfix10+mxsend+clientCPU, postfix10+": net/smtp"+clientCPU)},
		{minimal10 + ", signed with RSA, to bare signing on all cores", false, 0.97, "×", ratio(t, minimal10+", signed: mxsend+RSA")},
		{"transactional p99 under a mailing, to that on idle relays", true, 2, "×", ratio("lanes", "transactional p99, under a mailing")},
		{"delivery by the model under a paced mailing on the same relays, p99 to that on idle relays", true, 2, "×", ratio("lanes", "delivery p99, shared relays, paced")},
		{"delivery by the model under a mailing on relays of its own, p99 to that on idle relays", true, 2, "×", ratio("lanes", "delivery p99, relays of its own, unpaced")},
		{"a mailing in the first second after a relay was switched off, to the other relay alone", false, 0.9, "×", ratio(f, "off: in the first second without it")},
		{"a mailing 9 to 11 s after a relay was black-holed, to the other relay alone", false, 0.9, "×", ratio(f, "hole: from 9 to 11 s after")},
		{"a mailing over a slow relay and another, to the other relay alone", false, 0.95, "×", ratio(f, "slow: throughput in all")},
		{"a relay added to DNS, how far its share is off its weight's", true, 5, "%", value(f, "dns: how far that is off its weight's share")},
		{"mails of one mailing", false, 1_700_000, "messages", value("mailing", "mails accepted")},
		{"resident memory during it, largest", true, 64, "MB", megabytes("mailing", "resident memory, largest")},
	}
}

// met says whether a value reaches the target.
func (t target) met(value float64) bool {
	if t.most {
		return value <= t.limit
	}
	return value >= t.limit
}

// targetTable holds the results against the targets.
func (all results) targetTable() string {
	table := &report.Table{Header: []string{"", "target", "reached", "met"}}
	for _, t := range targets() {
		sign := "≥"
		if t.most {
			sign = "≤"
		}
		reached, met := "not measured", "–"
		if v, ok := t.of(all); ok {
			reached, met = quantity(v, t.unit), "no"
			if t.met(v) {
				met = "yes"
			}
		}
		table.Rows = append(table.Rows, []string{t.what, sign + " " + quantity(t.limit, t.unit), reached, met})
	}
	text := table.Markdown()
	for _, r := range all {
		if r.Report.Quick {
			return text + "\nSome of these are from short runs (`-quick`), which tell whether a benchmark works, not whether a target is met.\n"
		}
	}
	return text
}

// quantity writes a figure with its unit; a factor has its sign in front.
func quantity(v float64, unit string) string {
	if unit == "×" {
		return "× " + report.Figure(v)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s", report.Figure(v), unit))
}

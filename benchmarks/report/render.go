package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

//go:embed BENCHMARKS.md.tmpl
var document string

// notMeasured stands where a figure would, had it been measured.
const notMeasured = "(not measured)"

// render writes the document.
func render(all results) ([]byte, error) {
	t, err := template.New("BENCHMARKS.md.tmpl").Funcs(template.FuncMap{
		"value": func(benchmark, row string) string {
			r, ok := all.row(benchmark, row)
			return figure(r.Value, r.Unit, ok)
		},
		"ratio": func(benchmark, row string) string {
			v, ok := all.ratio(benchmark, row)
			return figure(v, "", ok)
		},
		"times": func(benchmark, row, of string) string {
			v, ok := all.times(benchmark, row, of)
			return figure(v, "", ok)
		},
		"results": all.sections,
		"plots":   all.plots,
		"targets": all.targetTable,
		"runs":    all.runTable,
		"machine": all.machines,
	}).Parse(document)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, nil); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func figure(v float64, unit string, measured bool) string {
	if !measured {
		return notMeasured
	}
	return quantity(v, unit)
}

// sections is the tables of a benchmark, each under its title, and what was skipped. A benchmark without tables has its rows
// shown.
func (all results) sections(benchmark string) string {
	r := all[benchmark]
	if r == nil {
		return "It has not been run.\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "    %s\n", r.Command)
	if r.Report.Quick {
		b.WriteString("\nA short run: its figures show that the benchmark works, and little else.\n")
	}
	tables := r.Report.Tables
	if len(tables) == 0 {
		tables = []report.Table{rowTable(r.Report.Rows)}
	}
	for _, t := range tables {
		if t.Title != "" {
			fmt.Fprintf(&b, "\n### %s\n", t.Title)
		}
		b.WriteString("\n" + t.Markdown())
	}
	if len(r.Report.Skipped) > 0 {
		b.WriteString("\nSkipped: " + strings.Join(r.Report.Skipped, "; ") + ".\n")
	}
	return b.String()
}

func rowTable(rows []report.Row) report.Table {
	t := report.Table{Header: []string{"", "value", "± spread", "ratio"}}
	for _, row := range rows {
		ratio := ""
		if row.Ratio != nil {
			ratio = report.Figure(*row.Ratio)
		}
		t.Rows = append(t.Rows, []string{row.Name, quantity(row.Value, row.Unit), fmt.Sprintf("%.0f %%", 100*row.Spread), ratio})
	}
	return t
}

// plots links the plots of a benchmark.
func (all results) plots(benchmark string) string {
	r := all[benchmark]
	if r == nil {
		return ""
	}
	var b strings.Builder
	for _, p := range r.Report.Plots {
		fmt.Fprintf(&b, "![%s](benchmarks/plots/%s.svg)\n", p.Title, p.File)
	}
	return b.String()
}

// runTable says when and of what each benchmark was run.
func (all results) runTable() string {
	t := &report.Table{Header: []string{"", "started (UTC)", "took", "commit"}}
	for _, name := range programs {
		r := all[name]
		if r == nil {
			t.Rows = append(t.Rows, []string{name, "never", "", ""})
			continue
		}
		commit := r.Commit
		if r.Changed {
			commit += ", with changes"
		}
		took := time.Duration(r.Seconds * float64(time.Second)).String()
		if r.Report.Quick {
			took += ", -quick"
		}
		t.Rows = append(t.Rows, []string{name, r.Started.UTC().Format("2006-01-02 15:04"), took, commit})
	}
	return t.Markdown()
}

// machines lists where the benchmarks ran and what with, once where it was the same for all.
func (all results) machines() string {
	t := &report.Table{Header: []string{"", ""}}
	add := func(name, text string) {
		row := []string{name, text}
		if !slices.ContainsFunc(t.Rows, func(r []string) bool { return slices.Equal(r, row) }) {
			t.Rows = append(t.Rows, row)
		}
	}
	for _, name := range programs {
		if r := all[name]; r != nil {
			m := r.Report.Machine
			add("machine", fmt.Sprintf("%s/%s, %s, %d cores", m.OS, m.Arch, m.CPU, m.Cores))
			for _, v := range r.Versions {
				add(v.Name, v.Version)
			}
		}
	}
	return t.Markdown()
}

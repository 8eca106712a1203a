package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// A Table is written with aligned columns, the first to the left, the others to
// the right.
type Table struct {
	Title  string     `json:"title"`
	Header []string   `json:"header"`
	Rows   [][]string `json:"rows"`
	Notes  []string   `json:"notes,omitempty"`
}

// Write writes the table.
func (t *Table) Write(w io.Writer) error {
	fmt.Fprintln(w, t.Title)
	widest := 0
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		widest = max(widest, utf8.RuneCountInString(row[0]))
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		fmt.Fprintf(tw, "  %-*s", widest, row[0])
		for _, cell := range row[1:] {
			fmt.Fprintf(tw, "\t%s", cell)
		}
		fmt.Fprintln(tw, "\t")
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, n := range t.Notes {
		fmt.Fprintln(w, "  "+n)
	}
	_, err := fmt.Fprintln(w)
	return err
}

// Markdown writes the table as GitHub's Markdown has it, without its title.
func (t *Table) Markdown() string {
	var b strings.Builder
	line := func(cells []string) {
		for i := range t.Header {
			cell := ""
			if i < len(cells) {
				cell = strings.ReplaceAll(cells[i], "|", `\|`)
			}
			b.WriteString("| " + cell + " ")
		}
		b.WriteString("|\n")
	}
	line(t.Header)
	b.WriteString("| --- " + strings.Repeat("| ---: ", max(0, len(t.Header)-1)) + "|\n")
	for _, row := range t.Rows {
		line(row)
	}
	for _, n := range t.Notes {
		b.WriteString("\n" + n + "\n")
	}
	return b.String()
}

// Package snippets holds the Go code in a page against code that is compiled and tested.
package snippets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Check fails the test for every ```go snippet of a page that does not stand, whatever its indentation, in a Go file of the
// test's own folder. A page without any is an error.
func Check(t *testing.T, page string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, plain(string(source)))
	}
	snippets := strings.Split(string(text), "```go\n")[1:]
	if len(snippets) == 0 {
		t.Errorf("%s has no Go snippet", page)
	}
	for i, s := range snippets {
		code, _, _ := strings.Cut(s, "```")
		found := false
		for _, source := range sources {
			found = found || strings.Contains(source, plain(code))
		}
		if !found {
			t.Errorf("snippet %d of %s stands in no Go file here:\n%s", i+1, page, code)
		}
	}
}

func plain(code string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(code, "\n") {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return strings.TrimSpace(b.String())
}

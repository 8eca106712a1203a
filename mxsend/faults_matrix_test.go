package mxsend

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rowID is the id of a row of FAULTS.md, at the start of a subtest's name.
var rowID = regexp.MustCompile(`^([A-G][1-9][0-9]?)(/|$)`)

// Every row of FAULTS.md has its test in each package that it names, and every test
// that is named for a row has that row.
func TestFaultMatrix(t *testing.T) {
	text, err := os.ReadFile("FAULTS.md")
	if err != nil {
		t.Fatal(err)
	}
	claimed := map[string][]string{} // packages by row
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if !rowID.MatchString(cells[0]) {
			continue
		}
		if claimed[cells[0]] != nil {
			t.Errorf("row %s is there twice", cells[0])
		}
		claimed[cells[0]] = strings.Split(cells[len(cells)-1], ", ")
	}
	packages := map[string]map[string]bool{} // rows with a subtest, by package
	for _, names := range claimed {
		for _, pkg := range names {
			if packages[pkg] == nil {
				packages[pkg] = subtests(t, filepath.Join("..", filepath.FromSlash(pkg)))
			}
		}
	}
	for row, names := range claimed {
		for _, pkg := range names {
			if !packages[pkg][row] {
				t.Errorf("row %s says that %s tests it, which has no such subtest", row, pkg)
			}
		}
	}
	for pkg, has := range packages {
		for row := range has {
			if !slices.Contains(claimed[row], pkg) {
				t.Errorf("%s has a subtest %s, and FAULTS.md no such row, or does not name the package there", pkg, row)
			}
		}
	}
	const least = 85
	if len(claimed) < least || len(packages["mxsend"]) < 40 {
		t.Errorf("%d rows, %d of them in mxsend: the page or the tests were not read", len(claimed), len(packages["mxsend"]))
	}
}

// subtests are the rows that string literals in a package's tests name.
func subtests(t *testing.T, dir string) map[string]bool {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil {
					if m := rowID.FindStringSubmatch(s); m != nil {
						rows[m[1]] = true
					}
				}
			}
			return true
		})
	}
	return rows
}

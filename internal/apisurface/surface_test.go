// Package apisurface records what the library exports, so that a change to it shows in review, and none happens by accident.
package apisurface

import (
	"bytes"
	"flag"
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the surface as it is now")

// packages whose surface is recorded, from the root of the repository.
var packages = []string{"mxsend", "mxsend/mxtest", "verp", "verp/bounce", "dkim", "dkim/opensslkey"}

// TestSurface holds the exported names against those recorded in testdata. A change that is meant is written with
//
//	go test ./internal/apisurface -update
//
// and belongs into CHANGELOG.md.
func TestSurface(t *testing.T) {
	for _, pkg := range packages {
		t.Run(pkg, func(t *testing.T) {
			got, err := surface(filepath.Join("..", "..", filepath.FromSlash(pkg)))
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", strings.ReplaceAll(pkg, "/", "_")+".txt")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if added, removed := difference(got, want), difference(want, got); len(added)+len(removed) > 0 {
				t.Errorf("the exported surface has changed; if that is meant, say so in CHANGELOG.md and run go test ./internal/apisurface -update\n+ %s\n- %s",
					strings.Join(added, "\n+ "), strings.Join(removed, "\n- "))
			}
		})
	}
}

// difference are the lines of a that b lacks.
func difference(a, b []byte) (lines []string) {
	has := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		has[line] = true
	}
	for line := range strings.Lines(string(a)) {
		if !has[line] {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	return lines
}

// surface is what a package exports, a declaration after the other, without comments and bodies.
func surface(dir string) ([]byte, error) {
	ctx := build.Default
	ctx.GOOS, ctx.GOARCH, ctx.CgoEnabled, ctx.BuildTags = "linux", "amd64", true, []string{"openssl"}
	found, err := ctx.ImportDir(dir, build.IgnoreVendor)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range slices.Concat(found.GoFiles, found.CgoFiles) {
		f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	p, err := doc.NewFromFiles(fset, files, dir)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	show := func(d ast.Decl) {
		if f, ok := d.(*ast.FuncDecl); ok {
			f.Body = nil
		}
		var one bytes.Buffer
		if err = printer.Fprint(&one, token.NewFileSet(), d); err == nil {
			out.WriteString(flat(one.String()) + "\n")
		}
	}
	values := func(of []*doc.Value) {
		for _, v := range of {
			for _, spec := range v.Decl.Specs {
				if v.Decl.Tok == token.VAR {
					spec.(*ast.ValueSpec).Values = nil // an error's text is no promise
				}
			}
			show(v.Decl)
		}
	}
	funcs := func(of []*doc.Func) {
		for _, f := range of {
			show(f.Decl)
		}
	}
	values(p.Consts)
	values(p.Vars)
	funcs(p.Funcs)
	for _, t := range p.Types {
		show(t.Decl)
		values(t.Consts)
		values(t.Vars)
		funcs(t.Funcs)
		funcs(t.Methods)
	}
	return out.Bytes(), err
}

// flat has each line of a declaration stand by itself: a field or constant that changes is a line that changes.
func flat(decl string) string {
	var lines []string
	head := ""
	for line := range strings.Lines(decl) {
		line = strings.Join(strings.Fields(line), " ")
		switch {
		case head == "":
			head = strings.TrimRight(line, " {(")
			if !strings.HasSuffix(line, "(") { // of a group each line stands for itself
				lines = append(lines, head)
			}
		case line == "" || line == "}" || line == ")" || strings.HasPrefix(line, "//") || strings.HasPrefix(line, "}//"):
		default:
			lines = append(lines, head+" "+line)
		}
	}
	return strings.Join(lines, "\n")
}

// The comparison is line by line and notices what is new, gone and changed.
func TestDifference(t *testing.T) {
	old := []byte("func A()\nfunc B(x int)\n")
	if got := difference([]byte("func A()\nfunc B(x string)\n"), old); len(got) != 1 || got[0] != "func B(x string)" {
		t.Errorf("changed: got %q", got)
	}
	if got := difference([]byte("func A()\n"), old); got != nil {
		t.Errorf("gone: got %q as new", got)
	}
}

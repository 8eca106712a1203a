package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// runAll runs benchmarks one after the other and stores what each printed as soon as it has.
func (p project) runAll(ctx context.Context, names []string, quick bool) error {
	scratch, err := os.MkdirTemp("", "mxsend-report-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	commit, changed := p.commit(ctx)
	for i, name := range names {
		fmt.Fprintf(os.Stderr, "%s (%d of %d)\n", name, i+1, len(names))
		r, err := p.run(ctx, name, filepath.Join(scratch, name), quick)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		r.Commit, r.Changed = commit, changed
		if err := r.store(p.results()); err != nil {
			return err
		}
	}
	return nil
}

// run builds a benchmark, with an RSA key inside OpenSSL where its headers are there, and runs it.
func (p project) run(ctx context.Context, name, program string, quick bool) (*result, error) {
	tags := []string{"-tags", "openssl"}
	build := func() ([]byte, error) {
		words := append(append([]string{"build"}, tags...), "-o", program, "./benchmarks/"+name)
		cmd := exec.CommandContext(ctx, "go", words...)
		cmd.Dir = p.root
		return cmd.CombinedOutput()
	}
	said, err := build()
	if err != nil {
		tags = nil
		said, err = build()
	}
	if err != nil {
		return nil, fmt.Errorf("go build: %w: %s", err, said)
	}
	args := []string{"-json"}
	if quick {
		args = append(args, "-quick")
	}
	shown := slices.Concat([]string{"go", "run"}, tags, []string{"./benchmarks/" + name}, args, []string{"-plots", "benchmarks/plots"})
	if err := p.removePlots(name); err != nil {
		return nil, err
	}
	args = append(args, "-plots", p.plots())
	r := &result{Command: strings.Join(shown, " "), Started: time.Now().UTC().Truncate(time.Second)}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stderr = p.root, os.Stderr
	// An interrupt lets it end its own processes.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	r.Seconds = time.Since(r.Started).Round(time.Second).Seconds()
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&r.Report); err != nil {
		return nil, fmt.Errorf("what it printed: %w", err)
	}
	r.Report.Quick = quick
	r.Versions = versions(ctx, program)
	return r, nil
}

// removePlots removes the plots of a benchmark's last run: the next may draw others.
func (p project) removePlots(name string) error {
	last, err := loadOne(p.results(), name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, picture := range last.Report.Plots {
		for _, ending := range []string{".svg", ".png"} {
			err := os.Remove(filepath.Join(p.plots(), filepath.Base(picture.File)+ending))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// commit is what is measured, and whether the files differ from it; results and the document of an earlier run do not count.
func (p project) commit(ctx context.Context) (commit string, changed bool) {
	git := func(args ...string) string {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = p.root
		out, err := cmd.Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	status := git("status", "--porcelain", "--", ".", ":!benchmarks/results", ":!benchmarks/plots", ":!BENCHMARKS.md")
	return git("rev-parse", "--short=12", "HEAD"), status != ""
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

// opensslSpeed runs the openssl command's own benchmark where there is one, to show what OpenSSL can
// do on this machine without Go around it. It is not measured in turns with anything, so its ratios,
// Go's time divided by OpenSSL's, are rougher than the others.
func opensslSpeed(ctx context.Context, p plan, goRSA, goEd float64) ([]report.Row, error) {
	path, err := exec.LookPath("openssl")
	if err != nil {
		return nil, errors.New("the openssl command is not there")
	}
	type speed struct {
		name, algorithm string
		line            *regexp.Regexp
		bare            float64
	}
	speeds := []speed{
		{"openssl speed, RSA-2048", "rsa2048", regexp.MustCompile(`(?m)^rsa\s+2048 bits\s+([0-9.]+)s`), goRSA},
		{"openssl speed, Ed25519", "ed25519", regexp.MustCompile(`(?m)EdDSA \(Ed25519\)\s+\S+\s+\S+\s+([0-9.]+)\s`), goEd},
	}
	if p.quick() {
		speeds = speeds[:1]
	}
	var rows []report.Row
	var failed error
	for _, c := range speeds {
		var values report.Sample
		for range 3 {
			p.progress("%s", c.name)
			out, err := exec.CommandContext(ctx, path, "speed", "-seconds", "1", c.algorithm).Output()
			m := c.line.FindSubmatch(out)
			if err != nil || m == nil {
				break
			}
			v, err := strconv.ParseFloat(string(m[1]), 64)
			if err != nil || v == 0 {
				break
			}
			if c.algorithm == "rsa2048" {
				values = append(values, v*1e6) // seconds for one
			} else {
				values = append(values, 1e6/v) // as many in a second: its time for one has two digits only
			}
		}
		if len(values) < 3 {
			failed = fmt.Errorf("what it prints about %s was not understood", c.algorithm)
			continue
		}
		rows = append(rows, report.Row{Name: c.name + " (ratio: signatures for one of Go's)", Value: values.Median(), Unit: "µs",
			Spread: values.Spread(), Ratio: new(c.bare / values.Median())})
	}
	return rows, failed
}

package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// opensslSpeed runs the openssl command's own benchmark where there is one, to show what OpenSSL can
// do on this machine without Go around it. It is not measured in turns with anything, so its ratios,
// Go's time divided by OpenSSL's, are rougher than the others.
func opensslSpeed(p plan, goRSA, goEd float64) (rows []Row, note string) {
	path, err := exec.LookPath("openssl")
	if err != nil {
		return nil, "The openssl command is not there: no rows of openssl speed."
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
	for _, c := range speeds {
		var values []float64
		for range 3 {
			fmt.Fprintln(p.progress, c.name)
			out, err := exec.Command(path, "speed", "-seconds", "1", c.algorithm).Output()
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
			note = "What openssl speed prints was not understood: rows of it are missing."
			continue
		}
		rows = append(rows, Row{Name: c.name + " (ratio: signatures for one of Go's)", Value: median(values), Unit: "µs",
			Spread: spread(values), Ratio: c.bare / median(values)})
	}
	return rows, note
}

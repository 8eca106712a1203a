package main

import (
	"fmt"

	"github.com/mxsend/go-mxsend/benchmarks/internal/report"
)

// Names of the cases that rows are computed from.
const (
	bareRSA    = "bare RSA-2048"
	bareEd     = "bare Ed25519"
	noCrypto   = "everything but the crypto, 4 KiB"
	noCryptoSB = noCrypto + ", same body"
	bothKeys   = "RSA and Ed25519, 4 KiB"
	openBare   = "bare RSA-2048 in OpenSSL"
	openSigned = "RSA-2048 in OpenSSL, 4 KiB"
)

const theirs = " (go-msgauth)"

// referenceEd is what a bare Ed25519 signature took, in microseconds, on the machine that the targets
// in microseconds were set on. As multiples of it they hold anywhere.
const referenceEd = 17.3

// targets says what the ratio of a row may be at most.
var targets = map[string]float64{
	noCrypto:                    7 / referenceEd,
	noCryptoSB:                  2 / referenceEd,
	"Ed25519, 4 KiB":            1.4,
	"Ed25519, 4 KiB, same body": 1.15,
	"Ed25519, 64 KiB":           90 / referenceEd,
	"RSA-2048, 4 KiB":           1.03,
}

func (b *bench) cases() []measureCase {
	c := []measureCase{
		{bareRSA, b.bareRSA, b.bareRSA},
		{bareEd, b.bareEd, b.bareEd},
		{noCrypto, b.ours(small, false, b.noKey()), b.bareEd},
		{noCryptoSB, b.ours(small, true, b.noKey()), b.bareEd},
		{noCrypto + theirs, b.theirs(small, b.noKey()), b.bareEd},
		{"Ed25519, 4 KiB", b.ours(small, false, b.ed), b.bareEd},
		{"Ed25519, 4 KiB, same body", b.ours(small, true, b.ed), b.bareEd},
		{"Ed25519, 4 KiB" + theirs, b.theirs(small, b.ed), b.bareEd},
		{"Ed25519, 64 KiB", b.ours(large, false, b.ed), b.bareEd},
		{"Ed25519, 64 KiB, same body", b.ours(large, true, b.ed), b.bareEd},
		{"Ed25519, 64 KiB" + theirs, b.theirs(large, b.ed), b.bareEd},
		{"RSA-2048, 4 KiB", b.ours(small, false, b.rsa), b.bareRSA},
		{"RSA-2048, 4 KiB" + theirs, b.theirs(small, b.rsa), b.bareRSA},
		{"RSA-2048, 64 KiB", b.ours(large, false, b.rsa), b.bareRSA},
		{"RSA-2048, 64 KiB" + theirs, b.theirs(large, b.rsa), b.bareRSA},
		{bothKeys, b.ours(small, false, b.rsa, b.ed), b.bareBoth},
		{bothKeys + theirs, b.theirs(small, b.rsa, b.ed), b.bareBoth},
		{"RSA and Ed25519, 64 KiB", b.ours(large, false, b.rsa, b.ed), b.bareBoth},
		{"RSA and Ed25519, 64 KiB" + theirs, b.theirs(large, b.rsa, b.ed), b.bareBoth},
	}
	if b.open != nil {
		c = append(c,
			measureCase{openBare, b.bareOpen, b.bareRSA},
			measureCase{openSigned, b.ours(small, false, b.open), b.bareRSA})
	}
	return c
}

// rows makes the lines of the table: those measured, in the order of cases, and some computed.
func (b *bench) rows(all map[string]*measurement) []report.Row {
	var rows []report.Row
	for _, c := range b.cases() {
		m := all[c.name]
		row := figure(c.name, "µs", m.value, m.ratio)
		switch limit := targets[c.name]; {
		case c.name == bothKeys:
			// What a second pass over the body would cost is in neither of the bare operations.
			pass := all[noCrypto].value.Median() - all[noCryptoSB].value.Median()
			sum := all[bareRSA].value.Median() + all[bareEd].value.Median()
			atMost(&row, 1.02+pass/sum)
		case c.name == openBare || c.name == openSigned:
			*row.Ratio = 1 / *row.Ratio
			row.Name += " (ratio: signatures for one of Go's)"
			if c.name == openBare {
				row.Target, row.Holds = "≥ 2.5", new(*row.Ratio >= 2.5)
			}
		case limit > 0:
			atMost(&row, limit)
		}
		rows = append(rows, row)
	}
	return rows
}

// allocationRows counts what one signature allocates, the cryptography left out.
func (b *bench) allocationRows() ([]report.Row, error) {
	ours, err := allocations(b.ours(small, false, b.noKey()))
	if err != nil {
		return nil, err
	}
	others, err := allocations(b.theirs(small, b.noKey()))
	if err != nil {
		return nil, err
	}
	const unit = "allocations"
	return []report.Row{
		{Name: "allocations of " + noCrypto, Value: ours, Unit: unit, Target: "≤ 6", Holds: new(ours <= 6)},
		{Name: "allocations of " + noCrypto + theirs, Value: others, Unit: unit},
	}, nil
}

// figure makes a row of what was measured in each round.
func figure(name, unit string, value, ratio report.Sample) report.Row {
	return report.Row{Name: name, Value: value.Median(), Unit: unit, Spread: value.Spread(), Ratio: new(ratio.Median())}
}

// atMost sets the target that the ratio may not be over.
func atMost(r *report.Row, limit float64) {
	r.Target = fmt.Sprintf("≤ %.3f", limit)
	r.Holds = new(*r.Ratio <= limit)
}

//go:build race

package verp

const raceEnabled = true

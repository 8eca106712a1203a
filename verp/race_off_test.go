//go:build !race

package verp

const raceEnabled = false

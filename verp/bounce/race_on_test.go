//go:build race

package bounce

const raceEnabled = true

//go:build !linux

package resident

import "runtime"

// MiB stands in for the resident memory where it is not to be had.
func MiB(mem *runtime.MemStats) float64 { return runtimeMiB(mem) }

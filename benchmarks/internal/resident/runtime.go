// Package resident tells the memory of the process.
package resident

import "runtime"

// runtimeMiB is what Go's runtime holds of the system's memory.
func runtimeMiB(mem *runtime.MemStats) float64 {
	return float64(mem.Sys-mem.HeapReleased) / (1 << 20)
}

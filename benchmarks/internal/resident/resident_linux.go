package resident

import (
	"fmt"
	"os"
	"runtime"
)

// MiB is the memory of the process that is in RAM.
func MiB(mem *runtime.MemStats) float64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		var size, resident float64
		if _, err := fmt.Sscan(string(statm), &size, &resident); err == nil {
			return resident * float64(os.Getpagesize()) / (1 << 20)
		}
	}
	return runtimeMiB(mem)
}

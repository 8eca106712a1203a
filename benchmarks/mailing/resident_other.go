//go:build !linux

package main

import "runtime"

// residentMiB stands in for the resident memory where it is not to be had.
func residentMiB(mem *runtime.MemStats) float64 { return runtimeMiB(mem) }

//go:build !linux

package proxy

import "time"

func pause(d time.Duration) { time.Sleep(d) }

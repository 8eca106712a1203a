package proxy

import (
	"syscall"
	"time"
)

// pause sleeps in the kernel: the runtime's timers are rounded to whole
// milliseconds when the process has nothing else to do, which would be the very
// time that is measured.
func pause(d time.Duration) {
	for d > 0 {
		left := syscall.NsecToTimespec(int64(d))
		if syscall.Nanosleep(&left, &left) == nil {
			return
		}
		d = time.Duration(left.Nano())
	}
}

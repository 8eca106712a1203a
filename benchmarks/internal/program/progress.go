package program

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// A progress is a line that is written over on a terminal; elsewhere a line now and then, so that logs stay short.
type progress struct {
	out      io.Writer
	terminal bool
	mu       sync.Mutex // guards last and dirty
	last     time.Time  // when a line was written, where it is no terminal
	dirty    bool
}

// logEvery is how often a line is written where it is no terminal.
const logEvery = 5 * time.Second

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, last: time.Now()}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		p.dirty = true
		fmt.Fprintf(p.out, "\r\x1b[K"+format, args...)
		return
	}
	if now := time.Now(); now.Sub(p.last) >= logEvery {
		p.last = now
		fmt.Fprintf(p.out, format+"\n", args...)
	}
}

// wipe removes the line, before something else is written to the terminal.
func (p *progress) wipe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dirty {
		p.dirty = false
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

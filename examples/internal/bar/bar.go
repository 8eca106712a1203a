// Package bar shows progress in a terminal.
package bar

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// A Bar shows progress: as a bar on a terminal, as a line now and then elsewhere.
type Bar struct {
	w        io.Writer
	total    int
	terminal bool
	shown    time.Time
	tenth    int
}

// New returns the Bar of a total, shown on w.
func New(w io.Writer, total int) *Bar {
	b := &Bar{w: w, total: total}
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			b.terminal = info.Mode()&os.ModeCharDevice != 0
		}
	}
	return b
}

// Show shows how much is done.
func (b *Bar) Show(done int) {
	if !b.terminal {
		if tenth := 10 * done / b.total; tenth > b.tenth {
			b.tenth = tenth
			fmt.Fprintf(b.w, "%d of %d mails have their outcome\n", done, b.total)
		}
		return
	}
	if now := time.Now(); done == b.total || now.Sub(b.shown) > 50*time.Millisecond {
		b.shown = now
		const width = 40
		full := width * done / b.total
		fmt.Fprintf(b.w, "\r[%s%s] %d of %d", strings.Repeat("=", full), strings.Repeat(" ", width-full), done, b.total)
	}
}

// Say prints a line above the bar.
func (b *Bar) Say(format string, args ...any) {
	if b.terminal {
		fmt.Fprint(b.w, "\r\033[K")
	}
	fmt.Fprintf(b.w, format+"\n", args...)
}

// End leaves the bar as it is.
func (b *Bar) End() {
	if b.terminal {
		fmt.Fprintln(b.w)
	}
}

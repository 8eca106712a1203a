package peers

import (
	"bytes"
	"testing"
)

func TestContentSize(t *testing.T) {
	for _, size := range []int{512, 4096, 4097, 64 << 10} {
		content := Content(size)
		if len(content) != size {
			t.Errorf("size %d: got %d octets", size, len(content))
		}
		if !bytes.HasSuffix(content, []byte("\r\n")) {
			t.Errorf("size %d: no CRLF at the end", size)
		}
		for line := range bytes.SplitSeq(content, []byte("\r\n")) {
			if len(line) > 998 || bytes.ContainsAny(line, "\r\n") {
				t.Errorf("size %d: a line of %d octets, or a bare CR or LF", size, len(line))
			}
		}
	}
}

func TestReturnPathsAreDistinct(t *testing.T) {
	const n = 1000
	for _, want := range []int{n, 1} {
		m, seen, taken := newMailing(Job{Messages: n, Size: 512}, want), map[string]bool{}, 0
		for returnPath, ok := m.take(); ok; returnPath, ok = m.take() {
			seen[returnPath] = true
			taken++
		}
		if len(seen) != want || taken != n {
			t.Errorf("got %d messages with %d return paths, want %d with %d", taken, len(seen), n, want)
		}
	}
}
